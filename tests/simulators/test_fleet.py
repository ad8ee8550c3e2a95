from __future__ import annotations

import ast
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cultureops_simulators
from cultureops_simulators.catalog import BUILT_IN, find_build
from cultureops_simulators.fleet import parse_fleet
from cultureops_simulators.instrument import SimulatorError

READS = {
    "incubator_1": bytes.fromhex("0001 0000 0006 01 04 0000 0010"),
    "cryostore_2": bytes.fromhex("0001 0000 0006 01 04 0000 000c"),
    "mve_1": b"TEMPA?\r\n",
}
SEED = {
    "act": "seed",
    "culture": "B1-P0",
    "chamber": "incubator_1",
    "cells": 3.6e7,
    "n_vessels": 12,
    "area_cm2": 175,
    "passage": 0,
}


def play(fleet: Any, open_terminal: Callable[[str], Any]) -> list[object]:
    """One script of steps, requests, faults and acts; returns everything the fleet said."""
    said: list[object] = []
    connections = {name: fleet.connect(name) for name in READS}
    heracell, probe = (open_terminal(fleet.devices[name]["pty"]) for name in ("heracell_4", "probe_4"))
    said.append(fleet.do("act", **SEED))
    for minute in range(60):
        said.append(fleet.do("step", dt_s=60.0))
        for name, request in READS.items():
            connections[name].sendall(request)
            said.append(connections[name].recv(300))
        heracell.send(b"?:2020:00::c0\r")
        said.append(heracell.receive(45))
        probe.send(bytes.fromhex("f00300000002d12a"))
        said.append(probe.receive(9))
        if minute == 20:
            fleet.do("fault", device="incubator_1", fault="garbage")
        if minute == 25:
            fleet.do("clear", device="incubator_1")
            fleet.do("act", act="door", chamber="incubator_1", open_s=45)
        said.append(fleet.do("act", act="look", culture="B1-P0"))
    fleet.do("act", act="harvest", culture="B1-P0", volume_ml=10)
    counted = fleet.do("act", act="count", culture="B1-P0", sample_id="B1-P0-H", counter="counter_1")
    said.append(Path(counted["file"]).read_bytes())
    said.append(fleet.do("truth"))
    return said


def test_one_seed_gives_identical_bytes_and_another_seed_others(
    start_fleet: Callable[..., Any], open_terminal: Callable[[str], Any]
) -> None:
    told = []
    for seed in (7, 7, 8):
        fleet = start_fleet(seed=seed)
        told.append(play(fleet, open_terminal))
        fleet.end()
    assert told[0] == told[1]
    assert told[0] != told[2]


def test_reading_draws_no_noise(start_fleet: Callable[..., Any]) -> None:
    quiet = start_fleet()
    quiet.step(5)
    expected = quiet.do("truth")["devices"]["mve_1"]
    quiet.end()
    asked = start_fleet()
    connection = asked.connect("mve_1")
    for _ in range(5):
        for _ in range(3):
            connection.sendall(READS["mve_1"])
            connection.recv(100)
        asked.step(1)
    assert asked.do("truth")["devices"]["mve_1"] == expected


def test_a_new_instrument_changes_no_other_s_noise(
    start_fleet: Callable[..., Any], devices: list[dict[str, Any]]
) -> None:
    with_all = start_fleet()
    with_all.step(3)
    expected = with_all.do("truth")["devices"]["cryostore_2"]
    with_all.end()
    devices[:] = [device for device in devices if device["name"] == "cryostore_2"]
    alone = start_fleet()
    alone.step(3)
    assert alone.do("truth")["devices"]["cryostore_2"] == expected


def test_a_technician_takes_a_primary_culture_to_80_pct_and_counts_it(fleet: Any) -> None:
    fleet.do("act", **SEED)
    seen = []
    for day in range(14):
        fleet.step(24 * 60)
        if day % 3 == 2:
            fleet.do("act", act="feed", culture="B1-P0")
        seen.append(fleet.do("act", act="look", culture="B1-P0")["confluence_pct"])
        if seen[-1] >= 80:
            break
    assert 9 <= len(seen) <= 12 and seen[0] < 10
    fleet.do("act", act="move", culture="B1-P0", chamber="heracell_4")
    assert fleet.do("truth")["cultures"]["B1-P0"]["chamber"] == "heracell_4"
    fleet.do("act", act="harvest", culture="B1-P0", volume_ml=30)
    counted = fleet.do("act", act="count", culture="B1-P0", sample_id="B1-P0-H", counter="counter_1")
    values = Path(counted["file"]).read_text(encoding="utf-8").splitlines()[1].split(",")
    assert float(values[4]) * 30 == pytest.approx(12 * 5.2, rel=0.25)
    assert 95.0 <= float(values[5]) <= 98.5
    again = {**SEED, "culture": "B1-P1", "cells": 4000 * 175 * 4, "n_vessels": 4, "passage": 1}
    fleet.do("act", **again)
    fleet.do("act", act="discard", culture="B1-P0")
    assert list(fleet.do("truth")["cultures"]) == ["B1-P1"]


