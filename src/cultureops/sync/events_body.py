"""Events and signed heads on the way to the hub: a JSON head, then position, hash, length and canonical bytes of each.

Positions are u64, lengths u32, both big-endian; a hash is 32 bytes. The bytes of an event are those of the gateway's
own file, so what arrives is what was recorded. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cultureops.errors import StorageError
from cultureops.ledger.event import Event, JsonValue
from cultureops.ledger.head import Head
from cultureops.ledger.signed_head import SignedHead
from cultureops.sync.hello import head_of, head_values
from cultureops.sync.wire import Malformed, dumps, loads, with_head, without_head

__all__ = ["EventsBody", "Held", "Sent"]

_ROW: Final = struct.Struct(">Q32sI")
_MOST_HEADS: Final = 2000


class Sent(NamedTuple):
    """One event as it stands on the wire, believed in nothing."""

    position: int
    hash: bytes
    canonical: bytes


@dataclass(frozen=True, slots=True)
class EventsBody:
    """What a gateway's log holds behind ``after`` (where it says that the hub stands), and heads that were signed."""

    after: Head
    events: tuple[Sent, ...]
    heads: tuple[SignedHead, ...] = ()

    @classmethod
    def of(cls, after: Head, events: Sequence[Event], heads: Sequence[SignedHead]) -> EventsBody:
        """Take events as they were read from the gateway's ledger."""
        rows = tuple(Sent(event.position, bytes.fromhex(event.hash), event.canonical) for event in events)
        return cls(after, rows, tuple(heads))

    def body(self) -> bytes:
        """Write it for the wire."""
        head: dict[str, JsonValue] = {
            "after": head_values(self.after),
            "heads": [signed.data() for signed in self.heads],
        }
        rows = (_ROW.pack(row.position, row.hash, len(row.canonical)) + row.canonical for row in self.events)
        return with_head(head, b"".join(rows))

    @classmethod
    def read(cls, body: bytes) -> EventsBody:
        """Read what ``body`` returned; raises Malformed."""
        head, rest = without_head(body, "events")
        try:
            heads = tuple(SignedHead.read(item.raw()) for item in head.items("heads", _MOST_HEADS))
        except StorageError as error:
            raise Malformed(f"events.heads: {error}") from None
        found: list[Sent] = []
        at = 0
        while at < len(rest):
            if len(rest) - at < _ROW.size:
                raise Malformed("events: the last one is cut off")
            position, chain_hash, length = _ROW.unpack_from(rest, at)
            at += _ROW.size
            if len(rest) - at < length:
                raise Malformed(f"events: position {position} is cut off")
            found.append(Sent(position, chain_hash, rest[at : at + length]))
            at += length
        return cls(head_of(head.fields("after")), tuple(found), heads)


@dataclass(frozen=True, slots=True)
class Held:
    """The hub's answer: what it holds now; ``problem`` where it takes no more of this log until a person has looked."""

    ledger: Head
    heads_size: int
    problem: str | None = None

    def body(self) -> bytes:
        """Write it for the wire."""
        ledger = head_values(self.ledger)
        return dumps({"ledger": ledger, "heads_size": self.heads_size, "problem": self.problem})

    @classmethod
    def read(cls, body: bytes) -> Held:
        """Read what ``body`` returned; raises Malformed."""
        fields = loads(body, "answer")
        problem = fields.prose("problem") if "problem" in fields else None
        return cls(head_of(fields.fields("ledger")), fields.integer("heads_size"), problem)
