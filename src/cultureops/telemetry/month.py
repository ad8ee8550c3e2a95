"""One month's file: sealed chunks, roll-ups, and how far sealing has come.

A chunk's number is its hour, channel and generation in one integer, so that chunks lie in the file in the order in
which they are sealed. What arrives late for a month that is closed lies in the file that is open then.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self, TypeVar

import numpy as np
import structlog

from cultureops.clock import DAY_MS, HOUR_MS
from cultureops.device.channel import ChannelId
from cultureops.errors import Unreadable
from cultureops.telemetry import chunk
from cultureops.telemetry.extent import Extent
from cultureops.telemetry.file import leave_log_mode, open_reader, open_writer, rename_durably
from cultureops.telemetry.journal import CHANNELS_TABLE, write_channel
from cultureops.telemetry.points import Points
from cultureops.telemetry.store import ChannelInfo

__all__ = [
    "ALL_HOURS", "DAY_HOURS", "END_MS", "FIRST_MS", "ChunkRow", "Key", "Month", "MonthWriter", "Pass", "hour_after",
    "month_files", "month_of",
]  # fmt: skip

log = structlog.get_logger(__name__)

T = TypeVar("T")

DAY_HOURS: Final = DAY_MS // HOUR_MS
FIRST_MS: Final = -719_162 * DAY_MS
END_MS: Final = 2_932_897 * DAY_MS
"""Source times that can be sealed: the years 1 to 9999."""
ALL_HOURS: Final = END_MS // HOUR_MS
PAGE_BYTES: Final = 16_384
FOLD_AFTER_COMMITS: Final = 16
UNFINISHED: Final = ".new"
_GENERATIONS: Final = 1 << 16
_CHANNELS: Final = 1 << 20
_DAYS: Final = 1 << 24
_HOUR_0, _DAY_0 = 1 << 25, 1 << 21  # hours and days are counted from 1970: all numbers are to be positive
_NAME: Final = re.compile(r"(\d{4})-(\d\d)\.sqlite")
_SCHEMA: Final = f"""{CHANNELS_TABLE}
CREATE TABLE stamps(id INTEGER PRIMARY KEY, payload BLOB NOT NULL);
CREATE TABLE chunks(
    id INTEGER PRIMARY KEY, pass INTEGER NOT NULL, stamps INTEGER NOT NULL, readings INTEGER NOT NULL,
    bad INTEGER NOT NULL, sha256 BLOB NOT NULL, payload BLOB NOT NULL);
CREATE INDEX chunks_by_pass ON chunks(pass);
CREATE INDEX chunks_with_bad ON chunks(id) WHERE bad > 0;
CREATE TABLE rollups(id INTEGER PRIMARY KEY, payload BLOB NOT NULL);
CREATE TABLE latest(
    channel INTEGER PRIMARY KEY, source_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL, value REAL,
    quality INTEGER NOT NULL, reason INTEGER NOT NULL);
CREATE TABLE passes(
    number INTEGER PRIMARY KEY, seq INTEGER NOT NULL, before_hour INTEGER NOT NULL, readings INTEGER NOT NULL);
CREATE TABLE extent(
    only INTEGER PRIMARY KEY CHECK(only = 1), floor INTEGER NOT NULL, seq INTEGER NOT NULL,
    before_hour INTEGER NOT NULL, pass_seq INTEGER NOT NULL, pass_before_hour INTEGER NOT NULL,
    pass_channel INTEGER NOT NULL, passes INTEGER NOT NULL);
