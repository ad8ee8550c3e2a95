from __future__ import annotations

import numpy as np
import pytest

from cultureops_simulators.instrument import SimulatorError
from cultureops_simulators.thermo_cytomat import Cytomat, build

READY, BUSY = 0x02, 0x01


@pytest.fixture
def cytomat() -> Cytomat:
    device = build("cytomat_1", {"slots": "10", "plates": "3"}, np.random.default_rng(5))
    ask(device, "ll:in")
    device.step(60.0)
    return device


def ask(device: Cytomat, command: str) -> str:
    answer = device.dialect().receive(command.encode() + b"\r")
    assert answer.endswith(b"\r") and answer.count(b"\r") == 1
    return answer[:-1].decode()


def do(device: Cytomat, command: str, within_s: int = 120) -> None:
    """Carry out a movement second by second until it is no longer busy."""
    assert ask(device, command).startswith("ok ")
    for _ in range(within_s):
        if not int(ask(device, "ch:bs")[3:], 16) & BUSY:
            return
        device.step(1.0)
    raise AssertionError(f"{command} did not end")


def test_it_is_ready_only_when_initialised() -> None:
    device = build("cytomat_1", {}, np.random.default_rng(5))
    assert ask(device, "ch:bs") == "bs 00"
    assert ask(device, "ll:in") == "ok 01"
    assert ask(device, "ch:ba") == "ba 2A"  # at init position: retracting
    device.step(5.0)
    assert ask(device, "ch:bs") == "bs 01"
    device.step(30.0)
    assert ask(device, "ch:bs") == "bs 02"


def test_climate_is_nominal_then_actual(cytomat: Cytomat) -> None:
    cytomat.panel.values.update(temperature=36.9, co2=4.9, humidity=94.2, o2=18.6)
    assert ask(cytomat, "ch:it") == "it +37.0 +36.9"
    assert ask(cytomat, "ch:ic") == "ic +05.0 +04.9"
    assert ask(cytomat, "ch:ih") == "ih +95.0 +94.2"
    assert ask(cytomat, "ch:io") == "io +20.9 +18.6"
    assert ask(cytomat, "ll:it 33.5") == "ok 02"
    assert ask(cytomat, "ch:it").startswith("it +33.5 ")
    assert cytomat.chamber.temperature_setpoint_c == 33.5


@pytest.mark.parametrize("end", [b"\r", b"\r\n"])
def test_both_line_ends(cytomat: Cytomat, end: bytes) -> None:
    dialect = cytomat.dialect()
    assert dialect.receive(b"ch:bs" + end + b"ch:be" + end) == b"bs 02\rbe 00\r"
    assert dialect.receive(b"ch:") + dialect.receive(b"bs" + end) == b"bs 02\r"


def test_a_plate_goes_out_and_in_again(cytomat: Cytomat) -> None:
    do(cytomat, "mv:st 002")
    assert cytomat.truth()["plates"] == [1, 3]
    assert ask(cytomat, "ch:bs") == "bs 82" and ask(cytomat, "ch:sw") == "sw 110"
    do(cytomat, "mv:ts 007")
    assert cytomat.truth()["plates"] == [1, 3, 7] and ask(cytomat, "ch:bs") == "bs 02"


def test_the_gate_opens_while_a_plate_passes_it(cytomat: Cytomat) -> None:
    ask(cytomat, "mv:st 001")
    seen = set()
    while (overview := int(ask(cytomat, "ch:bs")[3:], 16)) & BUSY:
        seen.add(overview)
        cytomat.step(0.5)
    assert {0x01, 0x11, 0x31, 0xA1} <= seen  # underway, plate on shovel, gate open too, plate put down


def test_part_ways(cytomat: Cytomat) -> None:
    do(cytomat, "mv:sw 001")
    assert ask(cytomat, "ch:bs") == "bs 12"
    do(cytomat, "mv:wh")
    assert ask(cytomat, "mv:wt") == "er 11"
    do(cytomat, "mv:hs 009")
    do(cytomat, "mv:sh 009")
    do(cytomat, "mv:hw")
    do(cytomat, "mv:wt")
    do(cytomat, "mv:tw")
    do(cytomat, "mv:ws 001")
    assert cytomat.truth()["plates"] == [1, 2, 3] and ask(cytomat, "ch:bs") == "bs 02"


