"""Every fault over a real socket and a real terminal."""

from __future__ import annotations

import os
import select
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

READ_ALL = bytes.fromhex("0001 0000 0006 01 04 0000 0010")
READ_TEMPERATURE = bytes.fromhex("0002 0000 0006 01 04 0000 0002")
HERACELL_TEMPERATURE = b"?:2010:00::c3\r"
TEMPERATURE_REPLY = 45


def temperature(fleet: Any, connection: Any) -> float:
    connection.sendall(READ_TEMPERATURE)
    answer = connection.recv(13)
    assert len(answer) == 13 and answer[:9] == bytes.fromhex("0002 0000 0007 01 04 04")
    (value,) = struct.unpack(">f", answer[9:])
    return float(value)


def nothing_comes(fd: int, within_s: float) -> bool:
    return not select.select([fd], [], [], within_s)[0]


def test_silent(fleet: Any) -> None:
    connection = fleet.connect("incubator_1")
    fleet.do("fault", device="incubator_1", fault="silent")
    connection.sendall(READ_ALL)
    assert nothing_comes(connection.fileno(), 0.15)
    fleet.do("clear", device="incubator_1")
    assert nothing_comes(connection.fileno(), 0.05)
    assert temperature(fleet, connection) == pytest.approx(37.0, abs=0.3)


def test_slow_delays_the_reply_by_real_seconds(fleet: Any) -> None:
    connection = fleet.connect("incubator_1")
    fleet.do("fault", device="incubator_1", fault="slow", args={"delay_s": 0.2})
    sent = time.monotonic()
    temperature(fleet, connection)
    assert 0.19 < time.monotonic() - sent < 1.0
    connection.sendall(READ_ALL)
    connection.close()  # a late reply finds nobody and disturbs no one
    fleet.do("clear", device="incubator_1")
    sent = time.monotonic()
    temperature(fleet, fleet.connect("incubator_1"))
    assert time.monotonic() - sent < 0.15


def test_garbage(fleet: Any) -> None:
    connection = fleet.connect("incubator_1")
    connection.sendall(READ_ALL)
    good = connection.recv(100)
    fleet.do("fault", device="incubator_1", fault="garbage")
    answers = set()
    for _ in range(3):
        connection.sendall(READ_ALL)
        answers.add(connection.recv(100))
    assert len(answers) == 3 and good not in answers and {len(answer) for answer in answers} == {len(good)}
    fleet.do("clear", device="incubator_1")
    connection.sendall(READ_ALL)
    assert connection.recv(100) == good


def test_stuck_keeps_one_channel_while_others_go_on(fleet: Any) -> None:
    connection = fleet.connect("incubator_1")
    before = temperature(fleet, connection)
    fleet.do("fault", device="incubator_1", fault="stuck", args={"channel": "temperature"})
    fleet.do("act", act="door", chamber="incubator_1", open_s=300)
    fleet.step(5)
    assert temperature(fleet, connection) == before
    shown = fleet.do("truth")["devices"]["incubator_1"]["shown"]
    assert shown["co2"] < 1.0
    fleet.do("clear", device="incubator_1")
    fleet.step(1)
    assert temperature(fleet, connection) < before - 2.0


def test_drift(fleet: Any) -> None:
    connection = fleet.connect("incubator_1")
    fleet.do("fault", device="incubator_1", fault="drift", args={"channel": "temperature", "per_hour": -1.5})
    fleet.step(120)
    assert temperature(fleet, connection) == pytest.approx(34.0, abs=0.3)
    assert fleet.do("truth")["devices"]["incubator_1"]["temperature_c"] == pytest.approx(37.0, abs=0.01)
    fleet.do("clear", device="incubator_1")
    fleet.step(1)
    assert temperature(fleet, connection) == pytest.approx(37.0, abs=0.3)


