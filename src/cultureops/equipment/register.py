"""All equipment as it was at any time: the site file's declarations and the ledger's events, never the truth itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cultureops.clock import DAY_MS, Instant
from cultureops.equipment.events import PREFIX
from cultureops.equipment.state import Declared, EquipmentState, Service, happening, timeline_of
from cultureops.ledger.event import Event
from cultureops.timeline import Timeline

__all__ = ["CalibrationDue", "EquipmentRegister"]


@dataclass(frozen=True, slots=True)
class CalibrationDue:
    """A calibration that ends soon, or has ended."""

    equipment: EquipmentState
    due: Instant
    is_over: bool


class EquipmentRegister:
    """What is known of every chamber, room and device; answers are as of a time, late entries at their own time.

    Where a device bears its chamber's name they are one piece of equipment with one record; of what the site file
    says of the two, the chamber's row counts, for vessels are put into it.
    """

    def __init__(self, devices: Iterable[Declared] = (), chambers: Iterable[Declared] = ()) -> None:
        self._devices = {row.id: row for row in devices}
        self._declared = self._devices | {row.id: row for row in chambers}
        self._timelines: dict[str, Timeline[EquipmentState | None]] = {}
        for name, declared in self._declared.items():
            self._timelines[name] = timeline_of(name, declared)

    def apply(self, event: Event) -> None:
        """Take one more event of the ledger; events of other streams change nothing here.

        Raises BatchError for an event of equipment that this program does not know.
        """
        if event.stream.startswith(PREFIX):
            happened, name = happening(event), event.stream.removeprefix(PREFIX)
            if name not in self._timelines:
                self._timelines[name] = timeline_of(name, None)
            self._timelines[name].add(happened)

    def ids(self) -> tuple[str, ...]:
        """Return what is declared, in file order, then what only the ledger names, sorted."""
        return (*self._declared, *sorted(self._timelines.keys() - self._declared.keys()))

    def declared(self, equipment_id: str) -> Declared | None:
        """Return what the site file says of it, None when it does not name it."""
        return self._declared.get(equipment_id)

    def fact(self, equipment_id: str, at: Instant) -> EquipmentState | None:
        """Return what held of a piece of equipment at an instant [ms UTC]; None when nothing was on record by then."""
        timeline = self._timelines.get(equipment_id)
        return None if timeline is None else timeline.at(at)

    def is_out_of_calibration(self, device: str, at: Instant) -> bool:
        """Whether a device's calibration was over at an instant [ms UTC]; without one on record it is not.

        Until a certificate is on record, what the device's own row says counts before that of a chamber of its name.
        """
        state, own = self.fact(device, at), self._devices.get(device)
        if state is None:
            return False
        if not state.certificate and own is not None and own.calibrated_until is not None:
            return own.calibrated_until <= at
        return state.calibration_ended(at)

    def due(self, now: Instant, within_days: float) -> tuple[CalibrationDue, ...]:
        """Return the calibrations of all but what is retired that end within so many days, or have ended, by due."""
        until = now + round(within_days * DAY_MS)
        known = (state for name in self.ids() if (state := self.fact(name, now)) is not None)
        return tuple(
            sorted(
                (
                    CalibrationDue(state, state.calibrated_until, state.calibration_ended(now))
                    for state in known
                    if state.calibrated_until is not None
                    and state.calibrated_until <= until
                    and state.service is not Service.RETIRED
                ),
                key=lambda row: (row.due, row.equipment.id),
            )
        )
