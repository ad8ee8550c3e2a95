"""The store inside cultureops: a folder of SQLite files; one thread writes the journal, one seals, one reads."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import structlog

from cultureops.analysis.exposure import ChannelExposure
from cultureops.clock import HOUR_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.errors import StorageError
from cultureops.telemetry.exposure import read_exposures
from cultureops.telemetry.file import lock_for_writing
from cultureops.telemetry.follow import Cursor, Extract, follow
from cultureops.telemetry.frame import MAX_READINGS, take_apart
from cultureops.telemetry.inbox import Append, Inbox, Work
from cultureops.telemetry.journal import Journal, Written
from cultureops.telemetry.migrate import migrate
from cultureops.telemetry.month import ALL_HOURS, END_MS, FIRST_MS, Pass
from cultureops.telemetry.points import as_readings
from cultureops.telemetry.query import read_buckets, read_gaps, read_series
from cultureops.telemetry.reader import Reader, View
from cultureops.telemetry.reading_thread import ReadingThread
from cultureops.telemetry.sealing import Sealing
from cultureops.telemetry.store import Buckets, ChannelInfo, Gap, Series, Watch

__all__ = ["EmbeddedStore"]

log = structlog.get_logger(__name__)

MOST_WAITING_READINGS: Final = 500_000
MOST_UNSEALED_READINGS: Final = 4_000_000
MOST_APPENDS_A_COMMIT: Final = 256
RETRY_AFTER_S: Final = 1.0

T = TypeVar("T")


class EmbeddedStore:
    """A TelemetryStore in one folder.

    Appends wait in memory for the writer's thread, which commits all that wait at once as one frame. When a commit
    fails, the futures of all appends that wait fail, but the readings stay in line and are tried again: what was
    accepted while the disk was full is kept when there is room again. Beyond ``MOST_WAITING_READINGS`` the oldest are
    given up. Sealing happens beside it: when ``seal`` asks, or when ``MOST_UNSEALED_READINGS`` lie in the journal.
    """

    def __init__(self, folder: Path, journal: Journal, reader: Reader, sealing: Sealing, gather_s: float) -> None:
        self._folder = folder
        self._journal = journal
        self._reader = reader
        self._sealing = sealing
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox(MOST_WAITING_READINGS, gather_s)
        with reader.view() as view:
            described = view.channels()
            self._index = {name: number for name, (number, _) in described.items()}
            self._infos = {name: info for name, (_, info) in described.items()}
            names = {number: name for name, number in self._index.items()}
            self._latest: dict[ChannelId, Reading] = {
                names[number]: reading
                for number, points in view.latest().items()
                for reading in as_readings([names[number]], points)
            }
        self._written = journal.written
        self._failure: StorageError | None = None
        self._lost = 0
        self._closed = False
        self._let_go = ExitStack()
        self._queries = ReadingThread("telemetry-queries")
        self._thread = threading.Thread(target=self._write_until_closed, name="telemetry", daemon=True)
        self._thread.start()
        sealing.start(self._inbox.nudge)

    @classmethod
    def open(cls, folder: Path, *, gather_s: float = 0.0, seals_apart: bool = False) -> Self:
        """Open or create the folder; call with a running event loop.

        With ``gather_s`` commits begin at least so far apart, for labs with very many devices. With ``seals_apart``
        a process of its own seals, so that polling never waits for it; otherwise a thread does. Raises Unreadable for
        files that are damaged, not ours or of a newer format, StorageError when they can't be written or another
        process writes to them.
        """
        migrate(folder)
        with ExitStack() as undo:
            lock = lock_for_writing(folder)
            undo.callback(os.close, lock)
            try:
                journal = Journal(folder)
                undo.callback(journal.close)
                sealing = Sealing(folder, lock if seals_apart else None)
                undo.callback(sealing.stop)
                reader = Reader(folder)
                undo.callback(reader.close)
                store = cls(folder, journal, reader, sealing, gather_s)
            except (sqlite3.Error, OSError) as error:
                raise StorageError(f"{folder}: {error}; restore it from a backup or free the disk") from None
            store._let_go = undo.pop_all()
            return store

    @property
    def failure(self) -> StorageError | None:
        """Why readings can't be kept or sealed at present; None when they can."""
        return self._failure or self._sealing.failure

    @property
    def durable(self) -> tuple[int, str]:
        """Number and SHA-256 [hex] of the last durable frame; (0, "") before the first."""
        return self._written.seq, self._written.sha256

    def count(self) -> int:
        """Return how many readings are durable."""
        return self._written.total

    def latest(self) -> Mapping[ChannelId, Reading]:
        """Return the last reading of each channel, by arrival, durable or not yet."""
        return self._latest

    def channels(self) -> Mapping[ChannelId, ChannelInfo]:
        """Return every channel that was ever declared."""
        return self._infos

    def declare(self, channels: Mapping[ChannelId, ChannelInfo]) -> None:
        """Make channels known, or change what is known of them; never blocks."""
        changed: dict[ChannelId, tuple[int, ChannelInfo]] = {}
        for name, info in channels.items():
            if self._infos.get(name) != info:
                number = self._index.setdefault(name, len(self._index) + 1)
                self._infos[name] = info
                changed[name] = (number, info)
        if changed:
            self._inbox.declare(changed)

    def append(self, readings: Sequence[Reading]) -> asyncio.Future[int]:
        """Take 1 to 65,535 readings, all kept or none; see TelemetryStore."""
        durable: asyncio.Future[int] = self._loop.create_future()
        if not readings:
            durable.set_result(self._written.seq)
            return durable
        try:
            names, rows = take_apart(readings, self._index)
        except KeyError as unknown:
            raise StorageError(f"channel {unknown} was not declared to the store; declare it first") from None
        if self._closed:
            durable.set_exception(self._closed_error())
        elif len(readings) > MAX_READINGS:
            durable.set_exception(StorageError(f"{len(readings)} readings at once; append at most {MAX_READINGS}"))
        elif not FIRST_MS <= rows.from_ms <= rows.to_ms < END_MS:
            misdated = next(reading for reading in readings if not FIRST_MS <= reading.source_time < END_MS)
            durable.set_exception(
                StorageError(f"{misdated.channel}: {misdated.source_time} ms is no time of the years 1 to 9999")
            )
        else:
            self._latest.update(zip(names, readings, strict=True))
            self._give_up(self._inbox.put(Append(rows, durable)))
        return durable

    async def series(self, channel: ChannelId, start: Instant, end: Instant) -> Series:
        """Return the readings with ``start <= source time < end``; see TelemetryStore."""
        number = self._index.get(channel, 0)
        return await self._read(lambda view: read_series(view, number, start, end))

    async def series_of(self, starts: Mapping[ChannelId, Instant], end: Instant) -> dict[ChannelId, Series]:
        """Do as ``series`` for many channels, each from its own start; see TelemetryStore."""
        numbers = {channel: self._index.get(channel, 0) for channel in starts}

        def read(view: View) -> dict[ChannelId, Series]:
            view.tails()
            return {channel: read_series(view, numbers[channel], start, end) for channel, start in starts.items()}

        return await self._read(read)

    async def buckets(self, channel: ChannelId, start: Instant, end: Instant, count: int) -> Buckets:
        """Return ``start..end`` in at most ``count`` stretches; see TelemetryStore."""
        number = self._index.get(channel, 0)
        return await self._read(lambda view: read_buckets(view, number, start, end, count))

    async def buckets_of(
        self, channels: Sequence[ChannelId], start: Instant, end: Instant, count: int
    ) -> tuple[Buckets, ...]:
        """Do as ``buckets`` for many channels; see TelemetryStore."""
        numbers = [self._index.get(channel, 0) for channel in channels]

        def read(view: View) -> tuple[Buckets, ...]:
            view.tails()
            return tuple(read_buckets(view, number, start, end, count) for number in numbers)

        return await self._read(read)

    async def gaps(
        self, start: Instant, end: Instant, channels: Collection[ChannelId] | None = None
    ) -> tuple[Gap, ...]:
        """Return the stretches of BAD readings that touch ``start..end``; see TelemetryStore."""
        names = {number: name for name, number in self._index.items() if channels is None or name in channels}
        return await self._read(lambda view: read_gaps(view, names, start, end))

    async def exposures(self, start: Instant, end: Instant, watches: Sequence[Watch]) -> tuple[ChannelExposure, ...]:
        """Return what each channel did from ``start`` to ``end``; see TelemetryStore."""
        numbered = [(self._index.get(watch.channel, 0), watch) for watch in watches]
        return await self._read(lambda view: read_exposures(view, numbered, start, end))

    async def follow(self, cursor: Cursor, most_readings: int) -> Extract:
        """Return the durable readings after a cursor; see follow.py."""
        return await self._read(lambda view: follow(view, cursor, most_readings))

    async def passes(self, after: int) -> tuple[Pass, ...]:
        """Return the passes of sealing beyond number ``after``, each with its chunks."""
        return await self._read(lambda view: tuple(found for month in view.months for found in month.passes(after)))

    async def seal(self, before: Instant) -> int:
        """Seal the full hours before an instant; see TelemetryStore."""
        if self._closed:
            raise self._closed_error()
        done: asyncio.Future[int] = self._loop.create_future()
        self._inbox.cut(before // HOUR_MS, done)
        return await done

    async def flush(self) -> None:
        """Return once everything appended so far is durable or has failed."""
        if not self._closed:
            done: asyncio.Future[None] = self._loop.create_future()
            self._inbox.flush(done)
            await done

    async def close(self) -> None:
        """Keep what was appended, then let go of the folder; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._inbox.end()
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._thread.join()
        self._queries.end()
        try:
            self._let_go.close()
        except (sqlite3.Error, OSError) as error:
            log.error("the telemetry files could not be closed in order; their logs are kept", error=str(error))

    def _closed_error(self) -> StorageError:
        return StorageError(f"{self._folder}: the store is closed; open it again")

    async def _read(self, query: Callable[[View], T]) -> T:
        if self._closed:
            raise self._closed_error()
        return await self._queries.ask(lambda: self._read_now(query))

    def _read_now(self, query: Callable[[View], T]) -> T:
        with self._reader.view() as view:
            return query(view)

    # The writer's thread from here on.

    def _write_until_closed(self) -> None:
        has_failed = ends = False
        while not ends:
            timeout_s = RETRY_AFTER_S if has_failed else 0.0 if self._journal.has_to_drop else None
            work = self._inbox.take(MOST_APPENDS_A_COMMIT, timeout_s)
            has_failed = False
            try:
                self._write(work)
            except Exception as error:
                has_failed = True
                if not isinstance(error, sqlite3.Error | StorageError):
                    log.exception("the telemetry writer met what it was not made for")
                refused, work = self._inbox.put_back(work)
                self._tell(self._failed, refused, work, error)
            for flush in work.flushes:
                self._tell(_finish, flush, None)
            ends = work.ends

    def _write(self, work: Work) -> None:
        self._journal.drop_until(self._sealing.floor)
        if work.channels or work.appends or self._journal.has_to_drop:
            written = self._journal.write(work.channels, work.rows)
            self._tell(self._kept, work, written)
        for cut in work.cuts:
            self._sealing.wish(self._journal.written.seq, cut.before_hour, self._teller(cut.done))
        if self._journal.unsealed >= MOST_UNSEALED_READINGS and not self._sealing.is_busy:
            self._sealing.wish(self._journal.written.seq, ALL_HOURS, lambda error: None)

    def _teller(self, done: asyncio.Future[int]) -> Callable[[StorageError | None], None]:
        return lambda error: self._tell(_finish, done, self._sealing.passes if error is None else error)

    def _tell(self, what: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *args)
        except RuntimeError:
            log.error("the event loop ended before the telemetry store was closed")

    # On the loop again.

    def _kept(self, work: Work, written: Written) -> None:
        self._written = written
        self._failure = None
        if self._lost:
            log.error("readings can be kept again", folder=str(self._folder), lost=self._lost)
            self._lost = 0
        for append in work.appends:
            if not append.durable.done():
                append.durable.set_result(written.seq)

    def _failed(self, refused: Sequence[Append], waiting: Work, error: Exception) -> None:
        self._failure = StorageError(
            f"{self._folder}: readings can't be kept: {error}; free the disk, they are tried again"
        )
        self._give_up(refused)
        _fail(waiting.appends, self._failure)
        for cut in waiting.cuts:
            _finish(cut.done, self._failure)

    def _give_up(self, refused: Sequence[Append]) -> None:
        if not refused:
            return
        if not self._lost:
            log.error("readings are lost: too many wait for the disk", folder=str(self._folder))
        self._lost += sum(append.size for append in refused)
        _fail(refused, StorageError(f"{self._folder}: too many readings wait for the disk, the oldest are lost"))


def _fail(appends: Iterable[Append], error: StorageError) -> None:
    for append in appends:
        if not append.durable.done():
            append.durable.set_exception(error)


def _finish(done: asyncio.Future[Any], result: object) -> None:
    if done.done():
        return
    if isinstance(result, StorageError):
        done.set_exception(result)
    else:
        done.set_result(result)
