from __future__ import annotations

import numpy as np
import pytest

from cultureops_simulators.hettich_rotanta import Rotanta, build
from cultureops_simulators.instrument import SimulatorError


@pytest.fixture
def centrifuge() -> Rotanta:
    return build("centrifuge_1", {}, np.random.default_rng(3))


# Hettich AH5680-01EN p53, those whose block check is right
PRINTED = {
    b"\x04T00528\x05": b"T\x0200528=1800\x03\x08",
    b"\x04T00634\x05": b"T\x0200634=0162\x03\x0a",
    b"\x04T00635\x05": b"T\x0200635=0292\x03\x07",
    b"\x04T00685\x05": b"T\x0200685=0000\x03\x05",
}
CLEAR_POWER_ON = b"\x04T00685\x05"
START = b"\x04T\x0200633=0002\x03\x0a"
CLOSE_HATCH = b"\x04T\x0200526=0070\x03\x08"
RECALL_6 = b"\x04T\x0200523=0604\x03\x08"


@pytest.mark.parametrize(("enquiry", "answer"), PRINTED.items())
def test_answers_as_the_manual_prints(centrifuge: Rotanta, enquiry: bytes, answer: bytes) -> None:
    assert centrifuge.dialect().receive(enquiry) == answer


def test_selects_are_refused_until_the_power_on_bit_is_cleared(centrifuge: Rotanta) -> None:
    dialect = centrifuge.dialect()
    assert dialect.receive(START) == b"T\x15"
    dialect.receive(CLEAR_POWER_ON)
    assert dialect.receive(RECALL_6 + START) == b"T\x06T\x06"
    centrifuge.step(60.0)
    assert dialect.receive(b"\x04T00634\x05")[8:12] == b"06E0"
    assert dialect.receive(b"\x04T00634\x05")[8:12] == b"0660"  # asking has cleared the modification bit
    assert dialect.receive(START) == b"T\x15"
    centrifuge.step(900.0)
    assert dialect.receive(b"\x04T00634\x05")[8:12] == b"06E2"


def test_the_hatch_takes_its_time(centrifuge: Rotanta) -> None:
    dialect = centrifuge.dialect()
    dialect.receive(CLEAR_POWER_ON)
    assert centrifuge.rotor.open_hatch()
    centrifuge.step(10.0)
    assert dialect.receive(b"\x04T00528\x05")[8:12] == b"2000"
    assert dialect.receive(START) == b"T\x15"
    assert dialect.receive(CLOSE_HATCH) == b"T\x06"
    states = []
    for _ in range(6):
        states.append(dialect.receive(b"\x04T00528\x05")[8:12])
        centrifuge.step(1.0)
    assert states == [b"2500", b"2500", b"2500", b"0500", b"0500", b"1800"]


def test_a_run_spins_up_and_down(centrifuge: Rotanta) -> None:
    assert centrifuge.rotor.start()
    assert not centrifuge.rotor.open_hatch()
    centrifuge.step(120.0)
    assert centrifuge.rotor.rpm == pytest.approx(1500.0, rel=0.01)
    centrifuge.upset("mains", True)
    centrifuge.step(300.0)
    assert centrifuge.rotor.is_standstill
    assert centrifuge.dialect().receive(START) == b"T\x15"


@pytest.mark.parametrize(
    ("telegram", "answer"),
    [
        (b"\x04T00604\x05", b""),  # no page states its scale
        (b"\x04]00634\x05", b""),
        (b"\x04T\x0200633=0002\x03\x0b", b"T\x15"),
        (b"\x04T\x0200633=0003\x03\x0b", b"T\x15"),
        (b"hello\r\n", b""),
    ],
)
def test_what_it_does_not_know(centrifuge: Rotanta, telegram: bytes, answer: bytes) -> None:
    dialect = centrifuge.dialect()
    dialect.receive(CLEAR_POWER_ON)
    assert dialect.receive(telegram) == answer
    assert centrifuge.rotor.is_standstill


def test_pieces_garbage_and_endless_lines(centrifuge: Rotanta) -> None:
    dialect = centrifuge.dialect()
    assert dialect.receive(b"\x04T006") + dialect.receive(b"35\x05") == PRINTED[b"\x04T00635\x05"]
    dialect.receive(b"x" * 5000)
    assert dialect.receive(b"\x04\x04T00528\x05") == PRINTED[b"\x04T00528\x05"]


def test_wrong_options() -> None:
    with pytest.raises(SimulatorError, match="address must be one character"):
        build("centrifuge_1", {"address": "t"}, np.random.default_rng(3))
