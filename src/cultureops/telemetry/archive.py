"""Archived months, asked as the store is asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, Self, TypeVar
from zoneinfo import ZoneInfo

import numpy as np

from cultureops.analysis.exposure import ChannelExposure
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.errors import ConfigError
from cultureops.telemetry import rollup
from cultureops.telemetry.archive_contents import Contents
from cultureops.telemetry.exchange import PARQUET, Stretch
from cultureops.telemetry.exposure import decode_exposure
from cultureops.telemetry.month import DAY_HOURS
from cultureops.telemetry.parquet import ParquetFile, RowGroup
from cultureops.telemetry.points import Points, as_readings, is_shown, join, no_points
from cultureops.telemetry.query import read_buckets, read_gaps, read_series
from cultureops.telemetry.store import Buckets, ChannelInfo, Gap, Integers, Series, Watch

__all__ = ["Archive", "is_archive"]

GROUPS_IN_MEMORY: Final = 8

T = TypeVar("T")


def is_archive(path: Path) -> bool:
    """Say whether a path is to be taken for an archive: a file, or a folder with Parquet files in it."""
    return path.is_file() or any(path.glob(f"*{PARQUET}"))


class Archive:
    """The reading half of a TelemetryStore over one month's file or a folder of such; safe to use from any thread.

    Answers are those of the store that was archived, as far as the months reach; only the last digit of a mean may
    differ, where the store had sealed a day in several steps.
    """

    def __init__(self, files: Sequence[tuple[ParquetFile, Contents]]) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._infos = {entry.channel: entry.info for _, contents in files for entry in contents.entries}
        self._index = {name: number for number, name in enumerate(self._infos, 1)}
        self._sight = _Sight(files, self._index)
        self._latest: dict[ChannelId, Reading] | None = None

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file or a folder.

        Raises ConfigError when there is none, for a file that is no archive and for two files of one month, Unreadable
        for damaged ones.
        """
        paths = [path] if path.is_file() else sorted(path.glob(f"*{PARQUET}"))
        if not paths:
            raise ConfigError(f"{path}: no archive is there; give a file or folder that `telemetry archive` wrote")
        opened: dict[str, tuple[Path, ParquetFile, Contents]] = {}
        try:
            for one in paths:
                file = ParquetFile(one, str(one))
                try:
                    contents = Contents.of(file)
                    if contents.month in opened:
                        raise ConfigError(f"{one}: {opened[contents.month][0].name} is of the same month; keep one")
                except BaseException:
                    file.close()
                    raise
                opened[contents.month] = one, file, contents
            return cls([(file, contents) for _, (_, file, contents) in sorted(opened.items())])
        except BaseException:
            for _, file, _ in opened.values():
                file.close()
            raise

    @property
    def zone(self) -> ZoneInfo:
        """The time zone whose offsets the last month's file has."""
        return self._files[-1][1].zone

    def channels(self) -> Mapping[ChannelId, ChannelInfo]:
        """Return every channel that had been declared, as the last file describes it."""
        return self._infos

    def latest(self) -> Mapping[ChannelId, Reading]:
        """Return the last reading of each channel: by arrival where a file knows it, else by when it was received."""
        with self._lock:
            if self._latest is None:
                last = {name: self._latest_of(name) for name in self._infos}
                self._latest = {name: row for name in last for row in as_readings([name] * last[name].size, last[name])}
            return self._latest

    def _latest_of(self, channel: ChannelId) -> Points:
        held = [
            contents
            for _, contents in self._files
            if channel in contents.latest or any(group.channel == channel for group in contents.groups)
        ]
        if not held:
            return no_points()
        frames = max(contents.frames for contents in held)
        for contents in held:
            if contents.frames == frames and channel in contents.latest:
                return contents.latest[channel]
        return self._sight.last_received(self._index[channel])

    def count(self) -> int:
        """Return how many readings there are."""
        return sum(contents.archived.readings for _, contents in self._files)

    async def series(self, channel: ChannelId, start: Instant, end: Instant) -> Series:
        """Return the readings with ``start <= source time < end``; see TelemetryStore."""
        return await self._read(lambda: read_series(self._sight, self._index.get(channel, 0), start, end))

    async def buckets(self, channel: ChannelId, start: Instant, end: Instant, count: int) -> Buckets:
        """Return ``start..end`` in at most ``count`` stretches; see TelemetryStore."""
        return await self._read(lambda: read_buckets(self._sight, self._index.get(channel, 0), start, end, count))

    async def gaps(
        self, start: Instant, end: Instant, channels: Collection[ChannelId] | None = None
    ) -> tuple[Gap, ...]:
        """Return the stretches of BAD readings that touch ``start..end``; see TelemetryStore."""
        wanted = {name: number for name, number in self._index.items() if channels is None or name in channels}
        names = {number: name for name, number in wanted.items()}
        return await self._read(lambda: read_gaps(self._sight.only(wanted), names, start, end))

    async def exposures(self, start: Instant, end: Instant, watches: Sequence[Watch]) -> tuple[ChannelExposure, ...]:
        """Return what each channel did from ``start`` to ``end``; see TelemetryStore."""
        numbered = [(self._index.get(watch.channel, 0), watch) for watch in watches]
        return await self._read(
            lambda: tuple(decode_exposure(self._sight, number, watch, start, end) for number, watch in numbered)
        )

    def kept(self, channels: Sequence[ChannelId] | None, start: Instant, end: Instant) -> Iterator[Stretch]:
        """Return what is kept of each channel, a row group at a time, by source time and then arrival.

        Raises ConfigError for a channel that is not there.
        """
        if unknown := [name for name in channels or () if name not in self._index]:
            known = ", ".join(self._index) or "none"
            raise ConfigError(f"there is no channel {unknown[0]!r} in the archive; known: {known}")
        wanted = list(self._index) if channels is None else channels
        return self._stretches(wanted, start, end)

    def _stretches(self, channels: Iterable[ChannelId], start: Instant, end: Instant) -> Iterator[Stretch]:
        for name in channels:
            for file, group in self._sight.parts(self._index[name], start, end):
                with self._lock:
                    points = self._sight.read(file, group).between(start, end)
                if points.size:
                    yield name, self._infos[name], points

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            for file, _ in self._files:
                file.close()

    async def _read(self, query: Callable[[], T]) -> T:
        return await asyncio.to_thread(self._read_now, query)

    def _read_now(self, query: Callable[[], T]) -> T:
        with self._lock:
            return query()


