"""A month of readings in one Parquet file, for good: written beside a running store, read back, and asked like it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final, Self, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import rfc8785

from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant
from cultureops.device.channel import ChannelId, Kind
from cultureops.device.reading import Quality, Reading
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.telemetry import rollup
from cultureops.telemetry.exchange import PARQUET, Stretch, kept_readings
from cultureops.telemetry.local_time import zone_named
from cultureops.telemetry.month import DAY_HOURS, hour_after
from cultureops.telemetry.parquet import FORMAT, ParquetFile, ParquetWriter, RowGroup
from cultureops.telemetry.points import Points, as_readings, is_shown, join, no_points
from cultureops.telemetry.query import read_buckets, read_gaps, read_series
from cultureops.telemetry.reader import Reader
from cultureops.telemetry.store import Buckets, ChannelInfo, Gap, Integers, Series

__all__ = ["Archive", "Archived", "archive_month", "check_archive", "file_name", "is_archive", "month_range"]

GROUPS_IN_MEMORY: Final = 8
_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_ROW: Final = np.dtype(
    [("source_ms", "<i8"), ("received_ms", "<i8"), ("value", "<f8"), ("quality", "u1"), ("reason", "u1")]
)
"""A reading as it is hashed; the value is the quiet NaN 0x7ff8000000000000 where BAD."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Archived:
    """What a month's file holds; ``sha256`` [hex] is over its readings and channels, not over its bytes."""

    month: str
    readings: int
    channels: int
    sha256: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a file says of a channel: how it was described, and how many readings with which SHA-256 [hex] it has."""

    channel: ChannelId
    info: ChannelInfo
    readings: int = 0
    sha256: str = ""

    def row(self) -> dict[str, str | int | bool]:
        info = self.info
        return {
            "channel": self.channel, "unit": info.unit, "decimals": info.decimals, "kind": info.kind.value,
            "verified": info.verified, "simulated": info.simulated, "readings": self.readings, "sha256": self.sha256,
        }  # fmt: skip

    @classmethod
    def of(cls, row: Mapping[str, object]) -> _Entry:
        """Read what ``row`` wrote; raises KeyError, TypeError or ValueError."""
        info = ChannelInfo(
            str(row["unit"]), int(str(row["decimals"])), Kind(str(row["kind"])), bool(row["verified"]),
            bool(row["simulated"]),
        )  # fmt: skip
        return cls(str(row["channel"]), info, int(str(row["readings"])), str(row["sha256"]))


class _Digest:
    """Counts and hashes readings channel by channel, however they are parted."""

    def __init__(self) -> None:
        self._hashes: dict[ChannelId, tuple[int, hashlib._Hash]] = {}

    def add(self, channel: ChannelId, points: Points) -> None:
        count, sha256 = self._hashes.get(channel) or (0, hashlib.sha256())
        rows = np.empty(points.size, _ROW)
        for name, column in zip(_ROW.names or (), points.columns(), strict=True):
            rows[name] = column
        rows["value"][points.bad] = np.nan
        sha256.update(rows.tobytes())
        self._hashes[channel] = count + points.size, sha256

    def entries(self, infos: Mapping[ChannelId, ChannelInfo]) -> list[_Entry]:
        """Return an entry for each of the channels, in their order."""
        counted = {name: (count, sha256.hexdigest()) for name, (count, sha256) in self._hashes.items()}
        return [_Entry(name, info, *counted.get(name, (0, ""))) for name, info in infos.items()]


def _sha256(month: str, entries: Iterable[_Entry]) -> str:
    """Return the SHA-256 of the month and one RFC 8785 line for each channel that has readings, by name."""
    held = sorted((entry for entry in entries if entry.readings), key=lambda entry: entry.channel)
    lines = [month.encode(), *(rfc8785.dumps(entry.row()) for entry in held)]
    return hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()


def _archived(month: str, entries: Sequence[_Entry]) -> Archived:
    counts = [entry.readings for entry in entries]
    return Archived(month, sum(counts), sum(count > 0 for count in counts), _sha256(month, entries))


def month_range(month: str) -> tuple[Instant, Instant]:
    """Return begin and end of a month such as 2026-10 [ms UTC]; raise ConfigError for what is none."""
    found = _MONTH.fullmatch(month)
    if found is None or int(found[1]) == 0:
        raise ConfigError(f"{month!r} is no month; write e.g. 2026-10")
    begin = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)
    return int(begin.timestamp()) * 1000, hour_after(month) * HOUR_MS


def file_name(month: str, *, so_far: bool) -> str:
    """Return what the file of a month is called; that of a month so far never bears the name of the whole one."""
    return f"{month}-so-far{PARQUET}" if so_far else f"{month}{PARQUET}"


def archive_month(
    folder: Path, month: str, zone: ZoneInfo, out: BinaryIO, now: Instant, *, so_far: bool,
    show: Callable[[int, int], None],
) -> Archived:  # fmt: skip
    """Write all readings of a month, superseded ones too, by channel and time, read them back and compare.

    ``out`` is a new file open for writing and reading; ``show`` is told how many channels of how many are done.
    Nothing is taken out of the store. Raises ConfigError for a month that is not over or not sealed, unless ``so_far``
    asks for what there is; StorageError when it holds no readings or the file does not give back what was written.
    """
    start, end = month_range(month)
    if now < end and not so_far:
        raise ConfigError(f"{month} is not over in UTC; archive it then, or give --so-far for what there is")
    infos, notes = _look(folder, month, start, end, so_far=so_far)
    names = sorted(infos)
    digest, writer, steps = _Digest(), ParquetWriter(out, zone), 2 * len(names)
    for name, info, points in kept_readings(folder, names, start, end):
        digest.add(name, points)
        writer.write(name, info, points)
        infos[name] = info
        show(names.index(name), steps)
    entries = digest.entries(infos)
    found = _archived(month, entries)
    if not found.readings:
        raise StorageError(f"{folder}: holds no readings of {month}")
    rows = [entry.row() for entry in entries]
    writer.close(
        notes
        | {"format": FORMAT, "month": month, "zone": zone.key, "readings": str(found.readings), "sha256": found.sha256}
        | {"channels": json.dumps(rows, ensure_ascii=False)}
    )
    out.flush()
    out.seek(0)
    with ParquetFile(out, "the file just written") as file:
        if _read_back(file, lambda name: show(len(names) + names.index(name), steps)) != found:
            raise StorageError(f"{month}: the file just written holds something else than the store; check the disk")
    return found


def _look(
    folder: Path, month: str, start: Instant, end: Instant, *, so_far: bool
) -> tuple[dict[ChannelId, ChannelInfo], dict[str, str]]:
    """Return the channels by number, and what to note of the moment; refuse what is not sealed."""
    reader = Reader(folder)
    try:
        with reader.view() as view:
            described = view.channels()
            waiting = view.unsealed(start, end).channel.size
            if waiting and not so_far:
                raise ConfigError(
                    f"{folder}: {waiting} readings of {month} are not sealed yet; a lab that runs seals them within "
                    "the hour, or give --so-far for what there is"
                )
            names = {number: name for name, (number, _) in described.items()}
            latest = {
                names[number]: [*(column.tolist()[0] for column in points.columns())]
                for number, points in view.latest().items()
                if start <= points.source_ms[0] < end
            }
            for row in latest.values():
                row[2] = None if row[3] == Quality.BAD else row[2]
            frames = view.journal.execute(
                "SELECT coalesce((SELECT max(seq) FROM frames), (SELECT seq FROM dropped))"
            ).fetchone()[0]
        infos = {name: info for name, (_, info) in described.items()}
        return infos, {"latest": json.dumps(latest, ensure_ascii=False), "frames": str(frames)}
    finally:
        reader.close()


def check_archive(path: Path) -> Archived:
    """Read a whole file and compare it with the SHA-256 it notes of itself; raise Unreadable when they differ."""
    with ParquetFile(path, str(path)) as file:
        noted = _Contents.of(file).archived
        found = _read_back(file, lambda name: None)
        if found != noted:
            raise Unreadable(f"{path}: holds {found.readings} readings with SHA-256 {found.sha256}, noted were "
                             f"{noted.readings} with {noted.sha256}; take it from a backup")  # fmt: skip
        return found


def _read_back(file: ParquetFile, show: Callable[[ChannelId], None]) -> Archived:
    """Read every reading of a file and say what it holds."""
    contents = _Contents.of(file)
    infos = {entry.channel: entry.info for entry in contents.entries}
    digest = _Digest()
    for group in contents.groups:
        points = file.points(group)
        if not file.is_labelled(group, infos[group.channel], points):
            raise Unreadable(
                f"{file.name}: row group {group.number}: unit, simulated or superseded are not as noted of "
                f"{group.channel}; take the file from a backup"
            )
        digest.add(group.channel, points)
        show(group.channel)
    return _archived(contents.month, digest.entries(infos))


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a file says of itself; ``latest`` are the readings that were the store's last ones after ``frames``."""

    month: str
    zone: ZoneInfo
    entries: tuple[_Entry, ...]
    latest: Mapping[ChannelId, Points]
    frames: int
    sha256: str
    groups: tuple[RowGroup, ...]

    @property
    def archived(self) -> Archived:
        counts = [entry.readings for entry in self.entries]
        return Archived(self.month, sum(counts), sum(count > 0 for count in counts), self.sha256)

    @classmethod
    def of(cls, file: ParquetFile) -> _Contents:
        """Read the notes of a file; raises ConfigError for one that is no archive, Unreadable for a damaged one."""
        notes, path = file.notes, file.name
        if "month" not in notes:
            raise ConfigError(f"{path}: is no archive; give a file that `telemetry archive` wrote, or import this one")
        if notes.get("format") != FORMAT:
            raise Unreadable(
                f"{path}: is of format {notes.get('format')}, this program knows {FORMAT}; update cultureops first"
            )
        try:
            found = cls(
                notes["month"], zone_named(notes["zone"]), tuple(map(_Entry.of, json.loads(notes["channels"]))),
                {name: _one_point(*row) for name, row in json.loads(notes["latest"]).items()}, int(notes["frames"]),
                notes["sha256"], file.row_groups(),
            )  # fmt: skip
            start, end = month_range(found.month)
        except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
            raise Unreadable(f"{path}: what the file says of itself is damaged: {error!r}") from None
        if any(not start <= group.first_ms <= group.last_ms < end for group in found.groups):
            raise Unreadable(f"{path}: holds readings that are not of {found.month}; take it from a backup")
        if {group.channel for group in found.groups} != {entry.channel for entry in found.entries if entry.readings}:
            raise Unreadable(f"{path}: channels and readings do not belong together; take it from a backup")
        return found


def _one_point(source_ms: int, received_ms: int, value: float | None, quality: int, reason: int) -> Points:
    return Points(
        np.array([source_ms]), np.array([received_ms]), np.array([np.nan if value is None else value]),
        np.array([quality], np.uint8), np.array([reason], np.uint8),
    )  # fmt: skip


def is_archive(path: Path) -> bool:
    """Say whether a path is to be taken for an archive: a file, or a folder with Parquet files in it."""
    return path.is_file() or any(path.glob(f"*{PARQUET}"))


class Archive:
    """The reading half of a TelemetryStore over one month's file or a folder of such; safe to use from any thread.

    Answers are those of the store that was archived, as far as the months reach; only the last digit of a mean may
    differ, where the store had sealed a day in several steps.
    """

    def __init__(self, files: Sequence[tuple[ParquetFile, _Contents]]) -> None:
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
        opened: dict[str, tuple[Path, ParquetFile, _Contents]] = {}
        try:
            for one in paths:
                file = ParquetFile(one, str(one))
                try:
                    contents = _Contents.of(file)
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

    def __init__(self, files: Sequence[tuple[ParquetFile, _Contents]], numbers: Mapping[ChannelId, int]) -> None:
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
