from __future__ import annotations

import numpy as np
import pytest

from cultureops_simulators.instrument import SimulatorError
from cultureops_simulators.mettler_sics import Balance, build


@pytest.fixture
def balance() -> Balance:
    return build("balance_1", {}, np.random.default_rng(3))


def test_weights_as_the_manuals_print_them(balance: Balance) -> None:
    dialect = balance.dialect()
    balance.panel.values.update(weight=12.34, stable=1.0)
    assert dialect.receive(b"SI\r\n") == b"S S      12.34 g\r\n"
    balance.panel.values.update(weight=100.0)
    assert dialect.receive(b"S\r\n") == b"S S     100.00 g\r\n"


def test_a_load_settles(balance: Balance) -> None:
    dialect = balance.dialect()
    balance.pan.load(500.0)
    balance.step(0.5)
    assert dialect.receive(b"SI\r\n").startswith(b"S D ")
    assert dialect.receive(b"S\r\nZ\r\nT\r\n") == b"S I\r\nZ I\r\nT I\r\n"
    balance.step(10.0)
    status, number, unit = dialect.receive(b"S\r\n").split()[1:]
    assert (status, unit) == (b"S", b"g") and float(number) == pytest.approx(500.0, abs=0.05)


def test_tare_and_zero(balance: Balance) -> None:
    dialect = balance.dialect()
    balance.pan.load(120.0)
    balance.step(20.0)
    assert dialect.receive(b"T\r\n").startswith(b"T S ")
    assert float(dialect.receive(b"TA\r\n").split()[2]) == pytest.approx(120.0, abs=0.05)
    balance.pan.load(170.0)
    balance.step(20.0)
    assert float(dialect.receive(b"S\r\n").split()[2]) == pytest.approx(50.0, abs=0.05)
    assert dialect.receive(b"TAC\r\n") == b"TAC A\r\n"
    assert dialect.receive(b"ZI\r\nSI\r\n") == b"ZI S\r\nS S       0.00 g\r\n"


def test_over_and_underload(balance: Balance) -> None:
    dialect = balance.dialect()
    balance.pan.load(4300.0)
    balance.step(20.0)
    assert dialect.receive(b"SI\r\n") == b"S +\r\n"
    balance.pan.load(-80.0)
    balance.step(20.0)
    assert dialect.receive(b"SI\r\n") == b"S -\r\n"


def test_who_it_is(balance: Balance) -> None:
    assert balance.dialect().receive(b"I2\r\nI3\r\nI4\r\n@\r\n") == (
        b'I2 A "SIMULATOR 4200.00 g"\r\nI3 A "1.00"\r\nI4 A "0123456789"\r\nI4 A "0123456789"\r\n'
    )


@pytest.mark.parametrize("command", [b"si", b"XX", b"", b"S ", b"\xff", b"SIR", b"I0"])
def test_unknown_commands(balance: Balance, command: bytes) -> None:
    assert balance.dialect().receive(command + b"\r\n") == b"ES\r\n"


def test_pieces_and_endless_lines(balance: Balance) -> None:
    dialect = balance.dialect()
    assert dialect.receive(b"I") + dialect.receive(b"3\r") + dialect.receive(b"\n") == b'I3 A "1.00"\r\n'
    dialect.receive(b"x" * 1000)
    assert dialect.receive(b"I3\r\n") == b'I3 A "1.00"\r\n'


def test_nothing_can_fail(balance: Balance) -> None:
    with pytest.raises(SimulatorError, match="a balance has no 'mains' to lose"):
        balance.upset("mains", True)