@pytest.mark.parametrize(
    "command", ["ll:wp", "ll:h+ 003", "ll:h- 003", "ll:dp 000", "ll:xp 004", "mv:sc", "mv:sn 001 004"]
)
def test_other_movements(cytomat: Cytomat, command: str) -> None:
    do(cytomat, command)
    assert ask(cytomat, "ch:bs") == "bs 02"


def test_gate_and_shovel(cytomat: Cytomat) -> None:
    do(cytomat, "ll:dp 000")
    assert ask(cytomat, "ll:sp 002") == "er 42"
    do(cytomat, "ll:gp 002")
    assert ask(cytomat, "ch:bs") == "bs 22"
    do(cytomat, "ll:sp 002")
    assert ask(cytomat, "ll:dp 001") == "er 11"
    do(cytomat, "ll:sp 001")
    do(cytomat, "ll:gp 001")
    assert ask(cytomat, "ch:bs") == "bs 02"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("mv:ts 001", "er 31"),
        ("mv:tw", "er 31"),
        ("mv:wt", "er 22"),
        ("mv:ws 001", "er 22"),
        ("mv:hw", "er 11"),
        ("mv:st 011", "er 05"),
        ("mv:st 000", "er 05"),
        ("mv:st", "er 04"),
        ("mv:st 1", "er 04"),
        ("ll:gp 003", "er 04"),
        ("ll:it 370", "er 04"),
        ("mv:sn 004 001", "er 04"),
        ("ch:bs 1", "er 04"),
        ("ch:zz", "er 02"),
        ("xx:yy", "er 02"),
        ("ll:tp 001", "er 02"),
        ("hello", "er 03"),
        ("CH:BS", "er 03"),
        ("", "er 03"),
        ("ll:va", "er 61"),
    ],
)
def test_refusals(cytomat: Cytomat, command: str, answer: str) -> None:
    assert ask(cytomat, command) == answer
    assert ask(cytomat, "ch:bs") == "bs 02"


def test_busy_refuses_actions_and_answers_questions(cytomat: Cytomat) -> None:
    ask(cytomat, "mv:st 001")
    assert ask(cytomat, "mv:st 002") == "er 01" and ask(cytomat, "ll:it 30.0") == "er 01"
    assert ask(cytomat, "ch:it").startswith("it +37.0 ")


def test_an_empty_slot_is_an_error_that_lasts_until_it_is_reset(cytomat: Cytomat) -> None:
    do(cytomat, "mv:st 009")
    assert ask(cytomat, "ch:be") == "be 02" and ask(cytomat, "ch:bs") == "bs 08"
    assert ask(cytomat, "rs:be") == "ok 02" and ask(cytomat, "ch:be") == "be 00"
    do(cytomat, "mv:sw 001")
    do(cytomat, "mv:ws 002")
    assert ask(cytomat, "ch:be") == "be 03" and cytomat.truth()["shovel_occupied"]


def test_an_open_door_is_seen_and_warned_of(cytomat: Cytomat) -> None:
    cytomat.chamber.open_door(200.0)
    assert ask(cytomat, "ll:in") == "ok 45"
    cytomat.step(60.0)
    assert ask(cytomat, "ch:bs") == "bs 46" and ask(cytomat, "ch:bw") == "bw 09"


def test_shakers(cytomat: Cytomat) -> None:
    assert ask(cytomat, "ll:vi") == "ok 02"
    assert ask(cytomat, "se:pb 20 0250") == "ok 02" and ask(cytomat, "ch:pb 20") == "pb 0250"
    assert ask(cytomat, "se:pb 22 0250") == "er 04"
    ask(cytomat, "ll:va")
    assert cytomat.truth()["shaking"] == [True, True]
    ask(cytomat, "ll:vd 001")
    assert cytomat.truth()["shaking"] == [False, True]


def test_a_line_that_never_ends_is_forgotten(cytomat: Cytomat) -> None:
    dialect = cytomat.dialect()
    assert dialect.receive(b"x" * 5000) == b""
    assert dialect.receive(b"ch:be\r") == b"be 00\r"


@pytest.mark.parametrize(("key", "value"), [("slots", 0), ("slots", "x"), ("plates", 43)])
def test_impossible_options(key: str, value: object) -> None:
    with pytest.raises(SimulatorError, match=f"cytomat_1: {key} must be"):
        build("cytomat_1", {key: value}, np.random.default_rng(5))
