"""The ledger: many streams of events, one chain, one writer."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, Self, TypeAlias

import structlog
from sqlalchemy import Connection, Engine, Select, insert, select
from sqlalchemy.exc import SQLAlchemyError

from cultureops.clock import Clock, Entropy
from cultureops.errors import ConcurrencyError, StorageError, Unreadable
from cultureops.ledger.chain import Tail, link
from cultureops.ledger.event import Event, NewEvent, check_stream, decode, draft, seal
from cultureops.ledger.file import EVENTS, cause, reader_engine, writer_engine
from cultureops.ledger.head import Head
from cultureops.ledger.verify import trace

__all__ = ["Group", "Hook", "Ledger", "SqlLedger"]

log = structlog.get_logger(__name__)

Group: TypeAlias = tuple[str, Sequence[NewEvent], int | None]
"""(stream, events, expected version); None expects whatever the stream is at."""

Hook: TypeAlias = Callable[[tuple[Event, ...]], None]
"""Called on the event loop's thread with what one commit added, in order of position."""

_COMMIT_DEADLINE_S: Final = 30.0
_PAGE: Final = 500


class Ledger(Protocol):
    """An append-only history that every state anyone sees is folded from.

    ``on_append`` holds hooks for views and live pages; they run after the commit and before ``append``
    returns, also when the caller was cancelled meanwhile. One that fails is logged and counted, and costs
    neither the event nor the other hooks anything.
    """

    on_append: list[Hook]

    async def append(self, stream: str, events: Sequence[NewEvent], expected_version: int | None) -> tuple[Event, ...]:
        """Record events at the end of a stream, all or none, and return them once they are durable.

        Raises ConcurrencyError when the stream is not at ``expected_version``, StorageError when an event is
        not fit to be recorded or the store can't write. A cancelled caller leaves all of them or none.
        """
        ...

    async def append_many(self, groups: Sequence[Group]) -> tuple[Event, ...]:
        """Record events of several streams in one transaction, all or none; otherwise like ``append``."""
        ...

    def read(self, stream: str, after_version: int = 0) -> tuple[Event, ...]:
        """Return a stream's events by version; empty when nobody knows it. From any thread."""
        ...

    def read_all(self, after_position: int = 0, limit: int | None = None) -> Iterator[Event]:
        """Yield events of all streams by position, page by page. From any thread."""
        ...

    def streams(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names of all streams that start so, sorted."""
        ...

    def version(self, stream: str) -> int:
        """Return the version a stream is at, 0 when it has no event."""
        ...

    def head(self) -> Head:
        """Return the last position and its hash."""
        ...

    async def close(self) -> None:
        """Finish what was begun and release the store; a second call does nothing."""
        ...


class _Drafted(NamedTuple):
    stream: str
    fields: tuple[dict[str, Any], ...]
    expected_version: int | None


class SqlLedger:
    """A ledger in one SQLite file, written by one thread with one commit for each append."""

    def __init__(self, path: Path, writer: Engine, tail: Tail, clock: Clock, entropy: Entropy, origin: str) -> None:
        self.on_append: list[Hook] = []
        self.failed_hooks = 0
        self._path = path
        self._writer = writer
        self._reader = reader_engine(path)
        self._tail = tail
        self._tail_lock = threading.Lock()
        self._clock = clock
        self._entropy = entropy
        self._origin = origin
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._closed = False

    @classmethod
    def open(cls, path: Path, clock: Clock, entropy: Entropy, origin: str = "local") -> Self:
        """Open or create a ledger file and follow its whole chain.

        Raises ChainBroken when the stored events are not as written, Unreadable when the file can't be read
        or was written by a newer program, StorageError when its folder is absent or can't hold it.
        """
        writer = writer_engine(path)
        try:
            with writer.connect() as connection:
                tail = trace(_driver(connection), path)
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
        commit = asyncio.get_running_loop().run_in_executor(self._thread, self._commit, drafted)
        commit.add_done_callback(self._tell)
        try:
            async with asyncio.timeout(_COMMIT_DEADLINE_S):
                return await asyncio.shield(commit)
        except TimeoutError:
            waited = f"{self._path}: no answer from the disk for {_COMMIT_DEADLINE_S:.0f} s"
            raise StorageError(f"{waited}; read the stream again before repeating the command") from None

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
        release = asyncio.get_running_loop().run_in_executor(self._thread, self._writer.dispose)
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

    def _commit(self, groups: Sequence[_Drafted]) -> tuple[Event, ...]:
        """Seal and store events, in the writer's thread."""
        events = self._sealed(groups)
        if not events:
            return ()
        rows = [_row(event) for event in events]
        try:
            with self._writer.begin() as connection:
                self._refuse_foreign_rows(connection)
                connection.execute(insert(EVENTS), rows)
        except (SQLAlchemyError, UnicodeDecodeError) as error:
            refused = f"{self._path}: events could not be stored: {cause(error)}"
            raise StorageError(f"{refused}; none was recorded, repeat the command when that is mended") from None
        with self._tail_lock:
            for event in events:
                self._tail.advance(event.stream, event.version, bytes.fromhex(event.hash))
        return events

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

    def _refuse_foreign_rows(self, connection: Connection) -> None:
        last = select(EVENTS.c.position, EVENTS.c.hash).order_by(EVENTS.c.position.desc()).limit(1)
        found = connection.execute(last).first()
        if (found or (0, self._tail.hash)) != (self._tail.position, self._tail.hash):
            ends = f"ends at position {found[0] if found else 0}, was left at {self._tail.position}"
            raise StorageError(f"{self._path}: {ends}; stop whatever else writes to it, verify and start again")

    def _tell(self, commit: asyncio.Future[tuple[Event, ...]]) -> None:
        if commit.cancelled() or commit.exception() is not None:
            return
        if not (events := commit.result()):
            return
        for hook in tuple(self.on_append):
            try:
                hook(events)
            except Exception as error:
                self.failed_hooks += 1
                log.error("ledger hook failed", position=events[-1].position, exc_info=error)

    def _events(self, query: Select[Any]) -> tuple[Event, ...]:
        if self._closed:
            raise StorageError(f"{self._path}: the ledger is closed; open it again to read")
        try:
            with self._reader.connect() as connection:
                stored = connection.execute(query).all()
        except (SQLAlchemyError, UnicodeDecodeError) as error:
            raise Unreadable(f"{self._path}: can't be read: {cause(error)}; run `ledger verify`") from None
        return tuple(self._event(row.position, row.canonical, row.hash) for row in stored)

    def _event(self, position: int, canonical: bytes, chain_hash: bytes) -> Event:
        try:
            return decode(canonical, chain_hash)
        except Unreadable as error:
            raise Unreadable(f"{self._path}: position {position}: {error}; run `ledger verify`") from None


_STORED: Final = select(EVENTS.c.position, EVENTS.c.canonical, EVENTS.c.hash)


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
