"""What a reviewer sees of the chambers that a batch stood in: each stay with its alarms and its gaps. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cultureops.batch.batch import Batch
from cultureops.batch.facts import Facts, TelemetryGap
from cultureops.batch.parts import AlarmExposure, Occupancy
from cultureops.clock import MINUTE_MS, Instant
from cultureops.equipment import Chamber

__all__ = ["StayRow", "environment_rows"]


@dataclass(frozen=True, slots=True)
class StayRow:
    """One stay of vessels in a chamber, until ``taken`` [ms UTC, None: it lasts], with what it met.

    ``unassessed`` are those of its critical alarms that no review has judged, ``gap_min`` the minutes of its longest
    gap, ``long_gaps`` how many are longer than the recipe lets pass unjudged.
    """

    stay: Occupancy
    title: str
    alarms: tuple[AlarmExposure, ...]
    unassessed: int
    gaps: int
    gap_min: float
    long_gaps: int


def environment_rows(batch: Batch, facts: Facts, chambers: Mapping[str, Chamber]) -> tuple[StayRow, ...]:
    """Return the stays of a batch in the order in which they began."""
    longest_ms = facts.recipe.culture.max_gap.value * MINUTE_MS
    return tuple(_row(batch, stay, chambers, facts.telemetry_gaps, facts.now, longest_ms) for stay in batch.occupancies)


def _row(
    batch: Batch, stay: Occupancy, chambers: Mapping[str, Chamber], gaps: tuple[TelemetryGap, ...], now: Instant,
    longest_ms: float,
) -> StayRow:  # fmt: skip
    end = now if stay.taken is None else stay.taken
    met = tuple(
        one
        for one in batch.exposures
        if one.chamber == stay.chamber
        and one.withdrawn_at is None
        and one.raised_at <= end
        and (one.cleared_at is None or one.cleared_at >= stay.placed)
    )
    inside = [gap for gap in gaps if gap.chamber == stay.chamber and gap.start <= end and gap.end >= stay.placed]
    lengths = [gap.end - gap.start for gap in inside]
    chamber = chambers.get(stay.chamber)
    return StayRow(
        stay=stay,
        title=stay.chamber if chamber is None else chamber.title,
        alarms=met,
        unassessed=sum(one.wants_assessment and one.id not in batch.assessed for one in met),
        gaps=len(inside),
        gap_min=max(lengths, default=0) / MINUTE_MS,
        long_gaps=sum(length > longest_ms for length in lengths),
    )