class _Sight:
    """What queries ask of readings that are kept, answered out of row groups."""

    def __init__(self, files: Sequence[tuple[ParquetFile, Contents]], numbers: Mapping[ChannelId, int]) -> None:
        self._groups: dict[int, list[tuple[ParquetFile, RowGroup]]] = {number: [] for number in numbers.values()}
        for file, contents in files:
            for group in contents.groups:
                self._groups[numbers[group.channel]].append((file, group))
        self.read = lru_cache(GROUPS_IN_MEMORY)(ParquetFile.points)

    def only(self, numbers: Mapping[ChannelId, int]) -> _Sight:
        """Return the sight of some of the channels."""
        part = _Sight((), numbers)
        part._groups = {number: self._groups[number] for number in numbers.values()}
        part.read = self.read
        return part

    def parts(self, channel: int, start: Instant, end: Instant) -> list[tuple[ParquetFile, RowGroup]]:
        """Return, in order of time, the row groups of a channel that reach into ``start..end``."""
        groups = self._groups.get(channel, [])
        return [(file, group) for file, group in groups if group.last_ms >= start and group.first_ms < end]

    def last_received(self, channel: int) -> Points:
        """Return the reading that was received last; of several the one with the latest source time."""
        file, group = max(self._groups[channel], key=lambda one: (one[1].received_ms, one[1].last_ms))
        points = self.read(file, group)
        return points.at(np.flatnonzero(points.received_ms == points.received_ms.max())[-1:])

    def hours(self) -> range:
        """Return the hours between the first and the last of which there are readings."""
        groups = [group for held in self._groups.values() for _, group in held]
        if not groups:
            return range(0)
        first, last = min(group.first_ms for group in groups), max(group.last_ms for group in groups)
        return range(first // HOUR_MS, last // HOUR_MS + 1)

    def tails(self) -> Mapping[int, Points]:
        """Return nothing: all readings lie in row groups."""
        return {}

    def points(self, channel: int, start: Instant, end: Instant) -> Points:
        """Return what is kept of a channel in ``start <= source time < end``, by source time and then arrival."""
        return join([self.read(*part).between(start, end) for part in self.parts(channel, start, end)])

    def kept(self, channel: int, start: Instant, end: Instant, tail: Points) -> Points:
        """Do as ``points``."""
        return self.points(channel, start, end)

    def minutes(self, channel: int, first_hour: int, end_hour: int) -> tuple[Integers, rollup.Minutes]:
        """Return when each minute begins [ms] and the minutes of the days that hold readings."""
        first, end = first_hour // DAY_HOURS, -(-end_hour // DAY_HOURS)
        days, packed = [], []
        for day in self._days(channel, range(first, end)):
            kept = self.points(channel, day * DAY_MS, (day + 1) * DAY_MS)
            if kept.size:
                shown = kept.at(is_shown(kept.source_ms))
                rolled_up = rollup.roll_up(shown, shown.source_ms % DAY_MS // MINUTE_MS, rollup.MINUTES)
                days.append(day)
                packed.append(rollup.pack(rolled_up))  # sums as exact as those that were sealed
        begins = np.array(days, np.int64)[:, None] * rollup.MINUTES + np.arange(rollup.MINUTES)
        return begins.reshape(-1) * MINUTE_MS, rollup.unpack(packed)

    def _days(self, channel: int, days: range) -> list[int]:
        found: set[int] = set()
        for _, group in self.parts(channel, days.start * DAY_MS, days.stop * DAY_MS):
            found.update(day for day in range(group.first_ms // DAY_MS, group.last_ms // DAY_MS + 1) if day in days)
        return sorted(found)

    def bad_hours(self, first_hour: int, end_hour: int) -> Mapping[int, set[int]]:
        """Return, by channel, the hours in which there are BAD readings."""
        start, end = first_hour * HOUR_MS, end_hour * HOUR_MS
        found: dict[int, set[int]] = {}
        for channel in self._groups:
            for file, group in self.parts(channel, start, end):
                if group.bad:
                    points = self.read(file, group).between(start, end)
                    hours = np.unique(points.source_ms[points.bad] // HOUR_MS)
                    found.setdefault(channel, set()).update(hours.tolist())
        return found

    def walk(self, channel: int, hours: range) -> Iterator[int]:
        """Yield those of the hours, in their order, in which there are readings of a channel."""
        if not hours:
            return
        first, last = min(hours[0], hours[-1]), max(hours[0], hours[-1])
        before = None
        for file, group in self.parts(channel, first * HOUR_MS, (last + 1) * HOUR_MS)[:: hours.step]:
            for hour in np.unique(self.read(file, group).source_ms // HOUR_MS)[:: hours.step].tolist():
                if hour in hours and hour != before:
                    before = hour
                    yield hour