INSERT INTO extent VALUES(1, 0, 0, 0, 0, 0, 0, 0);
"""
_GOES_ON: Final = ("channels", "latest", "extent")
_CHUNKS: Final = "SELECT c.id, c.readings, c.sha256, s.payload, c.payload"
_STAMPS: Final = "LEFT JOIN stamps AS s ON s.id = c.stamps"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which chunk: hour since 1970, channel number, and how often the hour had been sealed before."""

    hour: int
    channel: int
    generation: int = 0

    @property
    def number(self) -> int:
        """The chunk's row number."""
        return ((self.hour + _HOUR_0) * _CHANNELS + self.channel) * _GENERATIONS + self.generation

    @classmethod
    def of(cls, number: int) -> Key:
        """Take a row number apart."""
        rest, generation = divmod(number, _GENERATIONS)
        hour, channel = divmod(rest, _CHANNELS)
        return cls(hour - _HOUR_0, channel, generation)


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass of sealing: which chunks it wrote, as (number, SHA-256) in the order of their numbers."""

    number: int
    before_hour: int
    chunks: tuple[tuple[int, bytes], ...]


def month_of(hour: int) -> str:
    """Return the month of an hour since 1970, as in 2026-11."""
    try:
        found = datetime.fromtimestamp(hour * 3600, UTC)
    except (ValueError, OverflowError, OSError):
        return "9999-12" if hour > 0 else "0001-01"
    return f"{found.year:04}-{found.month:02}"


def hour_after(month: str) -> int:
    """Return the first hour after a month."""
    year, number = int(month[:4]), int(month[5:])
    if (year, number) >= (9999, 12):
        return ALL_HOURS
    after = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return int(after.timestamp()) // 3600


def month_files(folder: Path) -> list[Path]:
    """Return the files of all months, in order."""
    return [folder / name for name in sorted(os.listdir(folder)) if _NAME.fullmatch(name)]


class Month:
    """What one month's file holds; raises Unreadable for a file that can't be opened."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self.name = path.stem
        self.db = db
        self._closed_range: tuple[int, int] | None = None

    @classmethod
    def open(cls, path: Path, *, is_closed: bool) -> Self:
        """Open a file for reading only; what is closed is not looked at for changes."""
        month = cls(path, open_reader(path))
        if is_closed:
            month._closed_range = month._hour_range()
        return month

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    def sealed_counts(self) -> tuple[int, int]:
        """Return how many chunks the file holds, and how many readings are in them."""
        chunks, readings = self.db.execute("SELECT count(*), coalesce(sum(readings), 0) FROM chunks").fetchone()
        return int(chunks), int(readings)

    def _hour_range(self) -> tuple[int, int]:
        first, last = self.db.execute("SELECT (SELECT min(id) FROM chunks), (SELECT max(id) FROM chunks)").fetchone()
        return (0, 0) if first is None else (Key.of(first).hour, Key.of(last).hour + 1)

    def all_hours(self) -> range:
        """Return the hours between the first and the last of which there are chunks."""
        return range(*(self._closed_range or self._hour_range()))

    def hours(self, first: int, end: int) -> range:
        """Return those of the hours ``first <= hour < end`` of which there may be chunks."""
        known = self.all_hours()
        return range(max(first, known.start), min(end, known.stop))

    def read_extent(self) -> Extent:
        """Return how far sealing had come when the file was written last."""
        return Extent(*self.db.execute("SELECT * FROM extent").fetchone()[1:])

    def hours_of(self, channel: int, first: int, end: int) -> list[int]:
        """Return those of the hours ``first <= hour < end`` of which there may be chunks of a channel."""
        known = self.hours(first, end)
        if len(known) <= DAY_HOURS:
            return list(known)
        days = self.db.execute(
            "SELECT id FROM rollups WHERE id BETWEEN ? AND ? ORDER BY id",
            (_day_number(channel, known[0] // DAY_HOURS), _day_number(channel, known[-1] // DAY_HOURS)),
        )
        midnights = [_day_of(number) * DAY_HOURS for (number,) in days]
        return [hour for midnight in midnights for hour in range(midnight, midnight + DAY_HOURS) if hour in known]

    def walk(self, channel: int, hours: range) -> Iterator[int]:
        """Yield those of the hours, in their order, of which there are chunks of a channel."""
        known = self.hours(min(hours[0], hours[-1]), max(hours[0], hours[-1]) + 1) if hours else range(0)
        if not known:
            return
        days = self.db.execute(
            f"SELECT id FROM rollups WHERE id BETWEEN ? AND ? ORDER BY id {'ASC' if hours.step > 0 else 'DESC'}",
            (_day_number(channel, known[0] // DAY_HOURS), _day_number(channel, known[-1] // DAY_HOURS)),
        )
        for (number,) in days:
            midnight = _day_of(number) * DAY_HOURS
            of_day = range(midnight, midnight + DAY_HOURS)[:: hours.step]
            chunks = self.db.execute(
                "SELECT first.value FROM json_each(?) AS first WHERE EXISTS "
                f"(SELECT 1 FROM chunks WHERE id BETWEEN first.value AND first.value + {_GENERATIONS - 1})",
                (json.dumps([Key(hour, channel).number for hour in of_day if hour in hours]),),
            )
            yield from (Key.of(found).hour for (found,) in chunks)

    def chunk_rows(self, channel: int, hours: Iterable[int]) -> Iterator[ChunkRow]:
        """Yield a channel's chunks of these hours, by hour and generation, still packed."""
        firsts = json.dumps([Key(hour, channel).number for hour in hours])
        for row in self.db.execute(
            f"{_CHUNKS} FROM json_each(?) AS first "
            f"CROSS JOIN chunks AS c ON c.id BETWEEN first.value AND first.value + {_GENERATIONS - 1} {_STAMPS}",
            (firsts,),
        ):
            yield ChunkRow(*row)

    def chunks(self, channel: int, hours: Iterable[int]) -> Iterator[Points]:
        """Yield a channel's readings, by hour and generation; raises Unreadable, naming file and chunk."""
        for row in self.chunk_rows(channel, hours):
            yield self.opened(row)

    def opened(self, row: ChunkRow) -> Points:
        """Give back a chunk's readings; raise Unreadable when its bytes are not those that were sealed."""
        return self._named(row, row.points)

    def stamps(self, row: ChunkRow) -> bytes:
        """Return a chunk's packed times; raise Unreadable as ``opened`` does."""
        return self._named(row, row.sealed_stamps)

    def _named(self, row: ChunkRow, read: Callable[[], T]) -> T:
        try:
            return read()
        except Unreadable as error:
            raise Unreadable(f"{self.path}: {Key.of(row.number)}: {error}; restore the file from a backup") from None

    def chunk_rows_of_pass(self, number: int, after: int) -> Iterator[ChunkRow]:
        """Yield the chunks that a pass wrote beyond chunk ``after``, by number."""
        for row in self.db.execute(f"{_CHUNKS} FROM chunks AS c {_STAMPS} WHERE c.pass = ? AND c.id > ? "
                                   "ORDER BY c.id", (number, after)):  # fmt: skip
            yield ChunkRow(*row)

    def all_chunk_rows(self) -> Iterator[ChunkRow]:
        """Yield every chunk, by number."""
        for row in self.db.execute(f"{_CHUNKS} FROM chunks AS c {_STAMPS} ORDER BY c.id"):
            yield ChunkRow(*row)

    def pass_numbers(self, after: int) -> list[tuple[int, int]]:
        """Return number and last frame of the passes that ended in this file, beyond number ``after``."""
        return self.db.execute("SELECT number, seq FROM passes WHERE number > ? ORDER BY number", (after,)).fetchall()

    def readings_after_pass(self, number: int) -> int:
        """Return how many readings later passes sealed in this file."""
        found = self.db.execute("SELECT coalesce(sum(readings), 0) FROM passes WHERE number > ?", (number,))
        return int(found.fetchone()[0])

    def bad_hours(self, first_hour: int, end_hour: int) -> Iterator[Key]:
        """Yield the chunks that hold BAD readings, by key."""
        rows = self.db.execute(
            "SELECT id FROM chunks INDEXED BY chunks_with_bad WHERE bad > 0 AND id >= ? AND id < ?",
            (Key(first_hour, 0).number, Key(end_hour, 0).number),
        )
        for (number,) in rows:
            yield Key.of(number)

    def days(self, channel: int, first_day: int, end_day: int) -> dict[int, bytes]:
        """Return a channel's packed roll-ups by day since 1970, ascending."""
        rows = self.db.execute(
            "SELECT id, payload FROM rollups WHERE id >= ? AND id < ? ORDER BY id",
            (_day_number(channel, first_day), _day_number(channel, end_day)),
        )
        return {_day_of(number): payload for number, payload in rows}

    def all_days(self) -> Iterator[tuple[tuple[int, int], bytes]]:
        """Yield every packed roll-up, with channel number and day since 1970."""
        for number, payload in self.db.execute("SELECT id, payload FROM rollups ORDER BY id"):
            yield (number // _DAYS, _day_of(number)), payload

    def latest(self) -> Iterator[tuple[int, Points]]:
        """Yield channel number and last sealed reading by arrival."""
        for channel, source_ms, received_ms, value, quality, reason in self.db.execute("SELECT * FROM latest"):
            yield channel, Points(
                np.array([source_ms]), np.array([received_ms]), np.array([np.nan if value is None else value]),
                np.array([quality], np.uint8), np.array([reason], np.uint8),
            )  # fmt: skip

    def passes(self, after: int) -> Iterator[Pass]:
        """Yield the passes that ended in this file, beyond number ``after``."""
        rows = self.db.execute("SELECT number, before_hour FROM passes WHERE number > ? ORDER BY number", (after,))
        for number, before_hour in rows.fetchall():
            chunks = self.db.execute("SELECT id, sha256 FROM chunks WHERE pass = ? ORDER BY id", (number,)).fetchall()
            yield Pass(number, before_hour, tuple(chunks))


class MonthWriter(Month):
    """The one writer of the month that is open; its file bears its name from the moment on that it is whole."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        super().__init__(path, db)
        self.extent = self.read_extent()
        self._since_fold = 0

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Go on with a file; raises Unreadable or StorageError."""
        return cls(path, open_writer(path, _SCHEMA, PAGE_BYTES))

    @classmethod
    def create(cls, folder: Path, name: str, before: MonthWriter | None) -> Self:
        """Begin a month that goes on from the one before."""
        path, unfinished = folder / f"{name}.sqlite", folder / f"{name}.sqlite{UNFINISHED}"
        for left in folder.glob(f"*.sqlite{UNFINISHED}*"):
            left.unlink()
        db = open_writer(unfinished, _SCHEMA, PAGE_BYTES)
        try:
            if before is not None:
                db.execute("BEGIN")
                for table in _GOES_ON:
                    rows = before.db.execute(f"SELECT * FROM {table}").fetchall()
                    if rows:
                        marks = ", ".join("?" * len(rows[0]))
                        db.executemany(f"INSERT OR REPLACE INTO {table} VALUES({marks})", rows)
                db.execute("COMMIT")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            db.close()
        rename_durably(unfinished, path)
        return cls.reopen(path)

    def end(self) -> Month:
        """Close the month for good and return it for reading."""
        self.close()
        close_for_good(self.path)
        return Month.open(self.path, is_closed=True)

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        with suppress(sqlite3.Error):  # what can't be folded now stays durable in the log
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all of what is inside or nothing of it; it is durable when the pass has ended, or no pass was begun."""
        extent = self.extent
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("UPDATE extent SET floor = ?, seq = ?, before_hour = ?, pass_seq = ?, "
                            "pass_before_hour = ?, pass_channel = ?, passes = ?", self.extent.row())  # fmt: skip
            self.db.execute("COMMIT")
        except BaseException:
            self.extent = extent
            if self.db.in_transaction:
                with suppress(sqlite3.Error):
                    self.db.execute("ROLLBACK")
            raise
        self._since_fold += 1
        if self._since_fold >= FOLD_AFTER_COMMITS:
            self._since_fold = 0
            with suppress(sqlite3.Error):
                self.db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def begin(self, seq: int, before_hour: int) -> None:
        """Begin a pass over the frames up to ``seq``.

        Its commits wait for no disk. A power cut may undo the last ones, with the extent that tells of them; the frames
        are still in the journal then.
        """
        self.db.execute("PRAGMA synchronous=NORMAL")
        with self.transaction():
            self.extent = self.extent.begin(seq, before_hour)

    def done(self, channel: int) -> None:
        """Say, inside a transaction, that every channel up to this one is sealed."""
        self.extent = self.extent.done(channel)

    def end_pass(self, floor: int) -> None:
        """End the pass and make all of it durable."""
        self.db.execute("PRAGMA synchronous=FULL")
        with self.transaction():
            self.extent = self.extent.end(floor)
            number = self.extent.passes
            self.db.execute(
                "INSERT INTO passes SELECT ?, ?, ?, coalesce(sum(readings), 0) FROM chunks WHERE pass = ?",
                (number, self.extent.seq, self.extent.before_hour, number),
            )

    def describe(self, channels: Mapping[ChannelId, tuple[int, ChannelInfo]]) -> None:
        """Keep what is known of the channels beside their readings."""
        with self.transaction():
            for name, (number, info) in channels.items():
                write_channel(self.db, name, number, info)

    def put_stamps(self, packed: bytes) -> tuple[int, bytes]:
        """Write packed times; returns their row and themselves."""
        return self.db.execute("INSERT INTO stamps(payload) VALUES(?)", (packed,)).lastrowid or 0, packed

    def put_chunk(self, key: Key, stamps: tuple[int, bytes], points: Points) -> None:
        """Seal readings of one channel and hour."""
        row, packed = stamps
        values = chunk.encode_values(points)
        self.db.execute(
            "INSERT INTO chunks VALUES(?, ?, ?, ?, ?, ?, ?)",
            (
                key.number, self.extent.passes + 1, row, points.size, int(points.bad.sum()),
                chunk.digest(key.number, packed, values), values,
            ),
        )  # fmt: skip

    def put_day(self, channel: int, day: int, packed: bytes) -> None:
        """Write a channel's roll-up of a day."""
        self.db.execute("INSERT OR REPLACE INTO rollups VALUES(?, ?)", (_day_number(channel, day), packed))

    def keep_latest(self, latest: Mapping[int, Points]) -> None:
        """Write the last reading of channels."""
        self.db.executemany(
            "INSERT OR REPLACE INTO latest VALUES(?, ?, ?, ?, ?, ?)",
            [(number, *_as_stored(points)) for number, points in latest.items()],
        )


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk as it lies in the file."""

    number: int
    readings: int
    sha256: bytes
    stamps: bytes | None
    values: bytes

    @property
    def hour(self) -> int:
        """The hour since 1970."""
        return self.number // (_CHANNELS * _GENERATIONS) - _HOUR_0

    def points(self) -> Points:
        """Give back the readings; raise Unreadable when the bytes are not those that were sealed."""
        return chunk.decode(self.sealed_stamps(), self.values, self.readings)

    def sealed_stamps(self) -> bytes:
        """Return the packed times; raise Unreadable as ``points`` does."""
        if self.stamps is None or chunk.digest(self.number, self.stamps, self.values) != self.sha256:
            raise Unreadable("a chunk whose SHA-256 does not match its bytes")
        return self.stamps


def close_for_good(path: Path) -> None:
    """Make a month's file one that is only read; where somebody reads it just now, the next start does it."""
    if not path.stat().st_mode & stat.S_IWUSR:
        return
    try:
        if leave_log_mode(path):
            path.chmod(0o444)
    except sqlite3.OperationalError as error:
        log.info("a month's file is read by others and stays as it is until the next start", file=str(path),
                 error=str(error))  # fmt: skip


def _day_number(channel: int, day: int) -> int:
    return channel * _DAYS + day + _DAY_0


def _day_of(number: int) -> int:
    return number % _DAYS - _DAY_0


def _as_stored(points: Points) -> tuple[int | float | None, ...]:
    value = float(points.value[0])
    return (
        int(points.source_ms[0]), int(points.received_ms[0]), None if value != value else value,
        int(points.quality[0]), int(points.reason[0]),
    )  # fmt: skip
