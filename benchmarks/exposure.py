"""What a batch was exposed to in 60 days at 1 Hz, from roll-ups, beside the full decode of the same in the same run.

One incubator of six channels, four of them watched. *Seldom*: the limits are never met. *Often*: one limit of each
channel is crossed in every fourth hour. Before anything is timed both answers are compared.

*Warm*: the question was asked before. *Cold*: the first question to a store that was just opened, after the kernel
dropped what it held of the files.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.process import BenchError, forget_pages, scratch
from benchmarks.rows import Row, row
from benchmarks.workload import CHANNELS, HOUR_S, START_MS, Workload
from cultureops.analysis.exposure import ChannelExposure, exposure
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS
from cultureops.device.reading import Quality
from cultureops.telemetry import ChannelInfo, EmbeddedStore, Watch
from cultureops.telemetry.chunk import encode_stamps
from cultureops.telemetry.month import Key, MonthWriter, month_of
from cultureops.telemetry.points import Points
from cultureops.telemetry.rollup import MINUTES, pack, roll_up

__all__ = ["fill", "measure"]

ROUNDS, DAYS, SILENCE_MS = 5, 60, 10_000
WATCHED: Final = (0, 1, 2, 3)
CROSSED_SHARE: Final = 0.25
PEER: Final = "full decode of the same"
DAY_S: Final = 24 * HOUR_S


async def measure(shrink: int = 1, rounds: int = ROUNDS) -> list[Row]:
    """Return the claim's rows; ``shrink`` cuts the days."""
    days = max(1, DAYS // shrink)
    with scratch() as folder:
        work = Workload.make(folder / "work", 1, days * DAY_S)
        await fill(folder / "telemetry", work)
        found = []
        for how, watches in (("seldom", _watches(work, 0.0)), ("often", _watches(work, CROSSED_SHARE))):
            name = f"exposure of {days} days at 1 Hz, {len(watches)} channels, limits crossed {how}"
            warm, processor, cold, decoded = await _times(folder / "telemetry", work, watches, rounds)
            found.append(row(f"{name}, warm", warm, "ms", PEER, decoded, "value < 300"))
            found.append(row(f"{name}, warm, processor time", processor, "ms"))
            found.append(row(f"{name}, cold", cold, "ms"))
    return found


async def fill(folder: Path, work: Workload) -> None:
    """Seal the first device of a workload into a store, by the writer that seals, without passing the journal."""
    store = EmbeddedStore.open(folder)
    store.declare({_name(number): ChannelInfo(of.unit, of.decimals) for number, of in enumerate(CHANNELS)})
    await store.flush()
    await store.close()
    writer: MonthWriter | None = None
    for day in range(0, work.seconds, DAY_S):
        at = work.source_ms[0, day : day + DAY_S]
        hours = np.split(np.arange(at.size), np.flatnonzero(np.diff(at // HOUR_MS)) + 1)
        of_day = [_points(at, work.values(0, number, day, day + DAY_S)) for number in range(len(CHANNELS))]
        month = month_of(int(at[0]) // HOUR_MS)
        if writer is None or writer.name != month:
            before, writer = writer, MonthWriter.create(folder, month, writer)
            if before is not None:
                before.end()
        with writer.transaction():
            for rows in hours:
                stamps = writer.put_stamps(encode_stamps(at[rows], at[rows]))
                for channel, points in enumerate(of_day, 1):
                    writer.put_chunk(Key(int(at[rows[0]]) // HOUR_MS, channel), stamps, points.at(rows))
            for channel, points in enumerate(of_day, 1):
                minutes = roll_up(points, at % DAY_MS // MINUTE_MS, MINUTES)
                writer.put_day(channel, int(at[0]) // DAY_MS, pack(minutes))
    if writer is not None:
        writer.close()


async def _times(folder: Path, work: Workload, watches: Sequence[Watch], rounds: int) -> tuple[list[float], ...]:
    """Return what it takes warm, in time and processor time, cold, and by full decode [ms].

    Raises BenchError when answers differ.
    """
    end = START_MS + work.seconds * 1000
    warm, processor, cold, decoded = [], [], [], []
    for _ in range(rounds):
        forget_pages(folder)
        store = EmbeddedStore.open(folder)
        try:
            for times in (cold, warm):
                began, busy = time.perf_counter(), time.process_time()
                found = await store.exposures(START_MS, end, watches)
                times.append((time.perf_counter() - began) * 1e3)
            processor.append((time.process_time() - busy) * 1e3)
            began = time.perf_counter()
            expected = [await _decoded(store, watch, START_MS, end) for watch in watches]
            decoded.append((time.perf_counter() - began) * 1e3)
        finally:
            await store.close()
        for watch, one, other in zip(watches, found, expected, strict=True):
            _compare(watch, one, other)
    return warm, processor, cold, decoded


async def _decoded(store: EmbeddedStore, watch: Watch, start: int, end: int) -> ChannelExposure:
    series = await store.series(watch.channel, start, end + 1)
    is_usable, is_uncertain = series.quality != Quality.BAD, series.quality == Quality.UNCERTAIN
    limits = watch.low, watch.high, watch.max_gap_ms
    return exposure(series.source_ms, series.value, is_usable, start, end, *limits, uncertain=is_uncertain)


def _compare(watch: Watch, found: ChannelExposure, expected: ChannelExposure) -> None:
    for name in ("above_s", "below_s", "covered_s", "unknown_s"):
        if abs(getattr(found, name) - getattr(expected, name)) > 1e-9 * expected.covered_s:
            raise BenchError(f"{watch.channel}: {name} differs from the full decode's; nothing can be compared")
    if found.mean is None or expected.mean is None or abs(found.mean / expected.mean - 1) > 1e-6:
        raise BenchError(f"{watch.channel}: the mean differs from the full decode's; nothing can be compared")


def _watches(work: Workload, crossed: float) -> tuple[Watch, ...]:
    """Return a watch of each channel whose upper limit is crossed in this share of the hours."""
    found = []
    for number in WATCHED:
        highest = work.values(0, number).reshape(-1, HOUR_S).max(axis=1)
        high = float(np.quantile(highest, 1 - crossed)) - 1e-3 if crossed else float(highest.max()) + 1
        found.append(Watch(_name(number), None, high, SILENCE_MS))
    return tuple(found)


def _points(at: np.ndarray, values: np.ndarray) -> Points:
    return Points(at, at, values, np.full(at.size, Quality.GOOD, np.uint8), np.zeros(at.size, np.uint8))


def _name(number: int) -> str:
    return f"d0/{CHANNELS[number].name}"
