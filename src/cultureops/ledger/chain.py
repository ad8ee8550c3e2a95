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
from enum import StrEnum
from itertools import chain

from cultureops.errors import ClaimTaken, Unreadable
from cultureops.ledger.claims import Holder, claim_changes
from cultureops.ledger.event import Event, decode
from cultureops.ledger.head import GENESIS, Head

__all__ = ["Damage", "Fault", "Row", "Tail", "Tip", "diagnose", "link"]


def link(previous: bytes, canonical: bytes) -> bytes:
    """Return the hash [32 bytes] of an event from the hash before it and its own bytes."""
    return hashlib.sha256(b"\x00" + previous + canonical).digest()


class Damage(StrEnum):
    """How a stored chain was broken, as far as the bytes can tell."""

    EDITED = "edited"
    DELETED = "deleted"
    INSERTED = "inserted"
    REORDERED = "reordered"
    VERSION_GAP = "stream version gap"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True)
class Fault:
    """The first place where a chain does not hold."""

    position: int
    damage: Damage
    detail: str

    def __str__(self) -> str:
        """Say where and what in one line."""
        return f"position {self.position}: {self.damage}: {self.detail}"


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


@dataclass(frozen=True, slots=True)
class Tip:
    """The last event of one stream."""

    position: int = 0
    version: int = 0
    hash: bytes = GENESIS


class Tail:
    """Where a chain stands: its last position and hash, the tip of every stream, and who holds which name."""

    def __init__(self) -> None:
        self.position = 0
        self.hash = GENESIS
        self.stream = ""
        self.tips: dict[str, Tip] = {}
        self.held: dict[str, Holder] = {}

    @property
    def head(self) -> Head:
        """The last position and its hash."""
        return Head(self.position, self.hash.hex())

    def tip(self, stream: str) -> Tip:
        """Return the last event of a stream; version 0 and the genesis hash when it has none."""
        return self.tips.get(stream, _NO_TIP)

    def advance(self, event: Event) -> None:
        """Take the next event as given; raises ClaimTaken, and takes nothing, when its claims can't be."""
        changed = claim_changes(self.held, [event])
        self.position = event.position
        self.hash = bytes.fromhex(event.hash)
        self.stream = event.stream
        self.tips[event.stream] = Tip(event.position, event.version, self.hash)
        for name, holder in changed.items():
            if holder is None:
                self.held.pop(name, None)
            else:
                self.held[name] = holder

    def follow(self, row: Row) -> Event | Fault:
        """Take the next stored row as an event when it follows from all before, else say what is wrong with it."""
        expected = self.position + 1
        if not row.sound:
            return Fault(expected, Damage.EDITED, "a column is not of its type")
        if row.position != expected:
            damage = Damage.DELETED if row.position > expected else Damage.INSERTED
            return Fault(expected, damage, f"row {row.position} stands where {expected} is expected")
        if link(self.hash, row.canonical) != row.hash:
            return Fault(expected, Damage.EDITED, "its hash does not follow from its bytes and the one before")
        try:
            event = decode(row.canonical, row.hash)
        except Unreadable as error:
            return Fault(expected, Damage.EDITED, f"rewritten with a fitting hash: {error}")
        if fault := self._misplaced(event, row):
            return fault
        try:
            self.advance(event)
        except ClaimTaken as error:
            holder = f"position {error.position}, stream {error.stream!r}" if error.position else "nobody"
            detail = f"claims or releases {error.claim!r}, which is held by {holder}"
            return Fault(expected, Damage.CLAIM, detail)
        return event

    def _misplaced(self, event: Event, row: Row) -> Fault | None:
        expected = self.position + 1
        tip = self.tip(event.stream)
        if event.position != expected:
            damage = Damage.DELETED if event.position > expected else Damage.INSERTED
            return Fault(expected, damage, f"holds the event recorded as position {event.position}")
        if (event.stream, event.version) != (row.stream, row.version):
            filed = f"filed as {row.stream!r} version {row.version}"
            return Fault(expected, Damage.EDITED, f"{filed}, recorded as {event.stream!r} version {event.version}")
        if event.version != tip.version + 1:
            step = f"version {tip.version} to {event.version}"
            return Fault(expected, Damage.VERSION_GAP, f"stream {event.stream!r} goes from {step}")
        if event.previous_stream_hash != tip.hash.hex():
            detail = f"position {expected} of the same stream remembers another hash of it"
            return Fault(tip.position or expected, Damage.EDITED, detail)
        return None


_NO_TIP = Tip()


def diagnose(tail: Tail, fault: Fault, rows: Iterable[Row]) -> Fault:
    """Name a fault more closely from all rows behind the tail: what stands elsewhere was moved."""
    remaining = iter(rows)
    first = next(remaining, None)
    if first is None or not first.sound:
        return fault
    expected = tail.position + 1
    if first.position == expected and link(tail.hash, first.canonical) == first.hash:
        return fault
    successor, denied = _search(tail, chain([first], remaining))
    claimed = _claims(first)[0]
    if successor is not None:
        foreign = first.position == expected and (claimed is None or claimed <= expected)
        damage = Damage.INSERTED if foreign else Damage.REORDERED
        return Fault(expected, damage, f"the event recorded here stands at position {successor}")
    if first.position > expected or (claimed is not None and claimed > expected):
        return Fault(expected, Damage.DELETED, f"the event recorded here is missing, {claimed} follows")
    if claimed is not None and claimed < expected:
        return Fault(expected, Damage.INSERTED, f"holds the event recorded as position {claimed}")
    if denied is not None:
        detail = f"rewritten with a fitting hash; position {denied} remembers another hash of it"
        return Fault(tail.position, Damage.EDITED, detail)
    return fault


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
