"""A hub and two gateways as processes: values arrive at once, and after a kill what happened meanwhile."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.at_the_pages import AtThePages, lay_out_people
from tests.forked import Forked, forking
from tests.gateways import INCUBATOR, lay_out
from tests.ports import free_port
from tests.system.test_run import connects, until

from cultureops.clock import parse_iso
from cultureops.device.registry import driver_folder
from cultureops.ledger.verify import verify
from cultureops.telemetry.exchange import check

NO_ANSWER = """
[[alarm]]
chamber = "{name}"
kind = "communication"
misses = 2
priority = "high"
gmp_critical = true
consequence = "Nobody knows what the chamber does."
response = "Look there."
"""
ROOMS = ("room_1", "room_2")


@cache
def at(port: int) -> AtThePages:
    return AtThePages(port)


class Houses:
    """The processes of a hub and its gateways, and the instrument that both gateways ask."""

    def __init__(self, folder: Path, forked: Forked) -> None:
        self.folder, self.web_port, self.incubator_port = folder, free_port(), free_port()
        self.incubator: subprocess.Popen[bytes] | None = None
        self._forked, self._pids = forked, dict[str, int]()

    def place(self, name: str) -> Path:
        """Return the data folder of the hub, or of the gateway of a name."""
        return (self.folder if name == "hub" else self.folder / name) / "data"

    def start(self, name: str) -> None:
        """Start the hub, or the gateway of a name."""
        there = self.place(name).parent
        what = "hub" if name == "hub" else "gateway"
        arguments = [what, str(there / "site.toml"), "--data-dir", str(self.place(name))]
        self._pids[name] = self._forked.start(arguments, there / "log.txt")

    def end(self, name: str, how: signal.Signals) -> int:
        """End one, wait for it and return its exit status."""
        return self._forked.end(self._pids.pop(name), how)

    def read(self, path: str) -> Any:
        """Ask the hub's pages; None while nobody answers."""
        return at(self.web_port).read(path)

    def gateways(self) -> list[Any]:
        """Return how the gateways stand by what the hub says."""
        said = self.read("/api/gateways")
        return [] if said is None else list(said["gateways"])

    def alarms(self) -> set[str]:
        """Return the alarms of instruments that stand at the hub."""
        return {row["rule_id"] for row in self.read("/api/alarms") or () if row["device"].startswith("inc_")}


def start_incubator(port: int) -> "subprocess.Popen[bytes]":
    profile = driver_folder("modbus") / "profiles" / "cultureops_virtual_incubator.toml"
    command = [sys.executable, "-m", "cultureops_simulators", "serve", "virtual_incubator"]
    options = ["--tcp", f"127.0.0.1:{port}", "--option", f"profile={profile}"]
    return subprocess.Popen([*command, *options], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)


@pytest.fixture
def houses(tmp_path: Path) -> Iterator[Houses]:
    with forking() as forked:
        found = Houses(tmp_path, forked)
        found.incubator = start_incubator(found.incubator_port)
        rooms = {}
        for room in ROOMS:
            name = f"inc_{room}"
            row = INCUBATOR.format(name=name, port=found.incubator_port, period_s=0.2, on_delay_s=0)
            rooms[room] = row + NO_ANSWER.format(name=name)
        lay_out(tmp_path, free_port(), rooms, web_port=found.web_port)
        lay_out_people(tmp_path / "data")
        try:
            until(lambda: connects(found.incubator_port), "the simulated incubator listens")
            yield found
        finally:
            found.incubator.kill()
            found.incubator.communicate()


def rows(ledger: Path) -> list[tuple[int, bytes, bytes]]:
    with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as db:
        return db.execute("SELECT position, canonical, hash FROM events ORDER BY position").fetchall()


def alarms_in(ledger: Path) -> int:
    return sum(b'"alarm_raised"' in canonical for _, canonical, _ in rows(ledger))


def test_a_hub_that_was_killed_gets_everything_from_its_gateways(houses: Houses) -> None:
    for name in ("hub", *ROOMS):
        houses.start(name)

    def ages_s() -> list[float]:
        said = houses.read("/api/latest") or {"readings": {}}
        found = [said["readings"].get(f"inc_{room}/co2") for room in ROOMS]
        return [(parse_iso(said["now"]) - parse_iso(one["at"])) / 1000 for one in found if one and one["value"]]

    until(lambda: len(ages_s()) == len(ROOMS), "values of both gateways are at the hub")
    ages = ages_s()
    for _ in range(3):
        time.sleep(0.1)
        ages += ages_s()
    print(f"age of values at the hub: {min(ages):.2f} to {max(ages):.2f} s")
    assert max(ages) < 3.0
    houses.end("hub", signal.SIGKILL)
    assert houses.incubator is not None
    houses.incubator.kill()
    for room in ROOMS:
        until(lambda room=room: alarms_in(houses.place(room) / "ledger.sqlite"), f"{room} alarms by itself")
    houses.end("room_1", signal.SIGKILL)
    houses.start("room_1")
    houses.start("hub")
    until(lambda: houses.alarms() == {f"inc_{room}/communication" for room in ROOMS}, "the hub knows both alarms")
    until(lambda: all(one["in_reach"] and not one["readings_waiting"] for one in houses.gateways()), "all is there")
    statuses = [houses.end(name, signal.SIGTERM) for name in (*ROOMS, "hub")]
    assert statuses == [0, 0, 0]
    verify(houses.place("hub") / "ledger.sqlite")
    for room in ROOMS:
        origin = houses.place("hub") / "origins" / f"{room}.sqlite"
        held, own = rows(origin), rows(houses.place(room) / "ledger.sqlite")
        assert held == own[: len(held)] and sum(b'"alarm_raised"' in row[1] for row in held) >= 1
        verify(origin)
        check(houses.place(room) / "telemetry")
    check(houses.place("hub") / "telemetry")
