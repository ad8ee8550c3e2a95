"""Which batches a chamber's conditions reach: the join between telemetry and records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cultureops.alarms.activation import Activation, Activations, exposure_id
from cultureops.batch.batch import Batch
from cultureops.batch.events import AlarmExposed, data_of
from cultureops.batch.parts import Occupancy
from cultureops.clock import Instant
from cultureops.ledger.event import Actor, NewEvent, Source

__all__ = ["Occupancies", "Revision", "alarm_exposure", "exposure_id", "overlap", "revision"]

SYSTEM = Actor("cultureops", "system")


class Occupancies:
    """Who stood where, over all batches; fed with batches as their events fold.

    Vessels occupy a chamber from the instant they were placed until just before they were taken out. ``places`` are
    names that stand for several chambers, such as those of one gateway.
    """

    def __init__(self, places: Mapping[str, Sequence[str]] | None = None) -> None:
        self._places = places or {}
        self._stays: dict[str, dict[str, tuple[Occupancy, ...]]] = {}

    def update(self, batch: Batch) -> None:
        """Take over a batch's stays as they are now; a corrected one replaces the former."""
        for batches in self._stays.values():
            batches.pop(batch.id, None)
        for chamber in {stay.chamber for stay in batch.occupancies}:
            stays = tuple(stay for stay in batch.occupancies if stay.chamber == chamber)
            self._stays.setdefault(chamber, {})[batch.id] = stays

    def exposed(self, chamber: str, start: Instant, end: Instant) -> tuple[str, ...]:
        """Return the batches that stood in the chamber at any time from ``start`` to ``end``, both included."""
        return tuple(
            sorted(
                {
                    batch_id
                    for one in self.chambers(chamber)
                    for batch_id, stays in self._stays.get(one, {}).items()
                    if any(_overlaps(stay, start, end) for stay in stays)
                }
            )
        )

    def chambers(self, place: str) -> tuple[str, ...]:
        """Return the chambers that a name stands for: itself, unless it is that of several."""
        return tuple(self._places.get(place, (place,)))

    def inside(self, chamber: str, at: Instant) -> tuple[str, ...]:
        """Return the batches that stand in the chamber at one instant."""
        return self.exposed(chamber, at, at)


def _overlaps(stay: Occupancy, start: Instant, end: Instant) -> bool:
    return stay.placed <= end and (stay.taken is None or stay.taken > max(start, stay.placed))


def overlap(
    batch: Batch, chambers: Collection[str], start: Instant, end: Instant
) -> tuple[tuple[Instant, Instant], ...]:
    """Return when a batch stood in chambers from ``start`` to ``end``, in order; vessels side by side count once."""
    stays = sorted(
        (max(stay.placed, start), end if stay.taken is None else min(stay.taken, end))
        for stay in batch.occupancies
        if stay.chamber in chambers and _overlaps(stay, start, end)
    )
    found: list[tuple[Instant, Instant]] = []
    for placed, taken in stays:
        if found and placed <= found[-1][1]:
            found[-1] = (found[-1][0], max(taken, found[-1][1]))
        else:
            found.append((placed, taken))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Revision:
    """What a batch's stays, as they are known now, change in what it was told of alarms."""

    added: tuple[Activation, ...]
    withdrawn: tuple[Activation, ...]


def revision(batch: Batch, activations: Activations) -> Revision:
    """Compare the alarms that a batch's stays have met with those its record knows; nothing where both agree.

    What the record knows is not told twice, so this may be asked at any time. What it was told of an alarm without a
    history is left as it is.
    """
    met: dict[str, Activation] = {}
    for stay in batch.occupancies:
        met |= {one.id: one for one in activations.overlapping(stay.chamber, stay.placed, stay.taken)}
    told = {exposure.id for exposure in batch.exposures if exposure.withdrawn_at is None}
    surplus = (activations.get(name) for name in sorted(told - met.keys()))
    return Revision(
        tuple(one for name, one in met.items() if name not in told),
        tuple(one for one in surplus if one is not None),
    )


def alarm_exposure(
    *,
    rule_id: str,
    chamber: str,
    channel: str | None,
    kind: str,
    priority: str,
    gmp_critical: bool,
    raised_at: Instant,
    at: Instant,
    is_cleared: bool,
    text: str,
    **known: object,
) -> NewEvent:
    """Build the event that tells a batch's own stream of an alarm, so that a release decided meanwhile conflicts.

    ``known`` are further fields of AlarmExposed.
    """
    fields: Mapping[str, object] = {
        "exposure_id": exposure_id(rule_id, raised_at),
        "phase": "cleared" if is_cleared else "raised",
        "rule_id": rule_id,
        "chamber": chamber,
        "channel": channel,
        "kind": kind,
        "priority": priority,
        "gmp_critical": gmp_critical,
        "raised_at": raised_at,
        "at": at,
        "text": text,
        **known,
    }
    return NewEvent("alarm_exposed", data_of(AlarmExposed.model_validate(fields)), SYSTEM, Source.SYSTEM, at)
