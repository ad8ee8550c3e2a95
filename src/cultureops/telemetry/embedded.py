"""The store inside cultureops: one SQLite file, one writer thread, readers of their own."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self, TypeVar

import structlog

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.errors import StorageError, Unreadable
from cultureops.telemetry.file import open_reader, read_channels
from cultureops.telemetry.frame import MAX_READINGS
from cultureops.telemetry.inbox import Frame, Inbox, Work
from cultureops.telemetry.journal import Journal, Written
from cultureops.telemetry.points import read_points
from cultureops.telemetry.query import read_buckets, read_gaps
from cultureops.telemetry.store import Buckets, ChannelInfo, Gap, Series

__all__ = ["EmbeddedStore"]

log = structlog.get_logger(__name__)

MOST_WAITING_READINGS: Final = 500_000
MOST_FRAMES_A_COMMIT: Final = 256
RETRY_AFTER_S: Final = 1.0

T = TypeVar("T")


class EmbeddedStore:
    """A TelemetryStore in one SQLite file.

    Appends wait in memory for the writer's thread, which commits all that wait at once. When a commit fails, the
    futures of all frames that wait fail, but the frames stay in line and are tried again: what was accepted while the
    disk was full is kept when there is room again. Beyond ``MOST_WAITING_READINGS`` the oldest are given up.
    """

    def __init__(self, path: Path, journal: Journal) -> None:
        self._path = path
        self._journal = journal
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox(MOST_WAITING_READINGS)
        self._reader = open_reader(path)
        self._reader_lock = threading.Lock()
        described = read_channels(self._reader)
        self._index = {name: number for name, (number, _) in described.items()}
        self._infos = {name: info for name, (_, info) in described.items()}
        names = {number: name for name, number in self._index.items()}
        self._latest: dict[ChannelId, Reading] = {names[number]: row for number, row in journal.last.items()}
        self._durable = (journal.seq, journal.sha256)
        self._count = journal.readings
        self._failure: StorageError | None = None
        self._lost = 0
        self._closed = False
        self._thread = threading.Thread(target=self._write_until_closed, name="telemetry", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the file; call with a running event loop.

        Raises Unreadable for a file that is damaged, not ours or of a newer format, StorageError when it can't be
        written or another process writes to it.
        """
        try:
            return cls(path, Journal(path))
        except sqlite3.Error as error:
            raise StorageError(f"{path}: {error}; restore the file from a backup or free the disk") from None

    @property
    def failure(self) -> StorageError | None:
        """Why readings can't be kept at present; None when they can."""
        return self._failure

    @property
    def durable(self) -> tuple[int, str]:
        """Number and SHA-256 [hex] of the last durable frame; (0, "") before the first."""
        return self._durable

    def count(self) -> int:
        """Return how many readings are durable."""
        return self._count

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
        """Take 1 to 65,535 readings as one frame; see TelemetryStore."""
        for reading in readings:
            if reading.channel not in self._index:
                raise StorageError(f"channel {reading.channel!r} was not declared to the store; declare it first")
        durable: asyncio.Future[int] = self._loop.create_future()
        if self._closed:
            durable.set_exception(StorageError(f"{self._path}: the store is closed; open it again to append"))
        elif len(readings) > MAX_READINGS:
            durable.set_exception(StorageError(f"{len(readings)} readings at once; append at most {MAX_READINGS}"))
        elif not readings:
            durable.set_result(self._durable[0])
        else:
            for reading in readings:
                self._latest[reading.channel] = reading
            self._give_up(self._inbox.put(Frame(readings, durable)))
        return durable

    async def series(self, channel: ChannelId, start: Instant, end: Instant) -> Series:
        """Return the readings with ``start <= source time < end``; see TelemetryStore."""
        number = self._index.get(channel, 0)
        points = await self._read(lambda db: read_points(db, number, start, end))
        return Series(points.source_ms, points.value, points.quality, points.reason)

    async def buckets(self, channel: ChannelId, start: Instant, end: Instant, count: int) -> Buckets:
        """Return ``start..end`` in at most ``count`` stretches; see TelemetryStore."""
        number = self._index.get(channel, 0)
        return await self._read(lambda db: read_buckets(db, number, start, end, count))

    async def gaps(
        self, start: Instant, end: Instant, channels: Collection[ChannelId] | None = None
    ) -> tuple[Gap, ...]:
        """Return the stretches of BAD readings that touch ``start..end``; see TelemetryStore."""
        names = {number: name for name, number in self._index.items() if channels is None or name in channels}
        return await self._read(lambda db: read_gaps(db, names, start, end))

    async def flush(self) -> None:
        """Return once everything appended so far is durable or has failed."""
        if not self._closed:
            done: asyncio.Future[None] = self._loop.create_future()
            self._inbox.flush(done)
            await done

    async def close(self) -> None:
        """Keep what was appended, then let go of the file; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._inbox.end()
        await asyncio.to_thread(self._let_go)

    def _let_go(self) -> None:
        self._thread.join()
        with self._reader_lock:
            self._reader.close()

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.to_thread(self._read_now, query)

    def _read_now(self, query: Callable[[sqlite3.Connection], T]) -> T:
        with self._reader_lock:
            try:
                self._reader.execute("BEGIN")
                try:
                    return query(self._reader)
                finally:
                    self._reader.execute("ROLLBACK")
            except Unreadable as error:
                raise Unreadable(f"{self._path}: {error}") from None
            except sqlite3.Error as error:
                raise StorageError(f"{self._path}: can't be read: {error}") from None

    # The writer's thread from here on.

    def _write_until_closed(self) -> None:
        has_failed = ends = False
        while not ends:
            work = self._inbox.take(MOST_FRAMES_A_COMMIT, RETRY_AFTER_S if has_failed else None)
            has_failed = False
            try:
                if work.channels or work.frames:
                    written = self._journal.write(work.channels, [item.readings for item in work.frames])
                    self._tell(self._kept, work, written)
            except Exception as error:
                has_failed = True
                if not isinstance(error, sqlite3.Error | StorageError):
                    log.exception("the telemetry writer met what it was not made for")
                refused, work = self._inbox.put_back(work)
                self._tell(self._failed, refused, work, error)
            for flush in work.flushes:
                self._tell(_finish, flush)
            ends = work.ends
        self._close_journal()

    def _close_journal(self) -> None:
        try:
            self._journal.close()
        except sqlite3.Error as error:
            log.error("the telemetry file could not be closed in order; its log is kept", error=str(error))

    def _tell(self, what: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *args)
        except RuntimeError:
            log.error("the event loop ended before the telemetry store was closed")

    # On the loop again.

    def _kept(self, work: Work, written: Written) -> None:
        self._durable = (written.last_seq, written.sha256)
        self._count = written.readings
        self._failure = None
        if self._lost:
            log.error("readings can be kept again", file=str(self._path), lost=self._lost)
            self._lost = 0
        for seq, item in enumerate(work.frames, written.first_seq):
            if not item.durable.done():
                item.durable.set_result(seq)

    def _failed(self, refused: Sequence[Frame], waiting: Work, error: Exception) -> None:
        self._failure = StorageError(
            f"{self._path}: readings can't be kept: {error}; free the disk, they are tried again"
        )
        self._give_up(refused)
        _fail(waiting.frames, self._failure)

    def _give_up(self, refused: Sequence[Frame]) -> None:
        if not refused:
            return
        if not self._lost:
            log.error("readings are lost: too many wait for the disk", file=str(self._path))
        self._lost += sum(len(item.readings) for item in refused)
        _fail(refused, StorageError(f"{self._path}: too many readings wait for the disk, the oldest are lost"))


def _fail(frames: Iterable[Frame], error: StorageError) -> None:
    for item in frames:
        if not item.durable.done():
            item.durable.set_exception(error)


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
