"""Looking at every event, head and claim of a stored ledger, and naming what is not as it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, overload

from sqlalchemy import Connection, text

from cultureops.errors import SignatureInvalid, Unreadable
from cultureops.ledger.chain import Fault, Row, Tail, diagnose
from cultureops.ledger.claim_table import disagreement, read_claims
from cultureops.ledger.event import Event, decode
from cultureops.ledger.finding import Finding, Kind
from cultureops.ledger.head import Head
from cultureops.ledger.head_table import StoredHead, read_heads
from cultureops.ledger.key_chain import STREAM, KeyChain, KeyEntry
from cultureops.ledger.known import Known, fits
from cultureops.ledger.signed_head import SignedHead
from cultureops.ledger.storage import FAILURES, Storage, cause
from cultureops.ledger.table import read_rows
from cultureops.ledger.whereabouts import Whereabouts, storage_at

__all__ = ["MOST_UNSIGNED", "SIGNATURES", "CheckSignatures", "Examined", "examine", "named"]

CheckSignatures: TypeAlias = Callable[[Event, Sequence[Event]], object]
"""Checks the signatures of people in an event, given its stream by version; raises SignatureInvalid."""

MOST_UNSIGNED: Final = 256
"""So many events may stand behind the newest head; with the next one a head is signed."""

SIGNATURES: Final = "signatures"
"""Under this key of an event's data stand the signatures of people; see ``access/signature.py``."""
_SIGNED: Final = f'"{SIGNATURES}":['.encode()
_STRUCTURAL: Final = frozenset(
    {
        Kind.DELETED,
        Kind.INSERTED,
        Kind.REORDERED,
        Kind.TRUNCATED,
        Kind.ROLLED_BACK,
        Kind.REHASHED,
        Kind.CLAIM,
        Kind.HEAD,
        Kind.SIGNATURE,
    }
)
"""What a damaged page can look like: where a file's own structure is damaged, nothing more is said."""
_SHOWN_EVERY: Final = 1 << 12
_LAST_POSITION: Final = text("SELECT coalesce(max(position), 0) FROM events")
_LAST_VERSION: Final = text("SELECT coalesce(max(version), 0) FROM events WHERE stream = :stream")
_OF_VERSION: Final = text("SELECT canonical, hash FROM events WHERE stream = :stream AND version = :version")


@dataclass(frozen=True, slots=True)
class Examined:
    """What a ledger is: its end, its root there, its keys and heads, and what is wrong, the first bad record first.

    ``unsigned`` counts the events behind the newest head, ``signatures`` the events with signatures of people.
    """

    head: Head
    root: str
    heads: int
    unsigned: int
    signatures: int
    keys: tuple[KeyEntry, ...]
    findings: tuple[Finding, ...]


def examine(
    where: Whereabouts,
    known: Iterable[Known] = (),
    check_signatures: CheckSignatures | None = None,
    show: Callable[[int, int], None] | None = None,
) -> Examined:
    """Look at everything in a ledger, read-only and beside a running writer; ``show`` hears (done, all).

    Raises Unreadable when it can't be opened as a ledger at all.
    """
    storage = storage_at(where)
    with storage.open_reader() as connection:
        return _Examination(storage, connection, known, check_signatures, show).result()


def named(storage: Storage, connection: Connection, tail: Tail, fault: Fault) -> Finding:
    """Say of which kind a fault behind the tail is, by all that is stored; raises one of ``FAILURES``."""
    found = diagnose(tail, fault, read_rows(connection, tail.position))
    where = f"position {found.position}"
    finding = Finding(found.kind, where, found.detail, found.position)
    return finding if found.kind not in _STRUCTURAL else _by_structure(storage, connection, finding)


def _by_structure(storage: Storage, connection: Connection, finding: Finding) -> Finding:
    """Return a finding as unreadable where the file's structure is damaged: it tells nothing of its rows then."""
    damage = storage.structure(connection)
    if damage is None:
        return finding
    return replace(finding, kind=Kind.UNREADABLE, detail=f"the structure of the file is damaged: {damage}")


