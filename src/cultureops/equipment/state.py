"""What is known of a piece of equipment at a time: what the site file declares until a record says otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from cultureops.clock import Instant
from cultureops.equipment.events import (
    Calibrated,
    Commissioned,
    Retired,
    ReturnedToService,
    TakenOutOfService,
    read_event,
)
from cultureops.ledger.event import Event
from cultureops.timeline import Happening, Timeline

__all__ = ["Declared", "EquipmentState", "Service", "happening", "state_at", "timeline_of"]


class Service(StrEnum):
    """Whether it may be used."""

    IN_SERVICE = "in service"
    OUT_OF_SERVICE = "out of service"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a site file says of a chamber, a room or a device; ``kind`` is the chamber's class, or ``device``."""

    id: str
    kind: str
    title: str
    in_service: bool
    calibrated_until: Instant | None


@dataclass(frozen=True, slots=True)
class EquipmentState:
    """One piece of equipment at one time; times are [ms UTC].

    ``since`` is when it came into this service state, with the ``reason`` given; None where only the site file says
    so. ``calibrated_until`` is None when no calibration is on record; ``certificate`` is empty where only the site
    file states it. ``kind`` is empty for what no site file names.
    """

    id: str
    kind: str
    title: str
    service: Service
    since: Instant | None = None
    reason: str = ""
    commissioned_at: Instant | None = None
    document: str = ""
    serial_number: str = ""
    calibrated_at: Instant | None = None
    calibrated_until: Instant | None = None
    certificate: str = ""

    @property
    def in_service(self) -> bool:
        """Whether it may be used, as far as its service state goes."""
        return self.service is Service.IN_SERVICE

    def calibration_ended(self, at: Instant) -> bool:
        """Whether a calibration is on record and was over at an instant [ms UTC]."""
        return self.calibrated_until is not None and self.calibrated_until <= at


def happening(event: Event) -> Happening:
    """Read an event of a stream of equipment, a calibration as of when it was done; raises BatchError where unknown."""
    details = read_event(event.type, event.data)
    at = details.calibrated_at if isinstance(details, Calibrated) else event.occurred_at
    return Happening(at, event.position, details, event.reason)


def state_at(
    equipment_id: str, declared: Declared | None, happenings: Iterable[Happening], at: Instant
) -> EquipmentState | None:
    """Fold what happened up to ``at``, in the order of its own times; None when nothing was on record by then."""
    timeline = timeline_of(equipment_id, declared)
    for happened in happenings:
        timeline.add(happened)
    return timeline.at(at)


def timeline_of(equipment_id: str, declared: Declared | None) -> Timeline[EquipmentState | None]:
    """Return a timeline that knows only what the site file declares."""
    return Timeline(None if declared is None else _as_declared(declared), partial(_after, equipment_id))


def _as_declared(declared: Declared) -> EquipmentState:
    service = Service.IN_SERVICE if declared.in_service else Service.OUT_OF_SERVICE
    return EquipmentState(
        declared.id, declared.kind, declared.title, service, calibrated_until=declared.calibrated_until
    )


def _after(equipment_id: str, state: EquipmentState | None, happened: Happening) -> EquipmentState | None:
    details = happened.details
    if isinstance(details, Commissioned):
        return replace(
            _now(state or _unnamed(equipment_id), Service.IN_SERVICE, happened),
            title=details.title or (state.title if state else equipment_id),
            commissioned_at=happened.at,
            document=details.document,
            serial_number=details.serial_number,
        )
    state = state or _unnamed(equipment_id)
    match details:
        case Calibrated():
            return replace(
                state,
                calibrated_at=details.calibrated_at,
                calibrated_until=details.due,
                certificate=details.certificate,
            )
        case TakenOutOfService():
            return _now(state, Service.OUT_OF_SERVICE, happened)
        case ReturnedToService():
            return _now(state, Service.IN_SERVICE, happened)
        case Retired():
            return _now(state, Service.RETIRED, happened)
    return state


def _unnamed(equipment_id: str) -> EquipmentState:
    """Begin with what no site file names: not to be used, until a record says so."""
    return EquipmentState(equipment_id, "", equipment_id, Service.OUT_OF_SERVICE)


def _now(state: EquipmentState, service: Service, happened: Happening) -> EquipmentState:
    return replace(state, service=service, since=happened.at, reason=happened.reason)
