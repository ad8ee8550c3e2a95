"""cultureops' own store, given Reading objects as the pollers give them."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import uvloop

from benchmarks.contestants.timing import summary
from benchmarks.workload import CHANNELS, HOUR_S, START_MS, Workload
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.reader import Reader

__all__ = ["Embedded", "EmbeddedReader"]


FRAMES_AHEAD: Final = 4
"""The store gives up the oldest of what waits beyond half a million readings."""


class Embedded:
    """A store opened in this process."""

    def __init__(self, at: str) -> None:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._store = self._runner.run(_open(Path(at)))
        self._frames: list[list[Reading]] = []

    def prepare(self, work: str, first: int, last: int) -> dict[str, Any]:
        """Build the readings of the seconds from ``first`` to before ``last``."""
        load = Workload.read(Path(work))
        self._declare(load)
        gc.unfreeze()
        self._frames = _frames(load, first, last)
        gc.collect()
        gc.freeze()  # no lab holds an hour of readings as objects; walking them is not the store's work
        return {}

    def commit(self) -> dict[str, Any]:
        """Write what was prepared, each second durable before the next, sealing every hour that closes meanwhile."""
        return self._runner.run(self._commit())

    async def _commit(self) -> dict[str, Any]:
        clock = time.perf_counter
        sealing: asyncio.Task[Any] | None = None
        ended = [clock()]
        for frame in self._frames:
            at_s = frame[0].source_time // 1000
            if at_s % HOUR_S == 0:
                sealing = asyncio.create_task(self._store.seal(at_s * 1000))
            await self._store.append(frame)
            ended.append(clock())
        if sealing is not None:
            await sealing
        found = summary(ended)
        return found | {"seconds": clock() - ended[0], "sealed": sealing is not None}

    def load(self, work: str) -> dict[str, Any]:
        """Fill and seal the store."""
        return self._runner.run(self._load(Workload.read(Path(work))))

    async def _load(self, data: Workload) -> dict[str, Any]:
        self._declare(data)
        for first in range(0, data.seconds, HOUR_S):
            frames = _frames(data, first, min(first + HOUR_S, data.seconds))
            await self._take([reading for frame in some for reading in frame] for some in _grouped(frames))
            await self._store.seal(START_MS + first * 1000)
        return await self._sealed(data)

    def load_arrivals(self, work: str) -> dict[str, Any]:
        """Append what arrives minute by minute, 1 % of it late, sealing hour by hour as a lab does."""
        return self._runner.run(self._load_arrivals(Workload.read(Path(work))))

    async def _load_arrivals(self, data: Workload) -> dict[str, Any]:
        self._declare(data)
        names = _names(data)
        waiting: list[list[Reading]] = []
        for minute, some in enumerate(data.arrivals(), 1):
            waiting.append([
                Reading(name, value, Quality.GOOD, Reason.NONE, at_ms, at_ms)
                for device, values, at_ms in data.polls(some)
                for name, value in zip(names[device], values, strict=True)
            ])  # fmt: skip
            if minute % 60 == 0:
                await self._take(waiting)
                await self._store.seal(START_MS + minute * 60_000)
                waiting = []
        await self._take(waiting)
        return await self._sealed(data)

    def buckets(self, device: int, number: int, seconds: int, width_s: int) -> dict[str, Any]:
        """Return minimum and maximum of one channel per ``width_s``, from roll-ups when it is a minute or more."""
        return self._runner.run(self._buckets(f"d{device}/{CHANNELS[number].name}", seconds, width_s))

    async def _buckets(self, name: str, seconds: int, width_s: int) -> dict[str, Any]:
        began = time.perf_counter()
        found = await self._store.buckets(name, START_MS, START_MS + seconds * 1000, seconds // width_s)
        took = time.perf_counter() - began
        return {"seconds": took, "low": found.minimum.tolist(), "high": found.maximum.tolist()}

    def decoded(self, device: int, number: int, seconds: int, width_s: int) -> dict[str, Any]:
        """Return the same from every single reading."""
        return self._runner.run(self._decoded(f"d{device}/{CHANNELS[number].name}", seconds, width_s))

    async def _decoded(self, name: str, seconds: int, width_s: int) -> dict[str, Any]:
        began = time.perf_counter()
        series = await self._store.series(name, START_MS, START_MS + seconds * 1000)
        edges = np.searchsorted(series.source_ms, START_MS + np.arange(seconds // width_s) * width_s * 1000)
        low, high = np.fmin.reduceat(series.value, edges), np.fmax.reduceat(series.value, edges)
        took = time.perf_counter() - began
        return {"seconds": took, "low": low.tolist(), "high": high.tolist()}

    def latest(self, seconds: int) -> dict[str, Any]:
        """Return how many channels have a last value."""
        began = time.perf_counter()
        found = [(name, reading.value, reading.source_time) for name, reading in self._store.latest().items()]
        return {"seconds": time.perf_counter() - began, "channels": len(found)}

    def close(self) -> None:
        """Close the store."""
        self._runner.run(self._store.close())
        self._runner.close()

    def _declare(self, data: Workload) -> None:
        self._store.declare({
            name: ChannelInfo(channel.unit, channel.decimals)
            for names in _names(data)
            for name, channel in zip(names, CHANNELS, strict=True)
        })  # fmt: skip

    async def _take(self, frames: Iterable[list[Reading]]) -> None:
        waiting: deque[asyncio.Future[int]] = deque()
        for frame in frames:
            waiting.append(self._store.append(frame))
            if len(waiting) > FRAMES_AHEAD:
                await waiting.popleft()
        await asyncio.gather(*waiting)

    async def _sealed(self, data: Workload) -> dict[str, Any]:
        await self._store.seal(START_MS + (data.seconds + 2 * HOUR_S) * 1000)
        return {"points": self._store.count()}


class EmbeddedReader:
    """The same folder seen by another process, for reading only."""

    def __init__(self, at: str) -> None:
        self._reader = Reader(Path(at))

    def latest(self, seconds: int) -> dict[str, Any]:
        """Return how many channels have a last value."""
        began = time.perf_counter()
        with self._reader.view() as view:
            found = view.latest()
        return {"seconds": time.perf_counter() - began, "channels": len(found)}

    def close(self) -> None:
        """Let go of the files."""
        self._reader.close()


async def _open(at: Path) -> EmbeddedStore:
    return EmbeddedStore.open(at, seals_apart=True)


def _names(data: Workload) -> list[list[str]]:
    return [[f"d{device}/{channel.name}" for channel in CHANNELS] for device in range(data.devices)]


def _frames(data: Workload, first: int, last: int) -> list[list[Reading]]:
    """Return one list of readings per second, each device's six stamped with its poll.

    Made second by second, so that the readings of one lie together in memory as those of one poll do.
    """
    names = [name for of_device in _names(data) for name in of_device]
    values = np.array([
        data.values(device, number, first, last) for device in range(data.devices) for number in range(len(CHANNELS))
    ])  # fmt: skip
    at_ms = np.repeat(data.source_ms[:, first:last], len(CHANNELS), axis=0)
    return [
        [
            Reading(name, value, Quality.GOOD, Reason.NONE, at, at)
            for name, value, at in zip(names, values[:, second].tolist(), at_ms[:, second].tolist(), strict=True)
        ]
        for second in range(last - first)
    ]


def _grouped(frames: list[list[Reading]], most: int = 60_000) -> Iterable[list[list[Reading]]]:
    step = max(1, most // len(frames[0]))
    return (frames[first : first + step] for first in range(0, len(frames), step))
