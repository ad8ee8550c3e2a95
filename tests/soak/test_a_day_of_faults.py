"""Forty devices, a day of lab time and fifty faults of their wires: every link comes back, every gap has its reason."""

import asyncio
import gc
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from cultureops.acquisition import Acquisition, LinkEvent, LinkState
from cultureops.clock import MINUTE_MS, SteppedClock, parse_iso
from cultureops.demo.fleet import Fleet, start_fleet
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.device.registry import driver_folder
from cultureops.site import read_site

START = "2026-01-05T08:00:00Z"
MINUTE_S = 60
RECOVERS_WITHIN_POLLS = 2
MOST_GROWTH_MB = 15
FAULTS: tuple[tuple[str, dict[str, float]], ...] = (
    ("silent", {}), ("garbage", {}), ("slow", {"delay_s": 0.9}), ("cut", {}),
)  # fmt: skip
KINDS: tuple[tuple[int, str, str, str, str], ...] = (
    (10, "virtual_incubator", "tcp", "modbus+tcp", "cultureops_virtual_incubator"),
    (6, "virtual_cryostore", "tcp", "modbus+tcp", "cultureops_virtual_cryostore"),
    (6, "vaisala_gmp252", "pty", "modbus+rtu", "vaisala_gmp252"),
    (4, "vaisala_gmp252", "tcp", "modbus+rtu+tcp", "vaisala_gmp252"),
    (6, "thermo_heracell", "pty", "serial", ""),
    (4, "thermo_heracell", "tcp", "tcp", ""),
    (4, "mve_tec3000", "pty", "serial", ""),
)
"""How many, simulator, wire, scheme of the link, profile."""
Record = Callable[[str, object], None]


@dataclass(frozen=True)
class Fault:
    """A fault of one wire, from before one poll until before another."""

    device: str
    kind: str
    args: dict[str, float]
    first: int
    end: int


class Watch:
    """Judges each poll of one device as it comes; keeps of it no more than whether every channel had a value."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = faults
        self.was_whole = bytearray()

    def accept(self, readings: Sequence[Reading]) -> None:
        """Check one poll's readings: BAD with a reason through a fault, and at no other time but its end."""
        minute = len(self.was_whole)
        through = any(fault.first <= minute < fault.end for fault in self.faults)
        ill = any(fault.first <= minute < fault.end + RECOVERS_WITHIN_POLLS - 1 for fault in self.faults)
        for reading in readings:
            if reading.quality is Quality.BAD:
                assert ill, f"{reading} at minute {minute}: nobody planted a fault"
                assert reading.reason is not Reason.NONE
            else:
                assert not through, f"a value through a fault: {reading} at minute {minute}"
        self.was_whole.append(all(reading.value is not None for reading in readings))

    def slowest_recovery(self) -> int:
        """Return at which poll after a fault's end, from 1, the device had values again; 0 without a fault."""
        return max((self.was_whole.index(True, fault.end) - fault.end + 1 for fault in self.faults), default=0)


def devices(folder: Path) -> list[dict[str, object]]:
    """Return the rows of the fleet file."""
    own_map = driver_folder("modbus") / "profiles"
    rows: list[dict[str, object]] = []
    for count, kind, wire, _, profile in KINDS:
        for _ in range(count):
            name = f"d{len(rows)}"
            where = "127.0.0.1:0" if wire == "tcp" else str(folder / name)
            options = {"profile": str(own_map / f"{profile}.toml")} if profile.startswith("cultureops_") else {}
            rows.append({"name": name, "kind": kind, "wire": {wire: where}, "options": options})
    return rows


def site_text(fleet: Fleet) -> str:
    """Return the site file of the fleet."""
    text, number = '[site]\nname = "lab"\n', 0
    for count, kind, wire, scheme, profile in KINDS:
        for _ in range(count):
            name = f"d{number}"
            options = f'options = {{ profile = "{profile}" }}' if profile else ""
            text += (
                f'[[device]]\nid = "{name}"\ndriver = "{"modbus" if profile else kind}"\n'
                f'link = "{scheme}://{fleet.wires[name][wire]}"\nperiod_s = 60\ndeadline_s = 0.6\n{options}\n'
            )
            number += 1
    return text


