"""Batches as pages and reports show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cultureops.batch.batch import Batch
from cultureops.batch.clocks import StageClock, clocks
from cultureops.batch.due import Due, due
from cultureops.batch.events import read_event
from cultureops.batch.narrative import tell
from cultureops.batch.parts import CountRecord, Occupancy, PassageRecord
from cultureops.batch.projection import batch_channels, channel_rows
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.state import State
from cultureops.clock import HOUR_MS, Instant, iso
from cultureops.ledger.event import Event

__all__ = [
    "BatchView",
    "Due",
    "Expected",
    "GrowthPoint",
    "TimelineRow",
    "batch_channels",
    "channel_rows",
    "due",
    "expected",
    "fan",
    "growth_points",
    "history_rows",
    "summary",
    "timeline",
    "view",
]


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One event as people read it; ``kind`` is its type, ``correction`` says what was corrected in it later.

    ``position`` is its place in the ledger; ``collected`` says which fields an instrument gave.
    """

    at: Instant
    recorded_at: Instant
    kind: str
    text: str
    actor_id: str
    role: str
    reason: str
    event_id: str
    warnings: tuple[str, ...] = ()
    witness_id: str | None = None
    correction: str = ""
    position: int = 0
    collected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GrowthPoint:
    """What was seen or counted at one time; what was not is None. Density in 10^6 cells/mL."""

    at: Instant
    passage: int | None
    confluence_pct: float | None = None
    viable_density_1e6_per_ml: float | None = None
    viability_pct: float | None = None
    sample_id: str = ""


@dataclass(frozen=True, slots=True)
class BatchView:
    """One batch for its page; ``now`` is when it was looked at, or when it ended."""

    batch: Batch
    days: float
    timeline: tuple[TimelineRow, ...]
    growth: tuple[GrowthPoint, ...]
    occupancies: tuple[Occupancy, ...]
    passages: tuple[PassageRecord, ...]
    due: tuple[Due, ...]
    clocks: tuple[StageClock, ...]
    expected: Expected | None
    now: Instant


def view(batch: Batch, recipe: Recipe, now: Instant) -> BatchView:
    """Return a batch as its page shows it."""
    return BatchView(
        batch=batch,
        days=batch.days(now),
        timeline=timeline(batch),
        growth=growth_points(batch),
        occupancies=batch.occupancies,
        passages=batch.passages,
        due=due(batch, recipe),
        clocks=clocks(batch, recipe),
        expected=expected(batch, recipe),
        now=now if batch.ended_at is None else batch.ended_at,
    )


def timeline(batch: Batch) -> tuple[TimelineRow, ...]:
    """Return every event of a batch by the time it happened; what was corrected stays and says so."""
    return history_rows(batch.history)


def history_rows(history: Sequence[Event]) -> tuple[TimelineRow, ...]:
    """Return the same of a stream's events, which need not be folded for it."""
    corrections: dict[str, list[str]] = {}
    for event in history:
        if event.type == "corrected":
            data = event.data
            text = f"{data['field']}: {data['old_value']} -> {data['value']}"
            corrections.setdefault(str(data["event_id"]), []).append(text)
    rows = [_row(event, corrections.get(event.event_id, [])) for event in history]
    return tuple(sorted(rows, key=lambda row: row.at))


def _row(event: Event, corrections: list[str]) -> TimelineRow:
    recorded = read_event(event.type, event.data)
    return TimelineRow(
        at=event.occurred_at,
        recorded_at=event.recorded_at,
        kind=event.type,
        text=tell(recorded),
        actor_id=event.actor.id,
        role=event.actor.role,
        reason=event.reason,
        event_id=event.event_id,
        warnings=recorded.warnings,
        witness_id=recorded.witness_id,
        correction="; ".join(corrections),
        position=event.position,
        collected=tuple(f"{one.field} from {one.channel}" for one in recorded.collected),
    )


