"""Which batches a chamber's conditions reach: the join between telemetry and records."""

from __future__ import annotations

from cultureops.batch.batch import Batch
from cultureops.batch.events import AlarmExposed, data_of
from cultureops.batch.parts import Occupancy
from cultureops.clock import Instant, iso
from cultureops.ledger.event import Actor, NewEvent, Source

__all__ = ["Occupancies", "alarm_exposure", "exposure_id"]

SYSTEM = Actor("cultureops", "system")


class Occupancies:
    """Who stood where, over all batches; fed with batches as their events fold.

    Vessels occupy a chamber from the instant they were placed until just before they were taken out.
    """

    def __init__(self) -> None:
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
                batch_id
                for batch_id, stays in self._stays.get(chamber, {}).items()
                if any(_overlaps(stay, start, end) for stay in stays)
            )
        )

    def inside(self, chamber: str, at: Instant) -> tuple[str, ...]:
        """Return the batches that stand in the chamber at one instant."""
        return self.exposed(chamber, at, at)


def _overlaps(stay: Occupancy, start: Instant, end: Instant) -> bool:
    return stay.placed <= end and (stay.taken is None or stay.taken > max(start, stay.placed))


def exposure_id(rule_id: str, raised_at: Instant) -> str:
    """Return how a batch's record and its review name one alarm."""
    return f"{rule_id}@{iso(raised_at)}"


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
) -> NewEvent:
    """Build the event that tells a batch's own stream of an alarm, so that a release decided meanwhile conflicts."""
    exposed = AlarmExposed(
        exposure_id=exposure_id(rule_id, raised_at),
        phase="cleared" if is_cleared else "raised",
        rule_id=rule_id,
        chamber=chamber,
        channel=channel,
        kind=kind,
        priority=priority,
        gmp_critical=gmp_critical,
        raised_at=raised_at,
        at=at,
        text=text,
    )
    return NewEvent("alarm_exposed", data_of(exposed), SYSTEM, Source.SYSTEM, at)