class _Examination:
    """One walk over a ledger's rows, with whatever is known of it compared on the way."""

    def __init__(
        self,
        storage: Storage,
        connection: Connection,
        known: Iterable[Known],
        check_signatures: CheckSignatures | None,
        show: Callable[[int, int], None] | None,
    ) -> None:
        self._storage = storage
        self._connection = connection
        self._check = check_signatures
        self._show = show
        self._tail = Tail()
        self._keys = KeyChain()
        self._findings: list[Finding] = []
        self._known = sorted(known, key=lambda one: one.size)
        self._good_until = 0
        self._signatures = 0
        self._heads: list[StoredHead] = []
        self._signed_until = 0
        self._is_whole = False

    def result(self) -> Examined:
        try:
            self._heads = list(read_heads(self._connection))
            self._walk()
        except FAILURES as error:
            if self._storage.is_lost(error):
                raise Unreadable(f"{self._storage.name}: the connection was lost: {cause(error)}; look again") from None
            at = self._tail.position + 1
            self._find(Kind.UNREADABLE, f"position {at}", f"can't be read: {cause(error)}", at)
        if self._is_whole:
            self._look_behind_the_end()
            self._look_at_the_rest()
        ordered = sorted(
            self._findings, key=lambda one: self._tail.position + 1 if one.position is None else one.position
        )
        return Examined(
            head=self._tail.head,
            root=self._tail.tree.root().hex(),
            heads=len(self._heads),
            unsigned=self._tail.position - self._signed_until,
            signatures=self._signatures,
            keys=tuple(self._keys.entries),
            findings=tuple(ordered),
        )

    def _find(self, kind: Kind, where: str, detail: str, position: int | None = None) -> None:
        finding = Finding(kind, where, detail, position)
        self._findings.append(
            _by_structure(self._storage, self._connection, finding) if kind in _STRUCTURAL else finding
        )

    def _walk(self) -> None:
        """Follow the chain and compare heads where they stand; ends at the first row that does not follow."""
        tail, connection = self._tail, self._connection
        last = connection.execute(_LAST_POSITION).scalar_one()
        heads: dict[int, list[StoredHead]] = {}
        known: dict[int, list[Known]] = {}
        for stored in self._heads:
            if stored.head is not None:
                heads.setdefault(stored.head.size, []).append(stored)
        for kept in self._known:
            known.setdefault(kept.size, []).append(kept)
        newest = max(heads, default=0)
        self._compare(heads, known)
        for row in read_rows(connection):
            # What a signed head vouches for needs no second look at its form.
            found = tail.follow(row) if tail.position < newest else tail.follow_whole(row)
            if isinstance(found, Fault):
                self._findings.append(named(self._storage, connection, tail, found))
                return
            if found.stream == STREAM or (self._check is not None and _SIGNED in row.canonical):
                self._read(row)
            if tail.position in heads or tail.position in known:
                self._compare(heads, known)
            if self._show is not None and not tail.position % _SHOWN_EVERY:
                self._show(tail.position, last)
        self._is_whole = True

    def _read(self, row: Row) -> None:
        """Take a key, or check the signatures of people."""
        try:
            event = decode(row.canonical, row.hash)
        except Unreadable as error:
            self._find(Kind.EDITED, f"position {row.position}", f"rewritten with a fitting hash: {error}", row.position)
            return
        if event.stream == STREAM:
            try:
                self._keys.apply(event)
            except SignatureInvalid as error:
                self._find(Kind.KEY, f"position {event.position}", str(error), event.position)
        elif self._check is not None and SIGNATURES in event.data:
            self._check_signatures(self._check, event)

    def _check_signatures(self, check: CheckSignatures, event: Event) -> None:
        self._signatures += 1
        try:
            check(event, _History(self._connection, event.stream))
        except (SignatureInvalid, Unreadable, IndexError) as error:
            self._find(Kind.SIGNATURE, f"position {event.position}", str(error), event.position)

    def _compare(self, heads: dict[int, list[StoredHead]], known: dict[int, list[Known]]) -> None:
        """Compare what is signed or known of the position that the walk has come to."""
        for one in heads.get(self._tail.position, ()):
            self._judge(one)
        for kept in known.get(self._tail.position, ()):
            self._judge_known(kept)

    def _judge(self, stored: StoredHead) -> None:
        head = stored.head
        assert head is not None
        where = f"head {stored.number}"
        if not self._is_signed(head):
            self._find(Kind.EDITED, where, f"position {head.size}: not signed by key {head.key_id[:16]!r}", head.size)
        elif (key := self._keys.at(head.size)) is None or key.id != head.key_id:
            self._find(
                Kind.KEY, where, f"position {head.size}: signed by a key that is not that of its time", head.size
            )
        elif not fits(head, self._tail):
            self._rehashed(where)
        else:
            self._good_until = self._signed_until = head.size

    def _judge_known(self, kept: Known) -> None:
        if not fits(kept.head, self._tail):
            if kept.is_as_kept:
                self._rehashed(kept.where)
            else:
                self._find(Kind.EDITED, kept.where, f"not the head of position {kept.size} that was signed")
        elif isinstance(kept.head, SignedHead):
            if not kept.is_as_kept:
                self._find(Kind.EDITED, kept.where, f"its signature of position {kept.size} is not as it was made")
            elif all(one.head is not None for one in self._heads) and not self._has_head(kept.size):
                detail = f"the head of position {kept.size} is missing here; {kept.where} has it"
                self._find(Kind.HEAD, f"position {kept.size}", detail, kept.size)

    def _has_head(self, size: int) -> bool:
        return any(one.head is not None and one.head.size == size for one in self._heads)

    def _rehashed(self, where: str) -> None:
        """Say that what follows is not what was signed, once: every later head says the same."""
        if not any(finding.kind is Kind.REHASHED for finding in self._findings):
            first, last = self._good_until + 1, self._tail.position
            detail = f"positions {first} to {last} follow from each other, but {where} stands for others"
            self._find(Kind.REHASHED, f"position {first}", detail, first)

    def _is_signed(self, head: SignedHead) -> bool:
        """Whether any of the ledger's keys has signed a head."""
        for entry in self._keys.entries:
            if entry.key.id == head.key_id:
                try:
                    head.check(entry.key)
                    return True
                except SignatureInvalid:
                    return False
        return False

    def _look_behind_the_end(self) -> None:
        """Ask heads and anchors for events that are gone."""
        end = self._tail.position
        keys = {entry.key.id for entry in self._keys.entries}
        beyond = []
        for stored in self._heads:
            if stored.head is not None and stored.head.size > end:
                if stored.head.key_id in keys and not self._is_signed(stored.head):
                    self._find(Kind.EDITED, f"head {stored.number}", "not signed by its key")
                else:
                    beyond.append(stored.head.size)
        if beyond:
            detail = f"positions {end + 1} to {max(beyond)} are gone; heads in this {self._storage.kind} stand for them"
            self._find(Kind.TRUNCATED, f"position {end + 1}", detail, end + 1)
        for kept in self._known:
            if kept.size <= end:
                continue
            if not kept.is_as_kept:
                self._find(Kind.EDITED, kept.where, f"not a head of position {kept.size} that was signed")
            elif not any(finding.kind in (Kind.TRUNCATED, Kind.ROLLED_BACK) for finding in self._findings):
                detail = f"the {self._storage.kind} ends at position {end}; {kept.where} stands for {kept.size}"
                self._find(Kind.ROLLED_BACK, f"position {end + 1}", detail, end + 1)

    def _look_at_the_rest(self) -> None:
        """Look at the table of heads as such, at that of claims, and at the structure of the file."""
        for expected, stored in enumerate(self._heads, 1):
            if stored.head is None:
                self._find(Kind.EDITED, f"head {stored.number}", "a column is not of its kind")
            if stored.number != expected:
                self._find(Kind.HEAD, f"head {expected}", f"is missing, {stored.number} comes next")
                break
        if self._keys.entries and self._tail.position - self._signed_until > MOST_UNSIGNED:
            first = self._signed_until + 1
            detail = (
                f"no head stands for positions {first} to {self._tail.position}: heads are gone, or the key is lost"
            )
            self._find(Kind.HEAD, f"position {first}", detail, first)
        try:
            differs = disagreement(read_claims(self._connection), self._tail.held)
        except FAILURES as error:
            differs = None
            self._find(Kind.UNREADABLE, "table of claims", cause(error))
        if differs is not None:
            self._find(Kind.EDITED, "table of claims", f"events are intact, but {differs}; opening mends it")
        has_structure_named = any(finding.kind is Kind.UNREADABLE for finding in self._findings)
        if not has_structure_named and (damage := self._storage.structure(self._connection)) is not None:
            self._find(
                Kind.UNREADABLE, "structure of the file", f"events are intact, but the file is damaged: {damage}"
            )


class _History(Sequence[Event]):
    """A stream's events by version, each read when it is asked for."""

    def __init__(self, connection: Connection, stream: str) -> None:
        self._connection = connection
        self._stream = stream

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...

    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        """Return the event of version ``index + 1``."""
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        row = self._connection.execute(_OF_VERSION, {"stream": self._stream, "version": index + 1}).first()
        if row is None:
            raise IndexError(index)
        return decode(*row)

    def __len__(self) -> int:
        return int(self._connection.execute(_LAST_VERSION, {"stream": self._stream}).scalar_one())