def test_force_shows_a_value_on_the_wire_and_leaves_the_chamber_alone(fleet: Any) -> None:
    connection = fleet.connect("incubator_1")
    forced = {"device": "incubator_1", "fault": "force"}
    fleet.do("fault", **forced, args={"channel": "temperature", "value": 39.25})
    fleet.step(1)
    assert temperature(fleet, connection) == 39.25
    fleet.do("fault", **forced, args={"channel": "temperature", "value": -80})
    fleet.do("fault", **forced, args={"channel": "door", "value": 1})
    fleet.step(60)
    assert temperature(fleet, connection) == -80.0
    truth = fleet.do("truth")["devices"]["incubator_1"]
    assert truth["shown"]["door"] == 1.0 and truth["door_open"] is False
    assert truth["temperature_c"] == pytest.approx(37.0, abs=0.01)
    assert truth["shown"]["co2"] == pytest.approx(5.0, abs=0.3)
    fleet.do("clear", device="incubator_1")
    fleet.step(1)
    assert temperature(fleet, connection) == pytest.approx(37.0, abs=0.3)


def test_force_wins_over_stuck_and_drift(fleet: Any) -> None:
    connection = fleet.connect("incubator_1")
    for fault, args in (("stuck", {}), ("drift", {"per_hour": 60.0}), ("force", {"value": 36.5})):
        fleet.do("fault", device="incubator_1", fault=fault, args={"channel": "temperature", **args})
    fleet.step(5)
    assert temperature(fleet, connection) == 36.5


def test_co2_supply_fails_and_returns(fleet: Any) -> None:
    fleet.do("fault", device="heracell_4", fault="co2_supply")
    fleet.step(60)
    truth = fleet.do("truth")["devices"]
    assert 2.0 < truth["heracell_4"]["co2_pct"] < 3.5
    assert truth["probe_4"]["shown"]["co2_ppm"] == pytest.approx(1e4 * truth["heracell_4"]["co2_pct"], abs=1500)
    assert truth["incubator_1"]["co2_pct"] == pytest.approx(5.0, abs=0.01)
    fleet.do("clear", device="heracell_4")
    fleet.step(20)
    assert fleet.do("truth")["devices"]["heracell_4"]["co2_pct"] > 4.9


@pytest.mark.parametrize("with_uvloop", [True, False])
def test_cut_tcp_hangs_up_refuses_and_returns_on_the_same_port(
    start_fleet: Callable[..., Any], with_uvloop: bool
) -> None:
    fleet = start_fleet(with_uvloop=with_uvloop)
    connection = fleet.connect("incubator_1")
    temperature(fleet, connection)
    for _ in range(2):
        fleet.do("fault", device="incubator_1", fault="cut")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                fleet.connect("incubator_1")
        fleet.do("clear", device="incubator_1")
        connection = fleet.connect("incubator_1")
        assert temperature(fleet, connection) == pytest.approx(37.0, abs=0.3)


@pytest.mark.parametrize("with_uvloop", [True, False])
def test_cut_terminal_hangs_up_vanishes_and_returns_under_the_same_path(
    start_fleet: Callable[..., Any], open_terminal: Callable[[str], Any], with_uvloop: bool
) -> None:
    fleet = start_fleet(with_uvloop=with_uvloop)
    path = fleet.devices["heracell_4"]["pty"]
    terminal = open_terminal(path)
    for _ in range(2):
        terminal.send(HERACELL_TEMPERATURE)
        assert terminal.receive(TEMPERATURE_REPLY).startswith(b"!:2010:1f:+037.00;")
        fleet.do("fault", device="heracell_4", fault="cut")
        assert terminal.receive(1, deadline_s=0.3) == b""
        with pytest.raises(OSError):
            terminal.send(b"x")
        assert not os.path.lexists(path)
        fleet.do("clear", device="heracell_4")
        terminal = open_terminal(path)


