"""One who reads beside the writer sees every durable reading at every moment, while hours are sealed and frames go."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.frame import take_apart
from cultureops.telemetry.journal import Journal
from cultureops.telemetry.month import Month
from cultureops.telemetry.points import is_shown
from cultureops.telemetry.query import read_buckets
from cultureops.telemetry.reader import Reader, View
from cultureops.telemetry.sealer import Sealer, Stopped

START = 1_769_904_000_000 - 3 * HOUR_MS  # three hours before a month ends
WRITER = f"""
import asyncio, sys
from pathlib import Path
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo, EmbeddedStore

async def main():
    store = EmbeddedStore.open(Path(sys.argv[1]))
    store.declare({{"a/t": ChannelInfo("Cel"), "a/c": ChannelInfo("%")}})
    sealing = None
    for minute in range(int(sys.argv[2])):
        at = {START} + minute * {MINUTE_MS}
        await store.append([Reading(name, float(minute), Quality.GOOD, Reason.NONE, at, at) for name in ("a/t", "a/c")])
        print("kept", minute + 1, flush=True)
        if minute % 7 == 0 and (sealing is None or sealing.done()):
            sealing = asyncio.create_task(store.seal(at))
    await sealing
    await store.close()

asyncio.run(main())
"""


def see(view: View, durable: int) -> int:
    """Check what a view shows; return how many minutes of readings it has."""
    end = START + 10_000 * MINUTE_MS
    for channel in (1, 2):
        points = view.points(channel, START, end)
        size = points.size
        assert size >= durable
        np.testing.assert_array_equal(points.value, np.arange(size, dtype=float))
        np.testing.assert_array_equal(points.source_ms, START + MINUTE_MS * np.arange(size))
        assert is_shown(points.source_ms).all()
        buckets = read_buckets(view, channel, START, START + size * MINUTE_MS, size)
        np.testing.assert_array_equal(buckets.maximum, points.value)
        assert buckets.count.tolist() == [1] * size
    assert {number: int(found.value[0]) for number, found in view.latest().items()} == {1: size - 1, 2: size - 1}
    return size


def kept_minutes(lines: IO[str]) -> Iterator[int]:
    """Yield how many minutes are durable as the writer says so; it may log in between."""
    for line in lines:
        if line.startswith("kept "):
            yield int(line.split()[1])


def read_beside(folder: Path, minutes: int) -> tuple[int, int]:
    """Let another process write and seal, and look all the while; return how often, and how often in between."""
    said: list[int] = []
    looks = between = 0
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(minutes)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        lines = child.stdout
        listening = threading.Thread(target=lambda: said.extend(kept_minutes(lines)))
        said.append(next(kept_minutes(lines)))
        listening.start()
        reader = Reader(folder)
        try:
            while child.poll() is None:
                durable = said[-1]
                with reader.view() as view:
                    looks += 1
                    between += 0 < see(view, durable) < minutes
            listening.join()
            with reader.view() as view:
                assert see(view, said[-1]) == minutes == said[-1]
        finally:
            child.kill()
            listening.join()
            reader.close()
        assert child.returncode == 0
    return looks, between


def test_a_reader_in_another_process_misses_nothing_durable(tmp_path: Path) -> None:
    looks, between = read_beside(tmp_path / "telemetry", 400)
    assert looks > 10 and between > 5
    assert len(list((tmp_path / "telemetry").glob("2026-*.sqlite"))) == 2


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_readers_in_other_processes_miss_nothing_durable_for_long(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    looks = [read_beside(tmp_path / f"telemetry{run}", 2_000)[0] for run in range(20)]
    record_property("views", sum(looks))


@pytest.mark.parametrize("steps", range(12))
def test_a_look_that_sealing_overtakes_shows_the_last_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Between the look at the journal and that at the month readings arrive, and a pass gets so many steps far."""
    names = {"a/t": 1, "a/c": 2}
    (tmp_path / "telemetry").mkdir()
    journal = Journal(tmp_path / "telemetry")

    def keep(minutes: range) -> None:
        for at in (START + minute * MINUTE_MS for minute in minutes):
            value = float((at - START) // MINUTE_MS)
            rows = [Reading(name, value, Quality.GOOD, Reason.NONE, at, at) for name in names]
            journal.write({name: (number, ChannelInfo("Cel")) for name, number in names.items()},
                          take_apart(rows, names)[1])  # fmt: skip

    def seal(before_hour: int, is_stopped: Callable[[], bool]) -> None:
        sealer = Sealer(tmp_path / "telemetry", is_stopped)
        with contextlib.suppress(Stopped):
            sealer.seal(journal.written.seq, before_hour)
        sealer.close()

    keep(range(70))
    seal(START // HOUR_MS + 1, lambda: False)
    reader, opened, calls = Reader(tmp_path / "telemetry"), Reader._opened, iter(range(1000))

    def overtaken(self: Reader) -> list[Month]:
        monkeypatch.setattr(Reader, "_opened", opened)
        keep(range(70, 125))
        seal(START // HOUR_MS + 2, lambda: next(calls) >= steps)
        return opened(self)

    monkeypatch.setattr(Reader, "_opened", overtaken)
    with reader.view() as view:
        assert see(view, 70) in (70, 125)
    reader.close()
    journal.close()


async def test_a_reader_in_another_thread_misses_nothing_durable(tmp_path: Path) -> None:
    """The same, where the interpreter changes threads at the worst of moments, and readings arrive in bursts."""
    store = EmbeddedStore.open(tmp_path / "telemetry")
    names = ("a/t", "a/c")
    store.declare({name: ChannelInfo("Cel") for name in names})

    def row(name: str, minute: int) -> Reading:
        at = START + minute * MINUTE_MS
        return Reading(name, float(minute), Quality.GOOD, Reason.NONE, at, at)

    durable, ends = 1, threading.Event()
    await store.append([row(name, 0) for name in names])

    def look() -> int:
        seen, reader = 0, Reader(tmp_path / "telemetry")
        while not ends.is_set():
            known = durable
            with reader.view() as view:
                see(view, known)
            seen += 1
        reader.close()
        return seen

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        looking = [asyncio.create_task(asyncio.to_thread(look)) for _ in range(2)]
        begin = time.monotonic()
        for first in range(1, 400, 3):
            await asyncio.gather(
                *(store.append([row(name, minute) for name in names]) for minute in range(first, first + 3))
            )
            durable = first + 3
            if first % 30 == 1:
                await store.seal(START + first * MINUTE_MS)
            if time.monotonic() - begin > 2:
                break
        ends.set()
        looks = sum(await asyncio.gather(*looking))
    finally:
        ends.set()
        sys.setswitchinterval(interval)
    assert looks > 10
    await store.close()
