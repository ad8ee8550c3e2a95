"""The ledger: many streams of events, one chain, every writer in turn."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import structlog
from sqlalchemy import Connection, Engine, Executable, Row, Select, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from cultureops.clock import Clock, Entropy
from cultureops.errors import ConcurrencyError, StorageError, Unreadable
from cultureops.ledger.chain import Tail, link
from cultureops.ledger.checkpoint import Checkpoint
from cultureops.ledger.claim_table import change_claims
from cultureops.ledger.claims import Holder, claim_changes
from cultureops.ledger.event import Event, NewEvent, check_stream, decode, draft, seal
from cultureops.ledger.file import (
    EVENTS,
    WAIT_S,
    cause,
    is_locked,
    last_row,
    reader_engine,
    writer_engine,
)
from cultureops.ledger.head import GENESIS, Head
from cultureops.ledger.ledger import Group, Hook, Ledger
from cultureops.ledger.verify import follow, restore

__all__ = ["Group", "Hook", "Ledger", "SqlLedger"]

log = structlog.get_logger(__name__)

_COMMIT_DEADLINE_S: Final = 30.0
_PAGE: Final = 500


class _Drafted(NamedTuple):
    stream: str
    fields: tuple[dict[str, Any], ...]
    expected_version: int | None


class _Outcome(NamedTuple):
    """What one turn of the writer's thread brought: what others had appended, what was appended, or why it wasn't."""

    foreign: tuple[Event, ...] = ()
    own: tuple[Event, ...] = ()
    refusal: Exception | None = None


class SqlLedger:
    """A ledger in one SQLite file, written by one thread of each process with one commit for each append."""

    def __init__(self, path: Path, writer: Engine, tail: Tail, clock: Clock, entropy: Entropy, origin: str) -> None:
        self.on_append: list[Hook] = []
        self.failed_hooks = 0
        self._path = path
        self._writer = writer
        self._reader = reader_engine(path)
        self._checkpoint = Checkpoint(path)
        self._tail = tail
        self._seen_data_version = 0
        self._tail_lock = threading.Lock()
        self._clock = clock
        self._entropy = entropy
        self._origin = origin
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._closed = False

    @classmethod
    def open(cls, path: Path, clock: Clock, entropy: Entropy, origin: str = "local") -> Self:
        """Open or create a ledger file and follow its whole chain; a table of claims that differs is made anew.

        Raises ChainBroken when the stored events are not as written, Unreadable when the file can't be read
        or was written by a newer program, StorageError when its folder is absent or can't hold it.
        """
        writer = writer_engine(path)
        try:
            with writer.connect() as connection:
                tail = restore(_driver(connection), path)
            return cls(path, writer, tail, clock, entropy, origin)
        except BaseException:
            writer.dispose()
            raise

    @property
    def engine_version(self) -> str:
        """The database library in use, for reports."""
        return f"SQLite {sqlite3.sqlite_version}"

    async def append(self, stream: str, events: Sequence[NewEvent], expected_version: int | None) -> tuple[Event, ...]:
        """Record events at the end of a stream; see Ledger."""
        return await self.append_many([(stream, events, expected_version)])

    async def append_many(self, groups: Sequence[Group]) -> tuple[Event, ...]:
        """Record events of several streams in one transaction; see Ledger."""
        if self._closed:
            raise StorageError(f"{self._path}: the ledger is closed; open it again to append")
        # Times and ids are drawn here, in the order of calls, so that no seeded run depends on thread timing.
        drafted = self._drafted(groups)
        return (await self._take_turn(lambda: self._commit(drafted))).own

    async def catch_up(self) -> tuple[Event, ...]:
        """Take in what other processes have appended since; see Ledger."""
        if self._closed:
            raise StorageError(f"{self._path}: the ledger is closed; open it again to follow it")
        return (await self._take_turn(self._look)).foreign

    async def _take_turn(self, turn: Callable[[], _Outcome]) -> _Outcome:
        """Do something on the writer's thread and tell the hooks what it brought, whoever waits for it."""
        outcome = asyncio.get_running_loop().run_in_executor(self._thread, turn)
        outcome.add_done_callback(self._tell)
        try:
            async with asyncio.timeout(_COMMIT_DEADLINE_S):
                brought = await asyncio.shield(outcome)
        except TimeoutError:
            waited = f"{self._path}: no answer from the disk for {_COMMIT_DEADLINE_S:.0f} s"
            raise StorageError(f"{waited}; read the stream again before repeating the command") from None
        if brought.refusal is not None:
            raise brought.refusal
        return brought

    def holder(self, name: str) -> Holder | None:
        """Return who holds a name; see Ledger."""
        found = self._query(_CLAIMS_OF_NAME, name=name)
        return Holder(found[0].stream, found[0].position) if found else None

    def claimed(self, prefix: str = "") -> tuple[tuple[str, str], ...]:
        """Return the held names that start so; see Ledger."""
        found = self._query(_CLAIMS_FROM_TO, first=prefix, end=prefix + _BEYOND_NAMES)
        return tuple((row.name, row.stream) for row in found)

    def read(self, stream: str, after_version: int = 0) -> tuple[Event, ...]:
        """Return a stream's events by version; see Ledger."""
        wanted = _STORED.where(EVENTS.c.stream == stream, EVENTS.c.version > after_version)
        return self._events(wanted.order_by(EVENTS.c.version))

    def read_all(self, after_position: int = 0, limit: int | None = None) -> Iterator[Event]:
        """Yield events of all streams by position; see Ledger."""
        remaining = limit
        while remaining is None or remaining > 0:
            size = _PAGE if remaining is None else min(_PAGE, remaining)
            query = _STORED.where(EVENTS.c.position > after_position).order_by(EVENTS.c.position).limit(size)
            page = self._events(query)
            yield from page
            if len(page) < size:
                return
            after_position = page[-1].position
            remaining = None if remaining is None else remaining - size

    def streams(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names of all streams that start so, sorted."""
        with self._tail_lock:
            return tuple(sorted(stream for stream in self._tail.tips if stream.startswith(prefix)))

    def version(self, stream: str) -> int:
        """Return the version a stream is at, 0 when it has no event."""
        with self._tail_lock:
            return self._tail.tip(stream).version

    def head(self) -> Head:
        """Return the last position and its hash."""
        with self._tail_lock:
            return self._tail.head

    async def close(self) -> None:
        """Finish what was begun and close the file; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._reader.dispose()
        release = asyncio.get_running_loop().run_in_executor(self._thread, self._release)
        self._thread.shutdown(wait=False)
        await asyncio.shield(release)

    def _drafted(self, groups: Sequence[Group]) -> tuple[_Drafted, ...]:
        now = self._clock.now()
        return tuple(
            _Drafted(
                check_stream(stream),
                tuple(draft(new, stream, self._entropy.event_id(now), now, self._origin) for new in events),
                expected_version,
            )
            for stream, events, expected_version in groups
        )

    def _release(self) -> None:
        self._checkpoint.close()
        self._writer.dispose()

    def _commit(self, groups: Sequence[_Drafted]) -> _Outcome:
        """Seal and store events behind what others have appended, in the writer's thread."""
        foreign: list[Event] = []
        try:
            with self._writer.begin() as connection:
                driver = _driver(connection)
                self._follow(driver, foreign)
                events = self._sealed(groups)
                change_claims(driver, self._tail.held, claim_changes(self._tail.held, events))
                if events:
                    connection.execute(insert(EVENTS), [_row(event) for event in events])
        except Exception as error:
            return _Outcome(tuple(foreign), refusal=self._refusal(error))
        with self._tail_lock:
            for event in events:
                self._tail.advance(event)
        self._checkpoint.note(events)
        if self._checkpoint.is_due:
            with self._writer.connect() as connection:
                self._checkpoint.make(_driver(connection))
        return _Outcome(tuple(foreign), events)

    def _look(self) -> _Outcome:
        """Follow what others have appended, in the writer's thread."""
        foreign: list[Event] = []
        try:
            with self._writer.connect() as connection:
                driver = _driver(connection)
                (data_version,) = driver.execute("PRAGMA data_version").fetchone()
                if data_version != self._seen_data_version:
                    self._follow(driver, foreign)
                    self._seen_data_version = data_version
        except Exception as error:
            return _Outcome(tuple(foreign), refusal=self._refusal(error))
        return _Outcome(tuple(foreign))

    def _follow(self, connection: sqlite3.Connection, found: list[Event]) -> None:
        """Move the tail to the end of the file and note the events on the way, also of a way that ends in a fault."""
        position, chain_hash = last_row(connection) or (0, GENESIS)
        if (position, chain_hash) == (self._tail.position, self._tail.hash):
            return
        if position <= self._tail.position:
            ends = f"ends at position {position}, was left at {self._tail.position}"
            raise StorageError(f"{self._path}: {ends}, or was changed; stop whatever writes to it, verify, start again")
        events = follow(connection, self._path, self._tail)
        while True:
            with self._tail_lock:
                event = next(events, None)
            if event is None:
                return
            found.append(event)
            self._checkpoint.note([event])

    def _refusal(self, error: Exception) -> Exception:
        """Say what went wrong in a turn of the writer's thread; nothing of it was recorded."""
        if is_locked(error):
            busy = f"{self._path}: another process has held its lock for {WAIT_S:.0f} s"
            return StorageError(f"{busy}; none was recorded, wait for that process or end it and repeat the command")
        if isinstance(error, SQLAlchemyError | UnicodeDecodeError | sqlite3.Error):
            refused = f"{self._path}: events could not be stored: {cause(error)}"
            return StorageError(f"{refused}; none was recorded, repeat the command when that is mended")
        return error

    def _sealed(self, groups: Sequence[_Drafted]) -> tuple[Event, ...]:
        """Give events their places after the tail, which only this thread moves."""
        events: list[Event] = []
        tips = {group.stream: self._tail.tip(group.stream) for group in groups}
        versions = {stream: tip.version for stream, tip in tips.items()}
        hashes = {stream: tip.hash for stream, tip in tips.items()}
        previous = self._tail.hash
        for stream, drafts, expected_version in groups:
            if expected_version is not None and expected_version != versions[stream]:
                moved = f"stream {stream!r} is at version {versions[stream]}, expected {expected_version}"
                raise ConcurrencyError(f"{moved}; read it again and decide anew")
            for fields in drafts:
                versions[stream] += 1
                position = self._tail.position + len(events) + 1
                canonical = seal(fields, stream, position, versions[stream], hashes[stream])
                previous = hashes[stream] = link(previous, canonical)
                events.append(decode(canonical, previous))
        return tuple(events)

    def _tell(self, turn: asyncio.Future[_Outcome]) -> None:
        if turn.cancelled() or turn.exception() is not None:
            return
        for events in (turn.result().foreign, turn.result().own):
            if events:
                self._tell_of(events)

    def _tell_of(self, events: tuple[Event, ...]) -> None:
        for hook in tuple(self.on_append):
            try:
                hook(events)
            except Exception as error:
                self.failed_hooks += 1
                log.error("ledger hook failed", position=events[-1].position, exc_info=error)

    def _events(self, query: Select[Any]) -> tuple[Event, ...]:
        return tuple(self._event(row.position, row.canonical, row.hash) for row in self._query(query))

    def _query(self, query: Executable, **values: str) -> Sequence[Row[Any]]:
        if self._closed:
            raise StorageError(f"{self._path}: the ledger is closed; open it again to read")
        try:
            with self._reader.connect() as connection:
                return connection.execute(query, values).all()
        except (SQLAlchemyError, UnicodeDecodeError) as error:
            raise Unreadable(f"{self._path}: can't be read: {cause(error)}; run `ledger verify`") from None

    def _event(self, position: int, canonical: bytes, chain_hash: bytes) -> Event:
        try:
            return decode(canonical, chain_hash)
        except Unreadable as error:
            raise Unreadable(f"{self._path}: position {position}: {error}; run `ledger verify`") from None


_STORED: Final = select(EVENTS.c.position, EVENTS.c.canonical, EVENTS.c.hash)
_CLAIMS_OF_NAME: Final = text("SELECT stream, position FROM claims WHERE name = :name")
_CLAIMS_FROM_TO: Final = text("SELECT name, stream FROM claims WHERE name >= :first AND name < :end ORDER BY name")
_BEYOND_NAMES: Final = "\U0010ffff"
"""Not printable, so that no name has it, and sorted behind all that are."""


def _row(event: Event) -> dict[str, object]:
    return {
        "position": event.position,
        "stream": event.stream,
        "version": event.version,
        "canonical": event.canonical,
        "hash": bytes.fromhex(event.hash),
    }


def _driver(connection: Connection) -> sqlite3.Connection:
    opened = connection.connection.driver_connection
    assert isinstance(opened, sqlite3.Connection)
    return opened