def test_wire_faults_on_a_terminal(fleet: Any, open_terminal: Callable[[str], Any]) -> None:
    terminal = open_terminal(fleet.devices["heracell_4"]["pty"])
    fleet.do("fault", device="heracell_4", fault="silent")
    terminal.send(HERACELL_TEMPERATURE)
    assert terminal.receive(1, deadline_s=0.1) == b""
    fleet.do("fault", device="heracell_4", fault="garbage")
    terminal.send(HERACELL_TEMPERATURE)
    garbage = terminal.receive(TEMPERATURE_REPLY)
    assert len(garbage) == TEMPERATURE_REPLY and not garbage.startswith(b"!:2010")
    fleet.do("fault", device="heracell_4", fault="slow", args={"delay_s": 0.1})
    terminal.send(HERACELL_TEMPERATURE)
    assert terminal.receive(1, deadline_s=0.05) == b""
    assert terminal.receive(TEMPERATURE_REPLY).startswith(b"!:2010")


def test_a_terminal_survives_being_closed_and_flooded(fleet: Any, open_terminal: Callable[[str], Any]) -> None:
    path = fleet.devices["probe_4"]["pty"]
    os.close(os.open(path, os.O_RDWR | os.O_NOCTTY))
    terminal = open_terminal(path)
    for _ in range(20):
        terminal.send(bytes(range(256)))
        terminal.receive(1, deadline_s=0.005)
    terminal.send(bytes.fromhex("f00300000002d12a"))
    assert terminal.receive(9)[:3] == bytes.fromhex("f00304")


def test_replies_nobody_reads_do_not_stop_the_fleet(fleet: Any, open_terminal: Callable[[str], Any]) -> None:
    terminal = open_terminal(fleet.devices["heracell_4"]["pty"])
    for _ in range(400):  # the kernel keeps about 4 KiB of replies, these are 18
        terminal.send(HERACELL_TEMPERATURE)
        fleet.do("step", dt_s=1.0)
    while terminal.receive(4096, deadline_s=0.05):
        pass
    terminal.send(HERACELL_TEMPERATURE)
    assert terminal.receive(TEMPERATURE_REPLY).startswith(b"!:2010:1f:")


@pytest.mark.parametrize(
    ("request_fields", "error"),
    [
        ({"device": "nobody", "fault": "silent"}, "device 'nobody' is not in the fleet"),
        ({"device": "counter_1", "fault": "cut"}, "counter_1: fault cut needs a wire"),
        ({"device": "mve_1", "fault": "fire"}, "mve_1: fault 'fire' is unknown; expected one of silent"),
        ({"device": "mve_1", "fault": "co2_supply"}, "mve_1: an MVE can only lose its ln2_supply"),
        ({"device": "mve_1", "fault": "stuck", "args": {"channel": "level"}}, "mve_1: channel 'level' is not shown"),
        ({"device": "mve_1", "fault": "drift", "args": {"channel": "temp_a"}}, "per_hour must be a number"),
        (
            {"device": "mve_1", "fault": "force", "args": {"channel": "level", "value": 1}},
            "channel 'level' is not shown",
        ),
        ({"device": "mve_1", "fault": "force", "args": {"channel": "temp_a"}}, "value must be a number"),
        (
            {"device": "mve_1", "fault": "force", "args": {"channel": "temp_a", "value": "1e3"}},
            "value must be a number",
        ),
        ({"device": "mve_1", "fault": "slow", "args": {"delay_s": -1}}, "delay_s must be above 0"),
    ],
)
def test_impossible_faults_are_refused_in_one_line(fleet: Any, request_fields: dict[str, Any], error: str) -> None:
    reply = fleet.ask("fault", **request_fields)
    assert reply["ok"] is False and error in reply["error"] and "\n" not in reply["error"]


def test_a_given_link_is_left_nowhere_behind(fleet: Any) -> None:
    given, private = Path(fleet.devices["heracell_4"]["pty"]), Path(fleet.devices["probe_4"]["pty"])
    assert given.is_symlink() and private.is_symlink()
    assert fleet.end() == 0
    assert not os.path.lexists(given) and not private.parent.exists()
