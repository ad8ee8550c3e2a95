from __future__ import annotations

import numpy as np
import pytest

from cultureops_simulators.instrument import SimulatorError
from cultureops_simulators.liconic_stx import LiconicStx, build


class Line:
    """An open dialogue."""

    def __init__(self, device: LiconicStx) -> None:
        self._dialect = device.dialect()
        assert self.ask("CR") == "CC"

    def ask(self, command: str) -> str:
        answer = self._dialect.receive(command.encode() + b"\r")
        assert answer.endswith(b"\r\n") and answer.count(b"\n") == 1
        return answer[:-2].decode()

    def go_to(self, cassette: int, level: int) -> None:
        assert [self.ask(f"WR DM0 {cassette}"), self.ask(f"WR DM5 {level}")] == ["OK", "OK"]


@pytest.fixture
def stx() -> LiconicStx:
    device = build("stx_1", {"cassettes": 2, "levels": "5", "plates": 3}, np.random.default_rng(5))
    device.handler.activate()
    return device


@pytest.fixture
def line(stx: LiconicStx) -> Line:
    return Line(stx)


def test_nothing_is_understood_outside_a_dialogue(stx: LiconicStx) -> None:
    dialect = stx.dialect()
    assert dialect.receive(b"RD 1915\r") == b"E1\r\n"
    assert dialect.receive(b"C") + dialect.receive(b"R\rRD 1915\r") == b"CC\r\n1\r\n"
    assert dialect.receive(b"CQ\r") == b"CF\r\n"
    assert dialect.receive(b"RD 1915\r") == b"E1\r\n"
    assert stx.dialect().receive(b"RD 1915\r") == b"E1\r\n"


def test_climate(stx: LiconicStx, line: Line) -> None:
    stx.panel.values.update(temperature=37.3, humidity=90.1, co2=5.02, gas_1=18.5)
    asked = [line.ask(f"RD DM{memory}") for memory in (982, 890, 983, 893, 984, 894, 985, 895)]
    assert asked == ["00373", "00370", "00901", "00940", "00502", "00500", "01850", "02100"]
    assert line.ask("WR DM890 00335") == "OK" and line.ask("WR DM894 00700") == "OK"
    assert stx.chamber.temperature_setpoint_c == 33.5 and stx.chamber.co2_setpoint_pct == 7.0
    assert line.ask("WR DM893 00800") == "OK" and line.ask("RD DM893") == "00800"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("RD DM986", "E0"),
        ("RD DM1", "E0"),
        ("RD 1910", "E0"),
        ("ST 1999", "E0"),
        ("WR DM982 00400", "E4"),
        ("WR DM200 00000", "E4"),
        ("ST 1915", "E4"),
        ("WR DM890 70000", "E1"),
        ("WR DM890", "E1"),
        ("rd 1915", "E1"),
        ("hello", "E1"),
        ("", "E1"),
    ],
)
def test_refusals(line: Line, command: str, answer: str) -> None:
    assert line.ask(command) == answer


def test_it_is_ready_once_initialised_and_activated() -> None:
    device = build("stx_1", {}, np.random.default_rng(5))
    line = Line(device)
    assert line.ask("RD 1915") == "0"
    assert line.ask("ST 1900") == "OK" and line.ask("ST 1801") == "OK" and line.ask("RD 1915") == "0"
    device.step(11.0)
    assert line.ask("RD 1915") == "1"


def test_a_plate_goes_out_and_in_again(stx: LiconicStx, line: Line) -> None:
    line.go_to(1, 2)
    assert line.ask("ST 1905") == "OK" and line.ask("RD 1915") == "0" and line.ask("RD 1914") == "0"
    stx.step(15.0)
    assert [line.ask(f"RD {relay}") for relay in (1915, 1914, 1813, 1812)] == ["1", "1", "1", "0"]
    assert line.ask("ST 1903") == "OK" and line.ask("RD 1914") == "0"
    line.go_to(2, 5)
    line.ask("ST 1904")
    stx.step(15.0)
    assert stx.truth()["plates"] == [[1, 1], [1, 3], [2, 5]] and line.ask("RD 1813") == "0"


def test_by_way_of_the_shovel(stx: LiconicStx, line: Line) -> None:
    line.go_to(1, 1)
    for relay in (1908, 1906, 1907, 1909):
        assert line.ask(f"ST {relay}") == "OK"
        stx.step(15.0)
        assert line.ask("RD 1814") == "0"
    assert stx.truth()["plates"] == [[1, 1], [1, 2], [1, 3]]


@pytest.mark.parametrize(
    ("cassette", "level", "relay", "code"),
    [(3, 1, 1905, "00010"), (1, 6, 1905, "00012"), (0, 1, 1905, "00010"), (1, 5, 1905, "00013"), (1, 5, 1904, "00013")],
)
def test_errors(stx: LiconicStx, line: Line, cassette: int, level: int, relay: int, code: str) -> None:
    line.go_to(cassette, level)
    assert line.ask(f"ST {relay}") == "OK"
    stx.step(15.0)
    assert [line.ask("RD 1814"), line.ask("RD DM200"), line.ask("RD 1915")] == ["1", code, "0"]
    line.ask("ST 1900")
    line.ask("ST 1801")
    stx.step(15.0)
    assert [line.ask("RD 1814"), line.ask("RD DM200"), line.ask("RD 1915")] == ["0", "00000", "1"]


def test_gate_swap_and_shaker(stx: LiconicStx, line: Line) -> None:
    line.ask("ST 1901")
    stx.step(5.0)
    assert stx.truth()["gate_open"]
    line.ask("ST 1902")
    stx.step(5.0)
    assert not stx.truth()["gate_open"]
    assert line.ask("ST 1913") == "OK" and line.ask("RD 1913") == "1" and stx.truth()["shaking"]
    assert line.ask("RS 1913") == "OK" and line.ask("RD 1913") == "0"
    assert line.ask("WR DM39 00100") == "OK" and line.ask("RD DM39") == "00100"
    assert line.ask("ST 1912") == "OK" and line.ask("RD 1912") == "1"


def test_a_line_that_never_ends_is_forgotten(stx: LiconicStx) -> None:
    dialect = stx.dialect()
    assert dialect.receive(b"x" * 5000) == b""
    assert dialect.receive(b"CR\r") == b"CC\r\n"


@pytest.mark.parametrize(("key", "value"), [("cassettes", 0), ("levels", "x"), ("plates", 45)])
def test_impossible_options(key: str, value: object) -> None:
    with pytest.raises(SimulatorError, match=f"stx_1: {key} must be"):
        build("stx_1", {key: value}, np.random.default_rng(5))