def test_lid_and_fill(fleet: Any) -> None:
    fleet.do("act", act="lid", device="cryostore_2", open_s=600)
    fleet.do("act", act="fill", device="mve_1")
    fleet.step(5)
    truth = fleet.do("truth")["devices"]
    assert truth["cryostore_2"]["shown"]["lid"] == 1 and truth["cryostore_2"]["shown"]["temp_b"] > -180.0
    assert truth["mve_1"]["shown"]["fill"] == 1


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"\x00\xff\xfe", "expected one JSON object"),
        (b"[1, 2]", "expected a JSON object"),
        (b"[" * 5000, "expected one JSON object"),
        (b'{"cmd": "fly"}', "cmd must be one of step, fault, clear, act, truth"),
        (b'{"cmd": "step"}', "dt_s must be a number"),
        (b'{"cmd": "step", "dt_s": NaN}', "dt_s must be a number"),
        (b'{"cmd": "step", "dt_s": -1}', "dt_s must be above 0"),
        (b'{"cmd": "step", "dt_s": true}', "dt_s must be a number"),
        (b'{"cmd": "act", "act": "dance"}', "act 'dance': expected one of seed"),
        (b'{"cmd": "act", "act": "look", "culture": "B9"}', "act look: culture 'B9' is not growing"),
        (b'{"cmd": "act", "act": "door", "chamber": "mve_1", "open_s": 1}', "chamber 'mve_1' is no incubator"),
        (b'{"cmd": "act", "act": "lid", "device": "incubator_1", "open_s": 1}', "is no cryostore"),
        (b'{"cmd": "act", "act": "feed", "culture": "B1", "medium": 1}', "unknown field 'medium'"),
        (b'{"cmd": "clear"}', "device must be a text"),
    ],
)
def test_control_refuses_in_one_line_and_lives_on(fleet: Any, line: bytes, error: str) -> None:
    reply = fleet.send_line(line)
    assert reply["ok"] is False and error in reply["error"] and "\n" not in reply["error"]
    assert fleet.do("step", dt_s=1.0)["t_s"] == 1.0


def test_control_survives_a_line_without_end_and_a_lost_client(fleet: Any) -> None:
    host, port = fleet.control.getpeername()
    rude = fleet.dial(f"{host}:{port}")
    rude.sendall(b"x" * 200_000)
    assert b"thrown away" in rude.recv(1000)
    rude.close()
    assert fleet.do("step", dt_s=1.0)["t_s"] == 1.0