def growth_points(batch: Batch) -> tuple[GrowthPoint, ...]:
    """Return looks and counts in the order of time."""
    looks = [GrowthPoint(seen.at, seen.passage, confluence_pct=seen.pct) for seen in batch.confluences]
    return tuple(sorted([*looks, *map(_counted, batch.counts)], key=lambda point: point.at))


FAN_STEPS: Final = 12
LOOK_SPREAD_PCT: Final = 5.0
"""Spread of one look at the cells [points, standard deviation]; ours, until a site has measured its own."""


@dataclass(frozen=True, slots=True)
class Expected:
    """When a confluence is expected, between which times in 8 of 10 cases; all None where ``reason`` says why not."""

    target_pct: float
    at: Instant | None
    earliest: Instant | None
    latest: Instant | None
    reason: str


def expected(batch: Batch, recipe: Recipe) -> Expected | None:
    """Return when the present passage is expected to reach the recipe's confluence; None outside of culture."""
    return next(iter(_expected(batch, (recipe.passage.confluence.value,))), None)


def fan(batch: Batch, recipe: Recipe) -> tuple[Expected, ...]:
    """Return when each confluence from the last one seen up to the recipe's is expected; nothing without a forecast."""
    seen, target_pct = batch.confluence(), recipe.passage.confluence.value
    if seen is None or not 0 < seen.pct < target_pct:
        return ()
    steps = (seen.pct + (target_pct - seen.pct) * step / FAN_STEPS for step in range(FAN_STEPS + 1))
    return tuple(one for one in _expected(batch, tuple(steps)) if one.at is not None)


def _expected(batch: Batch, targets_pct: Sequence[float]) -> tuple[Expected, ...]:
    from cultureops.analysis.forecast import Confluence, forecast_fan

    started_at = batch.passage_started_at
    if batch.state is not State.CULTURE or started_at is None:
        return ()
    looks = [
        Confluence((seen.at - started_at) / HOUR_MS, seen.pct, LOOK_SPREAD_PCT)
        for seen in batch.confluences
        if seen.passage == batch.passage and not seen.unsure
    ]

    def instant(hours: float | None) -> Instant | None:
        return None if hours is None else started_at + round(hours * HOUR_MS)

    return tuple(
        Expected(one.target_pct, instant(one.time_h), instant(one.low_h), instant(one.high_h), one.reason)
        for one in forecast_fan(looks, targets_pct)
    )


def _counted(count: CountRecord) -> GrowthPoint:
    return GrowthPoint(
        at=count.at,
        passage=count.passage,
        viable_density_1e6_per_ml=count.viable_density_1e6_per_ml,
        viability_pct=count.viability_pct,
        sample_id=count.sample_id,
    )


def summary(batch: Batch, now: Instant | None = None) -> dict[str, Any]:
    """Return a batch in one JSON-ready object; ``days`` run until ``now``, or the last event."""
    end = batch.history[-1].occurred_at if now is None else now
    return {
        "batch_id": batch.id,
        "recipe": batch.recipe.label,
        "state": str(batch.state),
        "days": round(batch.days(end), 3),
        "passages": 0 if batch.passage is None else batch.passage,
        "counts": [
            {
                "passage": record.passage,
                "at": iso(record.detached_at),
                "viable_cells": record.harvested_viable_cells,
                "viability_pct": round(record.viability_pct, 2),
                "sample_id": record.sample_id,
            }
            for record in batch.passages
        ],
        "viability_pct": _final_viability(batch),
        "cumulative_population_doublings": round(batch.cumulative_population_doublings, 3),
        "doses": [
            {"route": dose.route, "viable_cells": dose.viable_cells, "volume_ml": dose.volume_ml}
            for dose in batch.doses
        ],
    }


def _final_viability(batch: Batch) -> float | None:
    """Return the viability of the product, or before there is one that of the last passage [%]."""
    if batch.resuspension is not None:
        counts = batch.counts_of("product", None, batch.resuspension.at)
        if counts:
            return round(sum(count.viability_pct for count in counts) / len(counts), 2)
    return round(batch.passages[-1].viability_pct, 2) if batch.passages else None
