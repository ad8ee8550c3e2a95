"""What can happen to a lot of material: the closed vocabulary of the streams ``lot:<id>``.

Nothing is derived, so a command's details are its event's data; why it was done stands in the event's reason. That a
lot has expired is no event: it follows from time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cultureops.access.signature import SIGNATURES
from cultureops.errors import BatchError
from cultureops.field import Details, Name, Quantity, Text, Time, UnitCode

__all__ = [
    "EVENTS",
    "EVENT_TYPES",
    "PREFIX",
    "LotQuarantined",
    "LotRecalled",
    "LotReceived",
    "LotRejected",
    "LotReleased",
    "read_event",
]

PREFIX: Final = "lot:"


class LotReceived(Details):
    """It came in, and waits in quarantine; ``certificate`` is the maker's, empty while it has not come."""

    material: Name
    supplier: Name
    quantity: Quantity
    unit: UnitCode
    expires_at: Time
    certificate: Text = ""


class LotReleased(Details):
    """It may be used; ``certificate`` is the one it was released on, where it was not there at receipt."""

    certificate: Text = ""


class LotQuarantined(Details):
    """It must not be used until somebody has decided."""


class LotRecalled(Details):
    """Its maker, or the house, calls it back: it must not be used, and who was touched is looked at."""


class LotRejected(Details):
    """It must never be used."""


EVENTS: Final[Mapping[str, type[Details]]] = {
    "lot_received": LotReceived,
    "lot_released": LotReleased,
    "lot_quarantined": LotQuarantined,
    "lot_recalled": LotRecalled,
    "lot_rejected": LotRejected,
}
EVENT_TYPES: Final = {kind: name for name, kind in EVENTS.items()}


def read_event(event_type: str, data: Mapping[str, Any]) -> Details:
    """Read a stored event; raises BatchError naming kind and field when it is not of this vocabulary."""
    kind = EVENTS.get(event_type)
    if kind is None:
        raise BatchError(f"event {event_type!r} of a lot is not known to this version of cultureops; use a newer one")
    return kind(**{name: value for name, value in data.items() if name != SIGNATURES})
