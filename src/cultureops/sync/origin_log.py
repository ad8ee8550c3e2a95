"""A gateway's log as its hub holds it: byte for byte, followed and checked, in a ledger's file of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import structlog
from sqlalchemy import Engine, insert, text

from cultureops.errors import SignatureInvalid, StorageError, Unreadable
from cultureops.ledger.chain import Fault, Row, Tail
from cultureops.ledger.checkpoint import Checkpoint
from cultureops.ledger.claim_table import change_claims
from cultureops.ledger.claims import Holder, claim_changes
from cultureops.ledger.event import Event, decode
from cultureops.ledger.generation import Generation
from cultureops.ledger.head import Head
from cultureops.ledger.head_table import last_head, put_head, read_heads
from cultureops.ledger.key_chain import STREAM as KEYS
from cultureops.ledger.key_chain import KeyChain
from cultureops.ledger.signed_head import SignedHead
from cultureops.ledger.sqlite_file import SqliteFile
from cultureops.ledger.storage import FAILURES, UNLOCKED, cause
from cultureops.ledger.table import EVENTS
from cultureops.ledger.verify import restore
from cultureops.ledger.whereabouts import open_reader
from cultureops.sync.events_body import EventsBody, Sent

__all__ = ["Forked", "Known", "OriginLog", "TooNew"]

log = structlog.get_logger(__name__)

_PAGE: Final = 500
_BEHIND: Final = text("SELECT canonical, hash FROM events WHERE position > :after ORDER BY position LIMIT :size")
_OF_STREAM: Final = text("SELECT canonical, hash FROM events WHERE stream = :stream ORDER BY version")


@dataclass(frozen=True, slots=True)
class Known:
    """What the hub's own record says of a log: ``size`` events at least were here, and hashes [hex] by position.

    A log that was begun anew under an old name would otherwise be taken for the old one, and what stands in it where
    the old one was told already would be told to nobody.
    """

    size: int = 0
    hashes: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, taken: int, heads: Iterable[Head]) -> Self:
        """Know ``taken`` positions and recorded heads."""
        hashes = {head.position: head.hash for head in heads}
        return cls(max((taken, *hashes)), hashes)


class Forked(StorageError):
    """A log does not follow from what its origin sent before, or from itself; what was sound of it is kept."""


class TooNew(StorageError):
    """A log holds what only a newer program can read."""


class OriginLog:
    """One origin's events and signed heads; one thread at a time may ``take``, any may read."""

    def __init__(self, path: Path, origin: str, writer: Engine, tail: Tail, known: Known) -> None:
        self.path = path
        self.origin = origin
        self._writer = writer
        self._checkpoint = Checkpoint(path)
        self._tail = tail
        self._end = tail.head
        self._generation = Generation()
        self._keys = KeyChain()
        for event in self._stream(KEYS):
            self._learn(event)
        with writer.connect().execution_options(**UNLOCKED) as connection:
            newest = last_head(connection)
        self.newest_head = None if newest is None else newest.head
        self._known = known
        self._foreign = self._unlike_known()

    @classmethod
    def open(cls, path: Path, origin: str, known: Known = Known()) -> Self:
        """Open or create the file and follow its chain; raises ChainBroken, Unreadable or StorageError."""
        writer = SqliteFile(path).writer()
        try:
            tail = restore(writer, SqliteFile(path))
            return cls(path, origin, writer, tail, known)
        except BaseException:
            writer.dispose()
            raise

    def head(self) -> Head:
        """Return the last position that is durable here, and its hash."""
        return self._end

    @property
    def heads_size(self) -> int:
        """The size of the newest signed head, 0 where there is none."""
        return 0 if self.newest_head is None else self.newest_head.size

    def read_all(self, after_position: int = 0, limit: int | None = None) -> Iterator[Event]:
        """Yield events by position, page by page; raises Unreadable."""
        remaining = limit
        while remaining is None or remaining > 0:
            size = _PAGE if remaining is None else min(_PAGE, remaining)
            page = self._page(after_position, size)
            yield from page
            if len(page) < size:
                return
            after_position = page[-1].position
            remaining = None if remaining is None else remaining - size

    def signed_heads(self, after_size: int = 0) -> tuple[SignedHead, ...]:
        """Return the verified heads of more than ``after_size`` events, by size; raises Unreadable."""
        connection = open_reader(self.path)
        try:
            heads = [stored.head for stored in read_heads(connection)]
        except FAILURES as error:
            raise self._unreadable(error) from None
        finally:
            connection.close()
        return tuple(head for head in heads if head is not None and head.size > after_size)

    def disputes(self, said: Head) -> str | None:
        """Say why a log that ends so can't be the one that is held here; None where it can be."""
        held, known = self._end, self._known
        if self._foreign is not None:
            return self._foreign
        if said.position < known.size:
            return (
                f"its log ends at {said.position}, the hub's record knows of {known.size} events: "
                "it was begun anew, put back or cut off"
            )
        if said.position < held.position:
            return f"its log ends at {said.position}, {held.position} events of it are here: it was put back or cut off"
        if said.position == held.position and said.hash != held.hash:
            return f"position {held.position} of its log is not what it sent before: it was rewritten"
        return None

    def take(self, body: EventsBody) -> None:
        """Store what follows, durably, all of it or up to the first fault.

        Raises Forked or TooNew once what is sound before the fault is stored, StorageError when the file can't be
        written.
        """
        if self._tail.head != self._end:  # a write failed, and so did reading back what the file holds
            self._begin_again()
        events: list[Event] = []
        heads: list[SignedHead] = []
        refusal: StorageError | None = None
        held = dict(self._tail.held)
        try:
            for event in self._followed(body.events, body.heads, heads):
                events.append(event)
        except (Forked, TooNew) as error:
            refusal = error
        if events or heads:
            self._store(events, heads, held)
        if refusal is not None:
            raise refusal

    def close(self) -> None:
        """Let go of the file."""
        self._checkpoint.close()
        self._writer.dispose()

    def _followed(
        self, rows: Sequence[Sent], heads: Sequence[SignedHead], sound: list[SignedHead]
    ) -> Iterator[Event]:  # fmt: skip
        """Follow rows, and check each head where its size is reached; those that hold are put into ``sound``."""
        waiting = sorted((head for head in heads if head.size > self.heads_size), key=lambda head: head.size)
        while waiting and waiting[0].size <= self._tail.position:
            sound.append(self._checked(waiting.pop(0)))
        for row in rows:
            event = self._follow(row)
            yield event
            while waiting and waiting[0].size == event.position:
                sound.append(self._checked(waiting.pop(0)))
        if waiting:
            raise Forked(f"a head of {waiting[0].size} events came with a log of {self._tail.position}")

    def _follow(self, sent: Sent) -> Event:
        try:
            event = decode(sent.canonical, sent.hash)
            self._generation.check(event)
        except Unreadable as error:
            raise TooNew(f"position {sent.position} can't be read by this hub: {error}") from None
        if event.origin != self.origin:
            raise Forked(f"position {sent.position} is of {event.origin[:40]!r}, not of {self.origin!r}")
        if (noted := self._known.hashes.get(sent.position)) not in (None, sent.hash.hex()):
            raise Forked(f"position {sent.position} is not the one whose head is in the hub's record ({noted[:16]})")
        found = self._tail.follow(Row(sent.position, event.stream, event.version, sent.canonical, sent.hash))
        if isinstance(found, Fault):
            raise Forked(f"position {found.position} does not follow from what is held: {found.kind}, {found.detail}")
        if event.stream == KEYS:
            self._learn(event)
        return event

    def _learn(self, event: Event) -> None:
        try:
            self._keys.apply(event)
        except SignatureInvalid as error:
            log.error("a key of a gateway is not believed", origin=self.origin, error=str(error))

    def _checked(self, head: SignedHead) -> SignedHead:
        """Return a head that is of this log, and was signed by its key; raises Forked for any other."""
        key = self._keys.at(head.size)
        try:
            if key is None or head.origin != self.origin:
                raise SignatureInvalid(f"no key of {self.origin} signs at {head.size} events")
            head.check(key)
        except SignatureInvalid as error:
            raise Forked(f"a false head: {error}") from None
        chain_hash, root = self._hash_at(head.size), self._tail.tree.root(head.size)
        if (head.chain_hash, head.root) != (chain_hash, root.hex()):
            raise Forked(f"its head of {head.size} events is of another log than the one it sent")
        return head

    def _unlike_known(self) -> str | None:
        """Say where what is held here is not the log that the hub's record knows."""
        size = max((size for size in self._known.hashes if size <= self._tail.position), default=0)
        if not size or self._hash_at(size) == self._known.hashes[size]:
            return None
        return f"position {size} of its log as it is held here is not the one whose head is in the hub's record"

    def _hash_at(self, size: int) -> str:
        if size == self._tail.position:
            return self._tail.hash.hex()
        page = self._page(size - 1, 1)
        return page[0].hash if page else ""

    def _store(self, events: Sequence[Event], heads: Sequence[SignedHead], held: Mapping[str, Holder]) -> None:
        try:
            with self._writer.begin() as connection:
                if events:
                    change_claims(connection, held, claim_changes(held, events))
                    connection.execute(insert(EVENTS), [_row(event) for event in events])
                for head in heads:
                    put_head(connection, head)
        except (StorageError, *FAILURES) as error:
            self._begin_again()
            raise StorageError(f"{self.path}: events could not be stored: {cause(error)}; mend the disk") from None
        self._end = self._tail.head
        if heads:
            self.newest_head = heads[-1]
        self._checkpoint.note(events)
        self._checkpoint.settle(self._writer)

    def _begin_again(self) -> None:
        """Put tail and keys back to what the file holds, after a write that failed."""
        self._tail = restore(self._writer, SqliteFile(self.path))
        self._end = self._tail.head
        self._keys = KeyChain()
        for event in self._stream(KEYS):
            self._learn(event)

    def _page(self, after_position: int, size: int) -> list[Event]:
        connection = open_reader(self.path)
        try:
            found = connection.execute(_BEHIND, {"after": after_position, "size": size}).all()
            return [decode(canonical, chain_hash) for canonical, chain_hash in found]
        except FAILURES as error:
            raise self._unreadable(error) from None
        finally:
            connection.close()

    def _stream(self, stream: str) -> list[Event]:
        with self._writer.connect().execution_options(**UNLOCKED) as connection:
            found = connection.execute(_OF_STREAM, {"stream": stream}).all()
        return [decode(canonical, chain_hash) for canonical, chain_hash in found]

    def _unreadable(self, error: Exception) -> Unreadable:
        return Unreadable(f"{self.path}: can't be read: {cause(error)}; run `cultureops verify`")


def _row(event: Event) -> dict[str, object]:
    return {
        "position": event.position,
        "stream": event.stream,
        "version": event.version,
        "canonical": event.canonical,
        "hash": bytes.fromhex(event.hash),
    }