def test_a_culture_cannot_be_seeded_twice_nor_counted_before_harvest(fleet: Any) -> None:
    fleet.do("act", **SEED)
    assert "exists already" in fleet.ask("act", **SEED)["error"]
    count = {"act": "count", "culture": "B1-P0", "sample_id": "s", "counter": "counter_1"}
    assert "harvest it first" in fleet.ask("act", **count)["error"]
    assert "do not find room" in fleet.ask("act", **{**SEED, "culture": "B2-P1", "passage": 1, "cells": 1e9})["error"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_the_fleet_cleanly(fleet: Any, number: signal.Signals) -> None:
    fleet.process.send_signal(number)
    assert fleet.process.wait(5.0) == 0


def test_the_fleet_ends_when_its_parent_is_killed(tmp_path: Path, devices: list[dict[str, Any]]) -> None:
    config = tmp_path / "fleet.json"
    config.write_text(json.dumps({"devices": devices}))
    program = (
        "import subprocess, sys, time\n"
        "fleet = subprocess.Popen([sys.executable, '-m', 'cultureops_simulators', 'fleet', '--config', sys.argv[1]],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "fleet.stdout.readline()\n"
        "print(fleet.pid, flush=True)\n"
        "time.sleep(30)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(config)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not _is_alive(pid):
            return
        time.sleep(0.03)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the fleet outlived its parent")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"devices": []}, "devices must be a list with at least one device"),
        ({"sed": 1}, "unknown field 'sed'"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"start": "yesterday"}, "expected an ISO 8601 time"),
        ({"start": "2026-01-05T08:00:00"}, "lacks its time zone"),
        ({"devices": [{"name": "a", "kind": "toaster"}]}, "kind 'toaster' is unknown; expected one of"),
        ({"devices": [{"name": "a", "kind": "mve_tec3000"}]}, "a: a mve_tec3000 takes wire pty or tcp, got none"),
        ({"devices": [{"name": "a", "kind": "mve_tec3000", "wire": {"tcp": "here"}}]}, "expected HOST:PORT"),
        ({"devices": [{"name": "a", "kind": "mve_tec3000", "wire": {"usb": 1}}]}, "wire must be"),
        (
            {"devices": [{"name": "a", "kind": "virtual_incubator", "wire": {"tcp": "127.0.0.1:0"}}]},
            "a: option profile is missing",
        ),
        (
            {"devices": [{"name": "a", "kind": "vaisala_gmp252", "wire": {"pty": None}, "options": {"inside": "b"}}]},
            "a: option inside: 'b' is no incubator of this fleet",
        ),
        ({"devices": [{"name": "a", "kind": "vicell_blu", "options": {}}]}, "a: option folder is missing"),
        ({"devices": [{"name": "a", "kind": "mve_tec3000", "wire": {"tcp": "127.0.0.1:0"}}] * 2}, "two devices are"),
        ({"devices": [{"name": "a", "kind": "mve_tec3000", "wire": {"tcp": "192.0.2.1:0"}}]}, "cannot listen on"),
    ],
)
def test_a_wrong_configuration_is_one_line_and_exit_code_2(tmp_path: Path, change: dict[str, Any], error: str) -> None:
    config = tmp_path / "fleet.json"
    config.write_text(json.dumps({"devices": [{"name": "a", "kind": "vicell_blu"}], **change}))
    ended = _run("fleet", "--config", str(config))
    assert ended.returncode == 2 and ended.stdout == ""
    assert error in ended.stderr and ended.stderr.count("\n") == 1


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cultureops_simulators", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10.0, check=False)


def test_a_profile_with_an_unknown_point_is_refused(tmp_path: Path) -> None:
    profile = tmp_path / "map.toml"
    profile.write_text('[[point]]\nname = "ph"\naddress = 0\ntype = "float32"\n')
    device = {
        "name": "i",
        "kind": "virtual_incubator",
        "wire": {"tcp": "127.0.0.1:0"},
        "options": {"profile": str(profile)},
    }
    config = parse_fleet({"devices": [device]})
    with pytest.raises(SimulatorError, match="point 'ph' is no value of this device"):
        find_build("virtual_incubator")("i", config.devices[0].options, None)  # type: ignore[arg-type]


def test_serve_steps_itself_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cultureops_simulators", "serve", "thermo_heracell", "--tcp", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "simulated" in line
    host, port = line.split("tcp ")[1].split(";")[0].split(":")
    with socket.create_connection((host, int(port)), timeout=5.0) as connection:
        connection.sendall(b"?:0012:00::c3\r")
        assert connection.recv(100).startswith(b"!:0012:08:08:00:0")
    process.send_signal(signal.SIGINT)
    assert process.wait(5.0) == 0
    process.stdout.close()


def test_list_and_wrong_arguments() -> None:
    listed = _run("list").stdout
    assert all(kind in listed for kind in BUILT_IN)
    assert _run("serve", "toaster", "--tcp", "127.0.0.1:0").returncode == 2
    assert "KEY=VALUE" in _run("serve", "mve_tec3000", "--tcp", "127.0.0.1:0", "--option", "x").stderr


def test_the_package_stands_alone() -> None:
    """Neither core nor drivers, nothing beyond the standard library, numpy and (optionally) uvloop."""
    allowed = {*sys.stdlib_module_names, "cultureops_simulators", "numpy", "uvloop"}
    for path in Path(cultureops_simulators.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= allowed, path


def test_step_cost(fleet: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.do("act", **SEED)
    fleet.step(200)
    steps, before_s = 2000, fleet.cpu_s()
    fleet.step(steps)
    cost_ms = 1000.0 * (fleet.cpu_s() - before_s) / steps
    with capsys.disabled():
        print(f"\n[simulators] one step of {len(fleet.devices)} instruments and a culture: {cost_ms:.3f} ms CPU")
    assert cost_ms < 0.4
