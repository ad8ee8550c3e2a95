"""The hash chain over positions, pure.

``hash_i = SHA-256(0x00 || hash_(i-1) || canonical_i)``; the leading zero byte keeps a link apart from an
inner node of a Merkle tree (RFC 6962 section 2.1). Inside its bytes each event also carries the hash of the
event before it in its stream.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from cultureops.errors import ClaimTaken, Unreadable
from cultureops.ledger.claims import Holder, claim_changes
from cultureops.ledger.event import Event, decode
from cultureops.ledger.finding import Kind
from cultureops.ledger.head import GENESIS, Head
from cultureops.ledger.merkle import Leaves, MerkleTree
from cultureops.ledger.place import Place, place_of, read_place

__all__ = ["Fault", "Row", "Tail", "Tip", "diagnose", "link"]


def link(previous: bytes, canonical: bytes) -> bytes:
    """Return the hash [32 bytes] of an event from the hash before it and its own bytes."""
    return hashlib.sha256(b"\x00" + previous + canonical).digest()


@dataclass(frozen=True, slots=True)
class Fault:
    """The first place where a chain does not hold."""

    position: int
    kind: Kind
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    """One stored row, believed in nothing."""

    position: int
    stream: str
    version: int
    canonical: bytes
    hash: bytes

    @property
    def sound(self) -> bool:
        """Whether every column has its declared type."""
        return (
            isinstance(self.position, int)
            and isinstance(self.stream, str)
            and isinstance(self.version, int)
            and isinstance(self.canonical, bytes)
            and isinstance(self.hash, bytes)
        )


class Tip(NamedTuple):
    """The last event of one stream."""

    position: int = 0
    version: int = 0
    hash: bytes = GENESIS


class Tail:
    """Where a chain stands: last position and hash, the tip of every stream, who holds which name, and the tree."""

    def __init__(self, leaves: Leaves | None = None) -> None:
        self.position = 0
        self.hash = GENESIS
        self.stream = ""
        self.tips: dict[str, Tip] = {}
        self.held: dict[str, Holder] = {}
        self.tree = MerkleTree(leaves)

    @property
    def head(self) -> Head:
        """The last position and its hash."""
        return Head(self.position, self.hash.hex())

    def tip(self, stream: str) -> Tip:
        """Return the last event of a stream; version 0 and the genesis hash when it has none."""
        return self.tips.get(stream, _NO_TIP)

    def advance(self, event: Event) -> None:
        """Take the next event as given; raises ClaimTaken, and takes nothing, when its claims can't be."""
        self._advance(place_of(event), event.canonical, bytes.fromhex(event.hash))

    def _advance(self, place: Place, canonical: bytes, chain_hash: bytes) -> None:
        if place.claims or place.releases:
            for name, holder in claim_changes(self.held, [place]).items():
                if holder is None:
                    self.held.pop(name, None)
                else:
                    self.held[name] = holder
        self.position = place.position
        self.hash = chain_hash
        self.stream = place.stream
        self.tips[place.stream] = Tip(place.position, place.version, chain_hash)
        self.tree.append(canonical)

    def follow(self, row: Row) -> Place | Fault:
        """Take the next stored row when it follows from all before, else say what is wrong with it.

        Of an event's bytes only what gives it its place is looked at.
        """
        if fault := self._unlinked(row):
            return fault
        try:
            place = read_place(row.canonical, row.hash)
        except Unreadable as error:
            return self._rewritten(error)
        return self._placed(place, row) or place

    def follow_whole(self, row: Row) -> Event | Fault:
        """Do as ``follow``, and read the whole event."""
        if fault := self._unlinked(row):
            return fault
        try:
            event = decode(row.canonical, row.hash)
        except Unreadable as error:
            return self._rewritten(error)
        return self._placed(place_of(event), row) or event

    def _unlinked(self, row: Row) -> Fault | None:
        expected = self.position + 1
        if not row.sound:
            return Fault(expected, Kind.EDITED, "a column is not of its type")
        if row.position != expected:
            kind = Kind.DELETED if row.position > expected else Kind.INSERTED
            return Fault(expected, kind, f"row {row.position} stands where {expected} is expected")
        if link(self.hash, row.canonical) != row.hash:
            return Fault(expected, Kind.EDITED, "its hash does not follow from its bytes and the one before")
        return None

    def _rewritten(self, error: Unreadable) -> Fault:
        return Fault(self.position + 1, Kind.EDITED, f"rewritten with a fitting hash: {error}")

    def _placed(self, place: Place, row: Row) -> Fault | None:
        """Take a row that follows, at its place."""
        expected = self.position + 1
        if fault := self._misplaced(place, row):
            return fault
        try:
            self._advance(place, row.canonical, row.hash)
        except ClaimTaken as error:
            holder = f"position {error.position}, stream {error.stream!r}" if error.position else "nobody"
            detail = f"claims or releases {error.claim!r}, which is held by {holder}"
            return Fault(expected, Kind.CLAIM, detail)
        return None

    def _misplaced(self, place: Place, row: Row) -> Fault | None:
        expected = self.position + 1
        tip = self.tip(place.stream)
        if place.position != expected:
            kind = Kind.DELETED if place.position > expected else Kind.INSERTED
            return Fault(expected, kind, f"holds the event recorded as position {place.position}")
        if (place.stream, place.version) != (row.stream, row.version):
            filed = f"filed as {row.stream!r} version {row.version}"
            return Fault(expected, Kind.EDITED, f"{filed}, recorded as {place.stream!r} version {place.version}")
        if place.version != tip.version + 1:
            kind = Kind.DELETED if place.version > tip.version else Kind.INSERTED
            step = f"version {tip.version} to {place.version}"
            return Fault(expected, kind, f"stream {place.stream!r} goes from {step}, with fitting hashes")
        if place.previous_stream_hash != tip.hash.hex():
            detail = f"position {expected} of the same stream remembers another hash of it"
            return Fault(tip.position or expected, Kind.EDITED, detail)
        return None


