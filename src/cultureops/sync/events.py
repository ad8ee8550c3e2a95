"""What a hub records of its gateways: heads that vouch for their logs, and how far their clocks were off. Pure."""

from __future__ import annotations

from typing import Final

from cultureops.ledger.event import Actor, Event, JsonValue, NewEvent, Source
from cultureops.ledger.origins import HEAD_RECORDED, STREAM_PREFIX
from cultureops.ledger.signed_head import SignedHead
from cultureops.sync.clock_offset import ClockOffset

__all__ = ["CLOCK_COMPARED", "HEAD_RECORDED", "clock_compared", "head_recorded", "recorded_head", "stream_of"]

CLOCK_COMPARED: Final = "gateway_clock_compared"
_SYSTEM: Final = Actor("cultureops", "system")


def stream_of(origin: str) -> str:
    """Return the hub's stream about a gateway."""
    return f"{STREAM_PREFIX}{origin}"


def head_recorded(head: SignedHead) -> NewEvent:
    """The fact that a gateway's signed head was verified here."""
    return NewEvent(HEAD_RECORDED, head.data(), _SYSTEM, Source.SYSTEM)


def recorded_head(event: Event) -> SignedHead:
    """Read the head of ``head_recorded``; raises StorageError."""
    return SignedHead.read(event.data)


def clock_compared(origin: str, offset: ClockOffset) -> NewEvent:
    """The fact that a gateway's clock was found so far ahead of the hub's [ms]."""
    data: dict[str, JsonValue] = {
        "origin": origin,
        "offset_ms": offset.offset_ms,
        "uncertainty_ms": offset.uncertainty_ms,
    }
    return NewEvent(CLOCK_COMPARED, data, _SYSTEM, Source.SYSTEM)
