"""A thousand devices polled, alarmed and stored by `cultureops run`, beside a bare pymodbus loop that keeps nothing.

Both programs run on one core, in turns; the simulated incubators and this program on another. In both a device is due
at the same place within each second, so the stored source times tell how late each poll began.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.process import ROOT, BenchError, free_port, scratch
from benchmarks.rows import Row, row
from cultureops.demo.fleet import Fleet, start_fleet
from cultureops.device.reading import Quality
from cultureops.errors import StorageError
from cultureops.telemetry import EmbeddedStore
from cultureops.telemetry.follow import Cursor
from cultureops.telemetry.reader import Reader

__all__ = ["measure"]

DEVICES, ROUNDS = 1000, 2
PERIOD_MS, GRID_MS = 1000, 10
OURS_S, SETTLE = 30, 6
CHANNELS: Final = ("temperature", "co2", "humidity", "o2", "temperature_setpoint", "co2_setpoint")
REGISTERS: Final = 12
PROFILE: Final = ROOT / "drivers/cultureops_drivers/modbus/profiles/cultureops_virtual_incubator.toml"
PEER_START_S, START_DEADLINE_S, STOP_DEADLINE_S = 1.5, 60.0, 30.0
DESCRIPTORS_A_DEVICE: Final = 3

SITE: Final = """\
[site]
name = "Benchmark"
[web]
port = {port}
"""
DEVICE: Final = """
[[chamber]]
id = "{id}"
class = "incubator"
[[device]]
id = "{id}"
chamber = "{id}"
driver = "modbus"
link = "modbus+tcp://{address}"
period_s = 1
simulated = true
options = {{ profile = "{profile}" }}
"""
ALARM: Final = """
[[alarm]]
class = "incubator"
kind = "{kind}"
{condition}
priority = "high"
consequence = "none: this is a benchmark"
response = "none: this is a benchmark"
"""
LIMITS: Final = (("temperature", "low", 36.0), ("temperature", "high", 38.0), ("co2", "low", 4.0), ("co2", "high", 6.0))


@dataclass(frozen=True, slots=True)
class Turn:
    """What one program took: CPU per poll [us], most memory [MB], and how late its polls began [ms].

    ``cpu_us`` counts the process that seals, ``sealing_mb`` is its memory, 0 where there is none.
    """

    cpu_us: float
    resident_mb: float
    sealing_mb: float
    lateness_ms: np.ndarray


async def measure(shrink: int = 1, rounds: int = ROUNDS) -> list[Row]:
    """Return the claim's rows; ``shrink`` cuts devices and seconds."""
    devices, seconds = max(20, DEVICES // shrink), max(2, OURS_S // shrink)
    ours, peers = [], []
    with scratch() as folder, _pinned(devices) as core:
        async with _incubators(folder, devices) as addresses:
            _write_site(folder, addresses)
            for turn in range(rounds):
                if turn % 2:
                    peers.append(await _peer(folder, addresses, core, seconds / 3))
                ours.append(await _ours(folder, f"data{turn}", devices, core, seconds))
                if not turn % 2:
                    peers.append(await _peer(folder, addresses, core, seconds / 3))
    return _rows(devices, ours, peers)


def _places_ms(devices: int) -> np.ndarray:
    """Return where within the second each device is due."""
    return np.arange(devices) * PERIOD_MS // devices // GRID_MS * GRID_MS


def _rows(devices: int, ours: Sequence[Turn], peers: Sequence[Turn]) -> list[Row]:
    claim = f"{devices:,} Modbus TCP devices x {len(CHANNELS)} channels at 1 Hz, alarmed and stored"
    peer = "pymodbus with uvloop, polling only"
    lateness = [float(np.percentile(turn.lateness_ms, 99)) for turn in ours]
    peer_lateness = [float(np.percentile(turn.lateness_ms, 99)) for turn in peers]
    return [
        row(f"{claim}: p99 lateness", lateness, "ms", peer, peer_lateness, "value < 20"),
        row(f"{claim}: CPU", _each(ours, "cpu_us"), "us/poll", peer, _each(peers, "cpu_us"), "ratio <= 3"),
        row(f"{claim}: memory", _each(ours, "resident_mb"), "MB", peer, _each(peers, "resident_mb"), "value < 150"),
        row(
            f"{claim}: memory of the sealing process",
            _each(ours, "sealing_mb"),
            "MB",
            peer,
            _each(peers, "resident_mb"),
        ),
    ]


def _each(turns: Sequence[Turn], what: str) -> list[float]:
    return [getattr(turn, what) for turn in turns]


@contextlib.contextmanager
def _pinned(devices: int) -> Iterator[int]:
    """Move this program and what it starts to all cores but one; yield the one.

    Raises BenchError where there is no other, or where too few files may be open.
    """
    cores = os.sched_getaffinity(0)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if len(cores) < 2 or limits[1] < DESCRIPTORS_A_DEVICE * devices:
        raise BenchError(f"needs two cores and {DESCRIPTORS_A_DEVICE * devices} open files (`ulimit -Hn`)")
    core = min(cores)
    os.sched_setaffinity(0, cores - {core})
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    try:
        yield core
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        os.sched_setaffinity(0, cores)


@contextlib.asynccontextmanager
async def _incubators(folder: Path, devices: int) -> AsyncIterator[list[str]]:
    """Serve so many simulated incubators, stepped in real time; yield their addresses."""
    kind = {"kind": "virtual_incubator", "wire": {"tcp": "127.0.0.1:0"}, "options": {"profile": str(PROFILE)}}
    rows = [{"name": f"d{n}", **kind} for n in range(devices)]
    async with start_fleet(folder / "fleet.json", 7, "2026-01-05T08:00:00Z", rows) as fleet:
        stepping = asyncio.create_task(_step(fleet))
        try:
            yield [fleet.wires[str(row["name"])]["tcp"] for row in rows]
        finally:
            stepping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await stepping


async def _step(fleet: Fleet) -> None:
    while True:
        await asyncio.sleep(PERIOD_MS / 1000)
        await fleet.step(PERIOD_MS / 1000)


def _write_site(folder: Path, addresses: Sequence[str]) -> None:
    """Write the site with its rules, and the device's profile cut down to the channels that are read."""
    head, *points = PROFILE.read_text().split("[[point]]")
    kept = [point for point in points if any(f'name = "{name}"' in point for name in CHANNELS)]
    (folder / "incubator.toml").write_text("[[point]]".join([head, *kept]))
    parts = [SITE.format(port=free_port())]
    parts += [
        DEVICE.format(id=f"d{n}", address=address, profile=folder / "incubator.toml")
        for n, address in enumerate(addresses)
    ]
    parts += [
        ALARM.format(kind=kind, condition=f'channel = "{name}"\nlimit = {limit}\non_delay_s = 600')
        for name, kind, limit in LIMITS
    ]
    parts.append(ALARM.format(kind="communication", condition="misses = 3"))
    (folder / "site.toml").write_text("".join(parts))


class _Program:
    """A program on a core of its own, and what it takes."""

    def __init__(self, command: Sequence[str], core: int, log: Path) -> None:
        self._log = log
        with log.open("wb") as out, log.with_suffix(".err").open("wb") as err:
            self.process = subprocess.Popen([sys.executable, "-m", *command], stdout=out, stderr=err, cwd=ROOT)
        os.sched_setaffinity(self.process.pid, {core})

    def cpu_s(self) -> float:
        """Return the CPU time of all its threads and of its children so far, as clock_getcpuclockid(3) has it."""
        return sum(time.clock_gettime(~pid << 3 | 2) for pid in self._pids())

    def resident_mb(self) -> tuple[float, float]:
        """Return the most memory that it ever had, and the most that its children had."""
        own, *children = [_most_resident_mb(pid) for pid in self._pids()]
        return own, sum(children)

    def _pids(self) -> list[int]:
        pid = self.process.pid
        children = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
        return [pid, *(int(child) for found in children for child in found)]

    async def window(self, seconds: float) -> tuple[float, tuple[float, float], int, int]:
        """Let time pass; return CPU time [s], most memory [MB] and the window's first and last instant [ms]."""
        first, before = time.time_ns() // 1_000_000, self.cpu_s()
        await asyncio.sleep(seconds)
        return self.cpu_s() - before, self.resident_mb(), first, time.time_ns() // 1_000_000

    async def end(self) -> bytes:
        """End it in order and return what it printed; raise BenchError when it failed."""
        self.process.terminate()
        try:
            code = await asyncio.to_thread(self.process.wait, STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            code = "not"
        if code != 0:
            raise self.failed(f"ended with {code}")
        return self._log.read_bytes()

    def failed(self, what: str) -> BenchError:
        """Return the error with the program's last words."""
        said = self._log.with_suffix(".err").read_text(errors="replace").strip().splitlines() or ["nothing said"]
        return BenchError(f"{self.process.args}: {what}; last words: {said[-1][:300]}")


def _most_resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


@contextlib.contextmanager
def _program(command: Sequence[str], core: int, log: Path) -> Iterator[_Program]:
    program = _Program(command, core, log)
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()


async def _peer(folder: Path, addresses: Sequence[str], core: int, seconds: float) -> Turn:
    devices = list(zip(addresses, _places_ms(len(addresses)).tolist(), strict=True))
    (folder / "devices.json").write_text(json.dumps(devices))
    command = ["benchmarks.bare_modbus", str(folder / "devices.json"), str(REGISTERS)]
    with _program(command, core, folder / "peer.out") as program:
        await asyncio.sleep(max(PEER_START_S, seconds / 2))
        cpu_s, resident_mb, first, last = await program.window(seconds)
        begun = np.array(json.loads(await program.end())).reshape(-1, 2) * 1000
    due, began = begun[(begun[:, 0] >= first) & (begun[:, 0] < last)].T
    if abs(due.size - len(addresses) * (last - first) / PERIOD_MS) > len(addresses) / 2:
        raise BenchError(f"pymodbus polled {due.size} times; run again on a quieter machine")
    return Turn(cpu_s / due.size * 1e6, *resident_mb, began - due)


async def _ours(folder: Path, data: str, devices: int, core: int, seconds: float) -> Turn:
    command = ["cultureops", "run", str(folder / "site.toml"), "--data-dir", str(folder / data)]
    with _program(command, core, folder / "run.out") as program:
        await _until_all_answer(program, folder / data, devices)
        await asyncio.sleep(seconds / SETTLE)
        cpu_s, resident_mb, first, last = await program.window(seconds)
        await asyncio.sleep(2 * PERIOD_MS / 1000)
        await program.end()
    lateness_ms = await _lateness(folder / data, devices, first, last)
    return Turn(cpu_s / (devices * (last - first) / PERIOD_MS) * 1e6, *resident_mb, lateness_ms)


async def _until_all_answer(program: _Program, data: Path, devices: int) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline and program.process.poll() is None:
        await asyncio.sleep(0.2)
        if await asyncio.to_thread(_answering, data) >= devices * len(CHANNELS):
            return
    raise program.failed(f"did not read all devices within {START_DEADLINE_S:g} s")


def _answering(data: Path) -> int:
    """Return how many channels showed a good value last; the lab's store is read beside it."""
    with contextlib.suppress(StorageError):
        reader = Reader(data / "telemetry")
        try:
            with reader.view() as view:
                own = {number for name, (number, _) in view.channels().items() if not name.startswith("cultureops/")}
                return sum(bool((last.quality == Quality.GOOD).all()) for n, last in view.latest().items() if n in own)
        finally:
            reader.close()
    return 0


async def _lateness(data: Path, devices: int, first: int, last: int) -> np.ndarray:
    """Return how late each poll of the window began [ms, rounded up].

    Raises BenchError unless each channel has exactly one good reading for each poll that was due.
    """
    source_ms, device, channel = await _stored(data)
    since_due = source_ms - _places_ms(devices)[device]
    poll, late = np.divmod(since_due, PERIOD_MS)
    begin, end = -(-first // PERIOD_MS), last // PERIOD_MS
    inside = (poll >= begin) & (poll < end)
    found = np.unique(np.stack([device[inside], channel[inside], poll[inside]]), axis=1).shape[1]
    due = devices * len(CHANNELS) * (end - begin)
    stored = np.count_nonzero(inside)
    if not found == stored == due:
        raise BenchError(f"{due} readings were due, {stored} are stored for {found} of them; the machine may be busy")
    return late[inside & (channel == 0)] + 1


async def _stored(data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return source time, number of the device and of its channel of each good reading in a store."""
    store, cursor, parts = EmbeddedStore.open(data / "telemetry"), Cursor(), []
    try:
        while True:
            extract = await store.follow(cursor, 1_000_000)
            rows, cursor = extract.rows, extract.next
            parts.append(np.stack([rows.points.source_ms, rows.channel])[:, rows.points.quality == Quality.GOOD])
            if not extract.remaining:
                break
    finally:
        await store.close()
    source_ms, number = np.concatenate(parts, axis=1)
    pairs = {at: name.split("/") for at, name in extract.names.items()}
    places = np.zeros((max(pairs) + 1, 2), np.int64)
    for at, (device, channel) in pairs.items():
        places[at] = int(device[1:]), CHANNELS.index(channel)
    return source_ms, *places[number].T
