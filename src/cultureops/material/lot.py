"""What is known of a lot at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from cultureops.clock import Instant
from cultureops.ledger.event import Event
from cultureops.material.events import (
    LotQuarantined,
    LotRecalled,
    LotReceived,
    LotRejected,
    LotReleased,
    read_event,
)
from cultureops.timeline import Happening, Timeline

__all__ = ["LotState", "Status", "aged", "fold", "happening", "timeline_of"]


class Status(StrEnum):
    """Whether a lot may be used; only what is released may.

    Expired is what was released and is over; a lot that was stopped stays stopped, whatever its date.
    """

    QUARANTINED = "quarantined"
    RELEASED = "released"
    EXPIRED = "expired"
    RECALLED = "recalled"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class LotState:
    """One lot at one time; times are [ms UTC], ``unit`` is a UCUM code.

    ``since`` is when it came into this status, with the ``reason`` given; ``released_at`` is its first release, None
    when there was none. ``quantity`` is what was received.
    """

    id: str
    status: Status
    since: Instant
    reason: str
    material: str
    supplier: str
    quantity: float
    unit: str
    expires_at: Instant
    certificate: str
    received_at: Instant
    released_at: Instant | None = None

    @property
    def is_usable(self) -> bool:
        """Whether it may be used."""
        return self.status is Status.RELEASED


def happening(event: Event) -> Happening:
    """Read an event of a lot's stream; raises BatchError for one that is not known here."""
    return Happening(event.occurred_at, event.position, read_event(event.type, event.data), event.reason)


def fold(lot_id: str, happenings: Iterable[Happening], until: Instant) -> LotState | None:
    """Return what people have decided on a lot up to an instant, by their own times; None before it was received."""
    timeline = timeline_of(lot_id)
    for happened in happenings:
        timeline.add(happened)
    return timeline.at(until)


def timeline_of(lot_id: str) -> Timeline[LotState | None]:
    """Return the timeline of a lot of which nothing is known."""
    return Timeline(None, partial(_after, lot_id))


def aged(lot: LotState, at: Instant) -> LotState:
    """Return the lot as it is at an instant: what is released is expired from ``expires_at`` on."""
    if lot.status is not Status.RELEASED or at < lot.expires_at:
        return lot
    return replace(lot, status=Status.EXPIRED, since=max(lot.expires_at, lot.since), reason="")


def _after(lot_id: str, lot: LotState | None, happened: Happening) -> LotState | None:
    details = happened.details
    if isinstance(details, LotReceived):
        return LotState(
            id=lot_id,
            status=Status.QUARANTINED,
            since=happened.at,
            reason=happened.reason,
            material=details.material,
            supplier=details.supplier,
            quantity=details.quantity,
            unit=details.unit,
            expires_at=details.expires_at,
            certificate=details.certificate,
            received_at=happened.at,
        )
    if lot is None:
        return None  # what is said before the receipt says nothing of a lot
    match details:
        case LotReleased():
            lot = _now(lot, Status.RELEASED, happened)
            first = happened.at if lot.released_at is None else lot.released_at
            return replace(lot, certificate=details.certificate or lot.certificate, released_at=first)
        case LotQuarantined():
            return _now(lot, Status.QUARANTINED, happened)
        case LotRecalled():
            return _now(lot, Status.RECALLED, happened)
        case LotRejected():
            return _now(lot, Status.REJECTED, happened)
    return lot


def _now(lot: LotState, status: Status, happened: Happening) -> LotState:
    return replace(lot, status=status, since=happened.at, reason=happened.reason)
