"""The ledger: many streams of events, one chain, every writer in turn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, Self, TypeVar

import structlog
from sqlalchemy import Connection, Engine, Executable, Row, Select, insert, select, text

from cultureops.clock import Clock, Entropy, Instant, SystemClock
from cultureops.errors import ConcurrencyError, StorageError, Unreadable
from cultureops.kernel_clock import ClockStateReader, kernel_clock, quality_of
from cultureops.ledger.chain import Tail, link
from cultureops.ledger.claim_table import change_claims
from cultureops.ledger.claims import Holder, claim_changes
from cultureops.ledger.event import Actor, Event, NewEvent, check_stream, decode, draft, seal
from cultureops.ledger.generation import Generation, generation_of
from cultureops.ledger.head import GENESIS, Head
from cultureops.ledger.head_table import StoredStamp, last_head, put_head, put_stamp, read_heads, read_stamps
from cultureops.ledger.key_chain import STREAM, KeyEntry, introduction, rotation
from cultureops.ledger.keys import KeyFolder, PublicKey, SigningKey
from cultureops.ledger.ledger import Group, Hook, Ledger
from cultureops.ledger.merkle import MerkleTree
from cultureops.ledger.search import Search, windowed
from cultureops.ledger.signed_head import SignedHead, sign_head
from cultureops.ledger.signer import Signer, SignerStatus
from cultureops.ledger.storage import FAILURES, UNLOCKED, WAIT_S, Storage, cause
from cultureops.ledger.table import EVENTS, last_row
from cultureops.ledger.verify import follow, restore
from cultureops.ledger.whereabouts import Whereabouts, storage_at
from cultureops.tracing import traced

__all__ = ["Group", "Hook", "Ledger", "SqlLedger"]

log = structlog.get_logger(__name__)

T = TypeVar("T")

UNNAMED: Final = "local"
"""The origin of a log that nobody has named: that of a lab by itself, and of a hub."""
_COMMIT_DEADLINE_S: Final = 30.0
_PAGE: Final = 500
_ANSWERS: Final = {"file": "disk", "database": "server"}


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
    """A ledger in one storage, written by one thread of each process with one commit for each append."""

    def __init__(
        self,
        storage: Storage,
        writer: Engine,
        tail: Tail,
        clock: Clock,
        entropy: Entropy,
        origin: str | None,
        keys: KeyFolder | None = None,
        generation: Generation | None = None,
    ) -> None:
        self.on_append: list[Hook] = []
        self.failed_hooks = 0
        self._storage = storage
        self._name = storage.name
        self._writer = writer
        self._reader = storage.reader()
        self._folding = storage.folding()
        self._tail = tail
        self._seen_state: object = None
        self._is_unsure = False
        self._tail_lock = threading.Lock()
        self._clock = clock
        self.clock_state: ClockStateReader | None = kernel_clock if isinstance(clock, SystemClock) else None
        """Asked with each append what its time is worth; None where lab time is stepped."""
        self._entropy = entropy
        self._signer = Signer(keys)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._closed = False
        self._generation = generation or Generation()
        self.origin = self._named(origin)
        self._begin_signing()

    @classmethod
    def open(
        cls,
        where: Whereabouts,
        clock: Clock,
        entropy: Entropy,
        origin: str | None = None,
        keys: KeyFolder | None = None,
        *,
        is_lab: bool = False,
    ) -> Self:
        """Open a ledger, a file also where there is none, and follow its whole chain; claims that differ are made anew.

        ``origin`` is the node's name, which a log bears from its first event on; None takes it as it is.
        Heads are signed with the key in ``keys``, and by nobody without; see ``introduce_key``.
        Of those who open it as ``is_lab`` a database takes one at a time.
        Raises ChainBroken when the stored events are not as written, Unreadable when the storage can't be read
        or was written by a newer program, StorageError for a log of another name, and for a storage that is absent or
        not fit to keep a record.
        """
        storage = storage_at(where)
        writer = storage.writer(is_lab=is_lab)
        try:
            tail = restore(writer, storage)
            with writer.connect().execution_options(**UNLOCKED) as connection:
                generation = generation_of(connection, storage.name)
            return cls(storage, writer, tail, clock, entropy, origin, keys, generation)
        except BaseException as error:
            writer.dispose()
            if isinstance(error, FAILURES):
                raise Unreadable(f"{storage.name}: can't be opened: {cause(error)}; open it again") from None
            raise

    def _named(self, wanted: str | None) -> str:
        first = next(self.read_all(limit=1), None)
        if first is None or wanted in (None, first.origin):
            return wanted or UNNAMED if first is None else first.origin
        self._reader.dispose()
        raise StorageError(
            f"{self._name}: is the log of {first.origin!r}, not of {wanted!r}; a node keeps its name for good: begin "
            "with an empty data folder, or with the name that the log has"
        )

    @property
    def engine_version(self) -> str:
        """The database in use, for reports."""
        return self._storage.engine_version(self._writer)

    async def append(self, stream: str, events: Sequence[NewEvent], expected_version: int | None) -> tuple[Event, ...]:
        """Record events at the end of a stream; see Ledger."""
        return await self.append_many([(stream, events, expected_version)])

    @traced("ledger append")
    async def append_many(self, groups: Sequence[Group]) -> tuple[Event, ...]:
        """Record events of several streams in one transaction; see Ledger."""
        if self._closed:
            raise StorageError(f"{self._name}: the ledger is closed; open it again to append")
        # Times and ids are drawn here, in the order of calls, so that no seeded run depends on thread timing.
        drafted, now = self._drafted(groups), self._clock.now()
        return (await self._take_turn(lambda: self._commit(drafted, now))).own

    async def catch_up(self) -> tuple[Event, ...]:
        """Take in what other processes have appended since; see Ledger."""
        if self._closed:
            raise StorageError(f"{self._name}: the ledger is closed; open it again to follow it")
        return (await self._take_turn(self._look)).foreign

    async def _take_turn(self, turn: Callable[[], _Outcome]) -> _Outcome:
        """Do something on the writer's thread and tell the hooks what it brought, whoever waits for it."""
        outcome = asyncio.get_running_loop().run_in_executor(self._thread, turn)
        outcome.add_done_callback(self._tell)
        try:
            async with asyncio.timeout(_COMMIT_DEADLINE_S):
                brought = await asyncio.shield(outcome)
        except TimeoutError:
            waited = f"{self._name}: no answer from the {_ANSWERS[self._storage.kind]} for {_COMMIT_DEADLINE_S:.0f} s"
            raise StorageError(f"{waited}; read the stream again before repeating the command") from None
        if brought.refusal is not None:
            raise brought.refusal
        return brought

    async def sign_head(self) -> SignedHead | None:
        """Sign the end of the ledger, where it is not signed yet, and return the newest head; see Ledger."""
        if self._closed:
            raise StorageError(f"{self._name}: the ledger is closed; open it again to sign its head")
        now = self._clock.now()
        await self._take_turn(lambda: self._commit((), now, signs=True))
        return self._signer.newest

    async def sign_head_if_due(self, now: Instant) -> None:
        """Sign a head when the newest is a minute behind the end, 256 events, or a signature of a person."""
        if not self._closed and self._signer.is_due((), self.head().position, now):
            await self._take_turn(lambda: self._commit((), now, signs=True))

    def signed_heads(self, after_size: int = 0) -> tuple[SignedHead, ...]:
        """Return the stored heads of more than ``after_size`` events; see Ledger."""
        heads = (stored.head for stored in self._read_table(lambda connection: list(read_heads(connection))))
        return tuple(head for head in heads if head is not None and head.size > after_size)

    def _read_table(self, read: Callable[[Connection], Sequence[T]]) -> tuple[T, ...]:
        if self._closed:
            raise StorageError(f"{self._name}: the ledger is closed; open it again to read")
        try:
            with self._reader.connect() as connection:
                return tuple(read(connection))
        except FAILURES as error:
            raise self._unreadable(error) from None

    def keys(self) -> tuple[KeyEntry, ...]:
        """Return the keys of the ledger's heads in their order, with who introduced each and why."""
        return tuple(self._signer.chain.entries)

    def public_key(self, key_id: str) -> PublicKey | None:
        """Return a key of the ledger, None where it has none of this id."""
        return next((entry.key for entry in self.keys() if entry.key.id == key_id), None)

    def stamps(self) -> tuple[StoredStamp, ...]:
        """Return the time stamps that stand beside heads. From any thread."""
        return self._read_table(read_stamps)

    def stamped_size(self, authority: str) -> int:
        """Return the size of the newest head that an authority has stamped, 0 where there is none. From any thread."""
        return max((stamp.size for stamp in self.stamps() if stamp.authority == authority), default=0)

    async def add_stamp(self, size: int, authority: str, token: bytes) -> None:
        """Keep a time stamp beside the head of a size; raises StorageError."""
        if self._closed:
            raise StorageError(f"{self._name}: the ledger is closed; open it again to keep a time stamp")
        await self._take_turn(lambda: self._put_stamp(size, authority, token))

    def _put_stamp(self, size: int, authority: str, token: bytes) -> _Outcome:
        try:
            with self._writer.begin() as connection:
                put_stamp(connection, size, authority, token)
        except Exception as error:
            return _Outcome(refusal=self._refusal(error))
        return _Outcome()

    def signing(self) -> SignerStatus:
        """Say how heads are signed; from any thread."""
        return self._signer.status()

    @property
    def tree(self) -> MerkleTree:
        """The Merkle tree over all events, for roots and proofs; it reads the file where a proof needs events."""
        return self._tail.tree

    async def introduce_key(self, actor: Actor | None = None, reason: str = "") -> None:
        """Make a key and introduce it: the first by the program itself, each other by a person for a reason.

        Raises StorageError where there is no folder, or a key and nobody to vouch for the next; nothing is lost then.
        """
        folder = self._key_folder()
        current = self._signer.chain.current
        if actor is None and current is not None:
            return
        if actor is not None and not reason.strip():
            raise StorageError(f"{self._name}: a new key needs a reason; say what became of the one before")
        key = SigningKey.make(self._entropy)
        event = introduction(key.public) if actor is None else introduction(key.public, actor, reason)
        try:
            await self._replace_key(folder, key, event)
        except ConcurrencyError:
            if actor is not None:
                raise
            await self.catch_up()  # another process was first

    async def rotate_key(self, actor: Actor, reason: str) -> str:
        """Make a new key that the present one vouches for; return its id. Raises StorageError where there is none."""
        folder, old = self._key_folder(), self._signer.key
        if old is None:
            raise StorageError(f"{self._name}: {self._signer.status().problem or 'has no key yet'}")
        if not reason.strip():
            raise StorageError(f"{self._name}: a new key needs a reason; say why it takes the place of {old.public.id}")
        new = SigningKey.make(self._entropy)
        await self._replace_key(folder, new, rotation(old, new.public, self.origin, actor, reason))
        folder.destroy(old.public.id)
        return new.public.id

    async def _replace_key(self, folder: KeyFolder, key: SigningKey, event: NewEvent) -> None:
        """Keep a key's file, then record the event; where that is refused, the file goes again."""
        await asyncio.to_thread(folder.keep, key)
        try:
            await self.append(STREAM, [event], self.version(STREAM))
        except (ConcurrencyError, StorageError):
            await asyncio.to_thread(folder.destroy, key.public.id)
            raise

    def _key_folder(self) -> KeyFolder:
        if self._signer.folder is None:
            raise StorageError(f"{self._name}: was opened without a folder of keys; name it by [ledger] keys")
        return self._signer.folder

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

    def search(
        self, search: Search, after: int, up_to: int, limit: int, *, newest_first: bool = False
    ) -> tuple[Event, ...]:
        """Return the first events with ``after < position <= up_to`` that have what is looked for. From any thread."""
        return self._events(windowed(search, after, up_to, limit, newest_first=newest_first))

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
        now = self._clock.now()
        self._reader.dispose()
        release = asyncio.get_running_loop().run_in_executor(self._thread, self._release, now)
        self._thread.shutdown(wait=False)
        await asyncio.shield(release)

    def _drafted(self, groups: Sequence[Group]) -> tuple[_Drafted, ...]:
        now = self._clock.now()
        quality = None if self.clock_state is None else quality_of(self.clock_state())
        return tuple(
            _Drafted(
                check_stream(stream),
                tuple(draft(new, stream, self._entropy.event_id(now), now, self.origin, quality) for new in events),
                expected_version,
            )
            for stream, events, expected_version in groups
        )

    def _begin_signing(self) -> None:
        """Take over keys and newest head of the file, before anything is appended."""
        self._signer.read_keys(self.read(STREAM))
        with self._writer.connect().execution_options(**UNLOCKED) as connection:
            stored = last_head(connection)
        self._signer.signed(None if stored is None else stored.head)
        self._signer.begin(self._tail.position, self._clock.now())

    def _release(self, now: Instant) -> None:
        if self._signer.is_due((), self._tail.position, now):
            self._commit((), now, signs=True)
        self._folding.close()
        self._writer.dispose()

    def _commit(self, groups: Sequence[_Drafted], now: Instant, *, signs: bool = False) -> _Outcome:
        """Seal and store events behind what others have appended, with a head where one is due.

        With ``signs`` the end is signed in any case.
        """
        foreign: list[Event] = []
        is_sent = False
        try:
            with self._writer.begin() as connection:
                self._follow(connection, foreign)
                events = self._sealed(groups)
                if events:
                    change_claims(connection, self._tail.held, claim_changes(self._tail.held, events))
                    connection.execute(insert(EVENTS), [_row(event) for event in events])
                head = self._head_after(events, now, signs=signs)
                if head is not None:
                    put_head(connection, head)
                is_sent = bool(events) or head is not None
        except Exception as error:
            self._is_unsure |= is_sent and self._storage.is_lost(error)
            return _Outcome(tuple(foreign), refusal=self._refusal(error, is_sent=is_sent))
        with self._tail_lock:
            for event in events:
                self._tail.advance(event)
        self._signer.take(events)
        self._signer.signed(head)
        self._folding.note(events)
        self._folding.settle(self._writer)
        return _Outcome(tuple(foreign), events)

    def _head_after(self, events: Sequence[Event], now: Instant, *, signs: bool) -> SignedHead | None:
        """Sign the ledger as it is with these events at its end, None where that is not due or can't be."""
        position = self._tail.position + len(events)
        is_new = self._signer.newest is None or self._signer.newest.size < position
        if not is_new or position == 0 or not (signs or self._signer.is_due(events, position, now)):
            return None
        key = self._signer.key_after(events)
        if key is None:
            return None
        frontier = self._tail.tree.frontier.copy()
        for event in events:
            frontier.append(event.canonical)
        chain_hash = bytes.fromhex(events[-1].hash) if events else self._tail.hash
        return sign_head(key, position, frontier.root(), chain_hash, now, self.origin)

    def _look(self) -> _Outcome:
        """Follow what others have appended, in the writer's thread."""
        foreign: list[Event] = []
        try:
            if self._is_unsure:  # behind the lock, which a server that still commits what was lost holds until then
                with self._writer.begin() as connection:
                    self._follow(connection, foreign)
                self._is_unsure = False
            state = self._storage.state(self._writer)
            if state != self._seen_state:
                with self._writer.connect().execution_options(**UNLOCKED) as connection:
                    self._follow(connection, foreign)
                self._seen_state = state
        except Exception as error:
            return _Outcome(tuple(foreign), refusal=self._refusal(error))
        return _Outcome(tuple(foreign))

    def _follow(self, connection: Connection, found: list[Event]) -> None:
        """Move the tail to the end of the ledger and note the events on the way, also of a way that ends in a fault."""
        position, chain_hash = last_row(connection) or (0, GENESIS)
        if (position, chain_hash) == (self._tail.position, self._tail.hash):
            return
        if position <= self._tail.position:
            ends = f"ends at position {position}, was left at {self._tail.position}"
            raise StorageError(f"{self._name}: {ends}, or was changed; stop whatever writes to it, verify, start again")
        events = follow(connection, self._storage, self._tail)
        while True:
            with self._tail_lock:
                event = next(events, None)
            if event is None:
                stored = last_head(connection)
                self._signer.signed(None if stored is None else stored.head)
                return
            found.append(event)
            self._signer.take([event])
            self._folding.note([event])

    def _refusal(self, error: Exception, *, is_sent: bool = False) -> Exception:
        """Say what went wrong in a turn of the writer's thread; nothing of it was recorded, or nobody knows."""
        if self._storage.is_lost(error):
            lost = f"{self._name}: the connection was lost: {cause(error)}"
            if is_sent:
                return StorageError(f"{lost}; it may be on record, read the stream again before repeating the command")
            return StorageError(f"{lost}; none was recorded, repeat the command when the server answers")
        if self._storage.is_locked(error):
            busy = f"{self._name}: another process has held its lock for {WAIT_S:.0f} s"
            return StorageError(f"{busy}; none was recorded, wait for that process or end it and repeat the command")
        if isinstance(error, FAILURES):
            refused = f"{self._name}: events could not be stored: {cause(error)}"
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
            raise StorageError(f"{self._name}: the ledger is closed; open it again to read")
        try:
            with self._reader.connect() as connection:
                return connection.execute(query, values).all()
        except FAILURES as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> Unreadable:
        is_lost = self._storage.is_lost(error)
        remedy = "read again when the server answers" if is_lost else "run `cultureops ledger verify`"
        return Unreadable(f"{self._name}: can't be read: {cause(error)}; {remedy}")

    def _event(self, position: int, canonical: bytes, chain_hash: bytes) -> Event:
        try:
            event = decode(canonical, chain_hash)
        except Unreadable as error:
            raise Unreadable(f"{self._name}: position {position}: {error}; run `cultureops ledger verify`") from None
        self._generation.check(event)
        return event


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
