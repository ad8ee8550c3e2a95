"""What gateway and hub tell each other at every greeting. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cultureops.clock import Instant
from cultureops.errors import ConfigError
from cultureops.ledger.event import JsonValue
from cultureops.ledger.head import Head
from cultureops.sync.clock_offset import Exchange
from cultureops.sync.wire import Fields, Malformed, dumps, loads
from cultureops.telemetry.follow import Cursor

__all__ = ["MOST_ORDERS", "Answer", "Hello", "Order", "Standing", "cursor_of", "head_of", "head_values"]

_MOST_CHAMBERS: Final = 1000
_MOST_BATCHES: Final = 1000
MOST_ORDERS: Final = 1000
"""More of them wait for the next greeting."""
_LAST_INSTANT: Final = 253_402_300_799_999


@dataclass(frozen=True, slots=True)
class Standing:
    """Which batches stand in a gateway's chambers, as the hub knew it at ``as_of`` [ms UTC of the hub's clock].

    ``approved_site`` is the SHA-256 [hex] of the site file that is approved there for this gateway; None where the hub
    itself runs on something that is not approved.
    """

    as_of: Instant
    chambers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    approved_site: str | None = None

    def data(self) -> dict[str, JsonValue]:
        """Return it as JSON values."""
        return {
            "as_of": self.as_of,
            "chambers": {name: list(ids) for name, ids in self.chambers.items()},
            "approved_site": self.approved_site,
        }

    @classmethod
    def read(cls, fields: Fields) -> Standing:
        """Read what ``data`` returned; raises Malformed."""
        chambers = fields.fields("chambers")
        names = chambers.keys(_MOST_CHAMBERS)
        inside = {name: chambers.texts(name, _MOST_BATCHES) for name in names}
        return cls(
            _instant(fields, "as_of"),
            inside,
            fields.hex("approved_site", 32) if "approved_site" in fields else None,
        )


@dataclass(frozen=True, slots=True)
class Order:
    """What a person at the hub wants a gateway to do: ``id`` is the hub's event id, ``data`` that event's data."""

    id: str
    data: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Hello:
    """What a gateway says of itself.

    ``ledger`` is its log's end, ``frame`` the number of its store's last durable frame, ``boot_id`` another one at each
    start, ``site_sha256`` that of its site file [hex]. ``readings_waiting`` is about how many the hub lacks,
    ``waiting_since`` when the oldest of them came [ms UTC of its clock]; None where it doesn't know yet. ``previous``
    are the times of the greeting before.
    """

    origin: str
    program: str
    boot_id: str
    site_sha256: str
    sent_at: Instant
    ledger: Head
    frame: int
    readings_waiting: int | None = None
    waiting_since: Instant | None = None
    previous: Exchange | None = None

    def body(self) -> bytes:
        """Write it for the wire."""
        values: dict[str, Any] = {
            "origin": self.origin,
            "program": self.program,
            "boot_id": self.boot_id,
            "site_sha256": self.site_sha256,
            "sent_at": self.sent_at,
            "ledger": head_values(self.ledger),
            "frame": self.frame,
            "readings_waiting": self.readings_waiting,
            "waiting_since": self.waiting_since,
            "previous": None,
        }
        if (times := self.previous) is not None:
            values["previous"] = {
                "sent_at": times.sent_at,
                "received_at": times.received_at,
                "answered_at": times.answered_at,
                "returned_at": times.returned_at,
            }
        return dumps(values)

    @classmethod
    def read(cls, body: bytes) -> Hello:
        """Read what ``body`` returned; raises Malformed."""
        fields = loads(body, "hello")
        return cls(
            origin=fields.text("origin"),
            program=fields.text("program"),
            boot_id=fields.text("boot_id"),
            site_sha256=fields.hex("site_sha256", 32),
            sent_at=_instant(fields, "sent_at"),
            ledger=head_of(fields.fields("ledger")),
            frame=fields.integer("frame"),
            readings_waiting=fields.integer("readings_waiting") if "readings_waiting" in fields else None,
            waiting_since=_instant(fields, "waiting_since") if "waiting_since" in fields else None,
            previous=_exchange(fields.fields("previous")) if "previous" in fields else None,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What the hub holds durably of a gateway, and what it has for it.

    ``ledger`` is the end of the log that it holds, ``heads_size`` the size of the newest signed head, ``cursor`` how
    far it has the readings. Both times are of the hub's clock [ms UTC]. ``problem`` is why it takes no more of the
    log; None where it does.
    """

    received_at: Instant
    answered_at: Instant
    ledger: Head
    heads_size: int
    cursor: Cursor
    standing: Standing
    orders: tuple[Order, ...] = ()
    problem: str | None = None

    def body(self) -> bytes:
        """Write it for the wire."""
        return dumps(
            {
                "received_at": self.received_at,
                "answered_at": self.answered_at,
                "ledger": head_values(self.ledger),
                "heads_size": self.heads_size,
                "readings_cursor": self.cursor.to_text(),
                "standing": self.standing.data(),
                "commands": [{"id": order.id, "data": order.data} for order in self.orders],
                "problem": self.problem,
            }
        )

    @classmethod
    def read(cls, body: bytes) -> Answer:
        """Read what ``body`` returned; raises Malformed."""
        fields = loads(body, "answer")
        return cls(
            received_at=_instant(fields, "received_at"),
            answered_at=_instant(fields, "answered_at"),
            ledger=head_of(fields.fields("ledger")),
            heads_size=fields.integer("heads_size"),
            cursor=cursor_of(fields, "readings_cursor"),
            standing=Standing.read(fields.fields("standing")),
            orders=tuple(
                Order(item.text("id"), item.fields("data").raw()) for item in fields.items("commands", MOST_ORDERS)
            ),
            problem=fields.prose("problem") if "problem" in fields else None,
        )


def head_values(head: Head) -> dict[str, JsonValue]:
    """Return a log's end as JSON values."""
    return {"size": head.position, "chain_hash": head.hash}


def head_of(fields: Fields) -> Head:
    """Read what ``head_values`` returned; raises Malformed."""
    return Head(fields.integer("size"), fields.hex("chain_hash", 32))


def cursor_of(fields: Fields, key: str) -> Cursor:
    """Read a cursor's text; raises Malformed."""
    try:
        return Cursor.parse(fields.text(key))
    except ConfigError:
        raise Malformed(f"{key}: {fields.text(key)[:40]!r} is no cursor") from None


def _exchange(fields: Fields) -> Exchange:
    return Exchange(*(_instant(fields, key) for key in ("sent_at", "received_at", "answered_at", "returned_at")))


def _instant(fields: Fields, key: str) -> Instant:
    return fields.integer(key, 0, _LAST_INSTANT)
