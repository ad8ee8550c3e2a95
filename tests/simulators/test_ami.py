from __future__ import annotations

import numpy as np
import pytest

from cultureops_simulators.ami_185 import Ami185, build
from cultureops_simulators.instrument import SimulatorError


def made(**options: object) -> Ami185:
    return build("level_1", options, np.random.default_rng(3))


def test_every_question_in_every_unit() -> None:
    instrument = made()
    instrument.panel.values["level"] = 62.5
    dialect = instrument.dialect()
    questions = b"UNIT\r\nLEVEL\r\nHI\r\nLO\r\nA\r\nB\r\nINTERVAL\r\nLENGTH\r\n"
    assert dialect.receive(questions).split() == b"% 62.5 90.0 50.0 80.0 60.0 60 100.0".split()
    assert dialect.receive(b"CM\r\n" + questions).split() == b"C 62.5 90.0 50.0 80.0 60.0 60 100.0".split()
    assert dialect.receive(b"inch\r\n" + questions).split() == b"I 24.6 35.4 19.7 31.5 23.6 60 39.4".split()
    assert dialect.receive(b"PERCENT\r\n") == b"\r\n"


def test_limits_can_be_set_in_the_unit_of_the_interface() -> None:
    dialect = made(unit="in").dialect()
    assert dialect.receive(b"HI=30.0\r\nHI\r\nLO=10\r\nLO\r\n") == b"\r\n30.0\r\n\r\n10.0\r\n"


@pytest.mark.parametrize("command", [b"LEVEL?", b"SAVE", b"LENGTH=35.0", b"A=70", b"HI=", b"x", b"\xff"])
def test_unknown_commands(command: bytes) -> None:
    assert made().dialect().receive(command + b"\r\n") == b"-1\r\n"


def test_pieces_and_endless_lines() -> None:
    dialect = made().dialect()
    assert dialect.receive(b"UN") + dialect.receive(b"IT\r") + dialect.receive(b"\n") == b"%\r\n"
    dialect.receive(b"x" * 1000)
    assert dialect.receive(b"unit\r") == b"%\r\n"


def test_the_level_falls_and_is_filled_up_again() -> None:
    instrument = made()
    levels = []
    for _ in range(5 * 24):
        instrument.step(3600.0)
        levels.append(float(instrument.dialect().receive(b"LEVEL\r")))
    assert min(levels) > 58.0 and max(levels) > 77.0
    instrument.upset("ln2_supply", True)
    instrument.step(5 * 86_400.0)
    assert float(instrument.dialect().receive(b"LEVEL\r")) < 50.0


def test_wrong_options_and_conditions() -> None:
    with pytest.raises(SimulatorError, match="unit must be one of %, cm, in"):
        made(unit="mm")
    with pytest.raises(SimulatorError, match="can only lose its ln2_supply"):
        made().upset("mains", True)
