from __future__ import annotations

import numpy as np
import pytest

from cultureops_simulators.instrument import SimulatorError
from cultureops_simulators.thermo_tsx import Tsx, build


def made(**options: object) -> Tsx:
    return build("ult_1", options, np.random.default_rng(3))


# TSX manual p63-67, TDE manual p30-36
PRINTED = {
    b":190305300002AD\r\n": b":190304FFFFFCE002\r\n",
    b":190305380002A5\r\n": b":190304FFFFFD449D\r\n",
    b":1903053C0002A1\r\n": b":190304FFFFFC7C66\r\n",
    b":19030598000245\r\n": b":1903040001E240B9\r\n",
    b":1903059C000142\r\n": b":19030204DE\r\n",
    b":190304D8000206\r\n": b":190304C2FE00001C\r\n",
    b":190304E00002FE\r\n": b":190304C2FE00001C\r\n",
}


@pytest.mark.parametrize(("query", "answer"), PRINTED.items())
def test_answers_as_the_manual_prints(query: bytes, answer: bytes) -> None:
    assert made().dialect().receive(query) == answer


def test_counts_as_told() -> None:
    query = b":190305300002AD\r\n"
    assert made(count="characters").dialect().receive(query) == b":190308FFFFFCE002\r\n"
    assert made(count="bytes").dialect().receive(query) == b":190304FFFFFCE006\r\n"


def test_thermocouple_as_printed() -> None:
    freezer = made()
    freezer.panel.values["tc2"] = 23.410591
    assert freezer.dialect().receive(b":190304CC000212\r\n") == b":19030441BB48E4B4\r\n"


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        (b":190304C8000216\r\n", b":19830262\r\n"),  # TC1 is in no table
        (b":190305300001AE\r\n", b":19830262\r\n"),  # half a value
        (b":190604CC000110\r\n", b":19860160\r\n"),  # writes are refused
        (b":190305300002AE\r\n", b""),  # wrong LRC
        (b":180305300002AE\r\n", b""),  # another unit
        (b":1903\r\n", b""),
        (b"hello\r\n", b""),
    ],
)
def test_what_it_does_not_know(query: bytes, answer: bytes) -> None:
    freezer = made()
    assert freezer.dialect().receive(query) == answer
    assert freezer.cabinet.setpoint_c == -80.0


def test_pieces_and_endless_lines() -> None:
    dialect = made().dialect()
    assert dialect.receive(b":19030530") + dialect.receive(b"0002AD\r\n") == b":190304FFFFFCE002\r\n"
    dialect.receive(b"x" * 1000)
    assert dialect.receive(b":1903059C000142\r\n") == b":19030204DE\r\n"


def test_holds_its_temperature_for_a_day() -> None:
    freezer = made()
    for _ in range(24 * 60):
        freezer.step(60.0)
        assert -82.0 < freezer.cabinet.temperature_c < -78.0


def test_warms_without_mains_and_recovers() -> None:
    freezer = made()
    freezer.upset("mains", True)
    freezer.step(6 * 3600.0)
    assert -60.0 < freezer.cabinet.temperature_c < -40.0
    assert freezer.dialect().receive(b":1903066F00016E\r\n") == b":19030203DF\r\n"
    freezer.upset("mains", False)
    freezer.step(12 * 3600.0)
    assert freezer.cabinet.temperature_c == pytest.approx(-80.0, abs=1.5)


def test_an_open_door_warms_and_is_told() -> None:
    freezer = made()
    freezer.cabinet.open_door(120.0)
    assert freezer.dialect().receive(b":1903067000026C\r\n") == b":19030400000200DA\r\n"
    freezer.step(120.0)
    assert freezer.cabinet.temperature_c > -75.0
    assert freezer.dialect().receive(b":1903067000026C\r\n") == b":19030400000000DC\r\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [({"unit_id": 300}, "0..255"), ({"count": "x"}, "printed"), ({"status_address": "x"}, "frame")],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(SimulatorError, match=message):
        made(**options)


def test_only_mains_can_fail() -> None:
    with pytest.raises(SimulatorError, match="can only lose its mains"):
        made().upset("co2_supply", True)