_NO_TIP = Tip()


def diagnose(tail: Tail, fault: Fault, rows: Iterable[Row]) -> Fault:
    """Name a fault more closely from all rows behind the tail: what stands elsewhere was moved."""
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None or not first.sound:
        return fault
    expected = tail.position + 1
    if link(tail.hash, first.canonical) == first.hash:
        second = next(remaining, None)
        if first.position == expected or (second is not None and second.position == expected):
            return fault
        return Fault(expected, Kind.EDITED, f"its number was changed to {first.position} where it stands")
    claimed = _claims(first)[0]
    if claimed is not None and link(tail.hash, _renumbered(first.canonical, claimed, expected)) == first.hash:
        return Fault(expected, Kind.EDITED, f"its own number was changed to {claimed}")
    successor, denied = _search(tail, chain([first], remaining))
    if successor is not None:
        foreign = first.position == expected and (claimed is None or claimed <= expected)
        kind = Kind.INSERTED if foreign else Kind.REORDERED
        return Fault(expected, kind, f"the event recorded here stands at position {successor}")
    if first.position > expected or (claimed is not None and claimed > expected):
        return Fault(expected, Kind.DELETED, f"the event recorded here is missing, {claimed} follows")
    if claimed is not None and claimed < expected:
        return Fault(expected, Kind.INSERTED, f"holds the event recorded as position {claimed}")
    if denied is not None:
        detail = f"rewritten with a fitting hash; position {denied} remembers another hash of it"
        return Fault(tail.position, Kind.EDITED, detail)
    return fault


def _renumbered(canonical: bytes, claimed: int, expected: int) -> bytes:
    """Return an event's bytes with another position; the last such key is the event's own."""
    before, _, behind = canonical.rpartition(b'"position":%d,' % claimed)
    return before + b'"position":%d,' % expected + behind


def _search(tail: Tail, rows: Iterator[Row]) -> tuple[int | None, int | None]:
    """Find where the tail's true successor stands, and which later event of its stream denies its hash."""
    denied: int | None = None
    next_in_stream = (tail.stream, tail.tip(tail.stream).version + 1)
    for row in rows:
        if not row.sound:
            continue
        if link(tail.hash, row.canonical) == row.hash:
            return row.position, denied
        claimed, place, previous = _claims(row)
        if denied is None and place == next_in_stream and previous != tail.hash.hex():
            denied = claimed
    return None, denied


def _claims(row: Row) -> tuple[int | None, tuple[object, object], object]:
    """Read what a row's own bytes say of its position, (stream, version) and previous stream hash."""
    try:
        fields = json.loads(row.canonical)
        position = fields["position"]
        place = fields["stream"], fields["version"]
        return ((position if isinstance(position, int) else None), place, fields["previous_stream_hash"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None, (None, None), None
