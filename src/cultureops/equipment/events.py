"""What can happen to a piece of equipment: the closed vocabulary of the streams ``equipment:<id>``.

Nothing is derived, so a command's details are its event's data; why it was done stands in the event's reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import model_validator

from cultureops.access.signature import SIGNATURES
from cultureops.errors import BatchError
from cultureops.field import Details, Name, Text, Time

__all__ = [
    "EVENTS",
    "EVENT_TYPES",
    "PREFIX",
    "Calibrated",
    "Commissioned",
    "Retired",
    "ReturnedToService",
    "TakenOutOfService",
    "read_event",
]

PREFIX: Final = "equipment:"


class Commissioned(Details):
    """It was qualified and put into service; ``document`` is the report that says so."""

    document: Name
    title: Text = ""
    serial_number: Text = ""


class Calibrated(Details):
    """It was calibrated; the certificate holds from ``calibrated_at`` until just before ``due``."""

    certificate: Name
    calibrated_at: Time
    due: Time

    @model_validator(mode="after")
    def _holds_for_a_while(self) -> Self:
        if self.due <= self.calibrated_at:
            raise ValueError("expected a due time after the calibration")
        return self


class TakenOutOfService(Details):
    """It must not be used."""


class ReturnedToService(Details):
    """It may be used again."""


class Retired(Details):
    """It is gone for good."""


EVENTS: Final[Mapping[str, type[Details]]] = {
    "commissioned": Commissioned,
    "calibrated": Calibrated,
    "taken_out_of_service": TakenOutOfService,
    "returned_to_service": ReturnedToService,
    "retired": Retired,
}
EVENT_TYPES: Final = {kind: name for name, kind in EVENTS.items()}


def read_event(event_type: str, data: Mapping[str, Any]) -> Details:
    """Read a stored event; raises BatchError naming kind and field when it is not of this vocabulary."""
    kind = EVENTS.get(event_type)
    if kind is None:
        raise BatchError(
            f"event {event_type!r} of equipment is not known to this version of cultureops; use a newer one"
        )
    return kind(**{name: value for name, value in data.items() if name != SIGNATURES})