def planned(count: int, minutes: int, longest: int, names: Sequence[str], dice: random.Random) -> list[Fault]:
    """Return faults of all kinds, up to ``longest`` minutes; a device has one at a time, and time to come back."""
    faults: list[Fault] = []
    while len(faults) < count:
        kind, args = FAULTS[len(faults) % len(FAULTS)]
        first = dice.randrange(2, minutes - 10)
        end = min(first + dice.randint(1, longest), minutes - RECOVERS_WITHIN_POLLS - 2)
        fault = Fault(dice.choice(names), kind, args, first, end)
        own = [other for other in faults if other.device == fault.device]
        if first < end and all(end + 5 < other.first or other.end + 5 < first for other in own):
            faults.append(fault)
    return faults


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def held() -> tuple[int, int]:
    """Return how many tasks and file descriptors there are."""
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))


async def day(folder: Path, minutes: int, count: int, longest: int, seed: int, record: Record) -> None:
    dice = random.Random(seed)
    clock = SteppedClock(parse_iso(START))
    events: list[LinkEvent] = []
    rows = devices(folder)
    names = [str(row["name"]) for row in rows]
    faults = planned(count, minutes, longest, names, dice)
    watches = {name: Watch([fault for fault in faults if fault.device == name]) for name in names}
    began = time.monotonic()
    async with start_fleet(folder / "fleet.json", seed, START, rows) as fleet:
        (folder / "site.toml").write_text(site_text(fleet))
        acquisition = Acquisition(read_site(folder / "site.toml").devices, clock, events.append)
        before: tuple[tuple[int, int], float] | None = None
        for minute in range(minutes):
            for fault in faults:
                if fault.first == minute:
                    await fleet.plant(fault.device, fault.kind, **fault.args)
                elif fault.end == minute:
                    await fleet.clear(fault.device)
            await fleet.step(MINUTE_S)
            judge(watches, await acquisition.poll_once(clock.advance(MINUTE_MS)))
            if minute == minutes // 10:
                gc.collect()
                before = held(), resident_mb()
        gc.collect()
        after = held(), resident_mb()
        await acquisition.close()
    record("took_s", round(time.monotonic() - began, 1))
    assert before is not None
    record("growth_mb", round(after[1] - before[1], 1))
    record("slowest_recovery_polls", max(watch.slowest_recovery() for watch in watches.values()))
    assert after[0] == before[0], "tasks or file descriptors leak"
    assert after[1] - before[1] < MOST_GROWTH_MB
    check_events(events, faults, len(rows))


def judge(watches: Mapping[str, Watch], readings: Sequence[Reading]) -> None:
    """Hand each device's readings of one poll to its watch; every device has some."""
    by_device: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        by_device[reading.channel.partition("/")[0]].append(reading)
    assert by_device.keys() == watches.keys(), "a poll left no readings"
    for device, own in by_device.items():
        watches[device].accept(own)


def check_events(events: Sequence[LinkEvent], faults: Sequence[Fault], count: int) -> None:
    """Each link is said to be up at first, and lost and back once for each fault."""
    for number in range(count):
        name = f"d{number}"
        states = [event.state for event in events if event.device == name]
        own = sum(fault.device == name for fault in faults)
        assert states == [LinkState.IDENTIFIED, *[LinkState.LOST, LinkState.IDENTIFIED] * own]


@pytest.mark.soak
async def test_forty_minutes_of_faults(tmp_path: Path, record_property: Record) -> None:
    """A silent minute costs real time: faults are short here, and each kind comes twice."""
    await day(tmp_path, 40, 8, 5, 1, record_property)


@pytest.mark.soak
@pytest.mark.timeout(3000)
async def test_a_day_of_faults(tmp_path: Path, record_property: Record) -> None:
    await day(tmp_path, 24 * 60, 50, 24, 2, record_property)
