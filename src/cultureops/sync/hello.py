"""What gateway and hub tell each other at every greeting, as JSON values believed in nothing until read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cultureops.clock import Instant
from cultureops.ledger.event import JsonValue
from cultureops.ledger.head import Head
from cultureops.sync.clock_offset import Exchange

__all__ = ["Answer", "Hello", "Order", "Standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Which batches stand in a gateway's chambers, as the hub knew it at ``as_of`` [ms UTC of the hub's clock]."""

    as_of: Instant
    chambers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class Answer:
    """What the hub holds durably of a gateway, and what it has for it.

    ``ledger`` is the end of the log that it holds, ``heads_size`` the size of the newest signed head, ``cursor`` how
    far it has the readings. Both times are of the hub's clock [ms UTC].
    """

    received_at: Instant
    answered_at: Instant
    ledger: Head
    heads_size: int
    cursor: str
    standing: Standing
    orders: tuple[Order, ...] = ()
