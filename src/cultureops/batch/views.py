"""Batches as pages and reports show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cultureops.batch.batch import Batch, CountRecord, Occupancy, PassageRecord, State
from cultureops.batch.events import read_event
from cultureops.batch.narrative import tell
from cultureops.batch.projection import batch_channels, channel_rows
from cultureops.batch.recipe_schema import Recipe
from cultureops.clock import DAY_MS, HOUR_MS, Instant, iso
from cultureops.ledger.event import Event

__all__ = [
    "BatchView",
    "Due",
    "GrowthPoint",
    "TimelineRow",
    "batch_channels",
    "channel_rows",
    "due",
    "growth_points",
    "summary",
    "timeline",
    "view",
]


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One event as people read it; ``kind`` is its type, ``correction`` says what was corrected in it later."""

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
class Due:
    """What is to be done next, from when on, and by which role."""

    at: Instant
    text: str
    role: str


@dataclass(frozen=True, slots=True)
class BatchView:
    """One batch for its page."""

    batch: Batch
    days: float
    timeline: tuple[TimelineRow, ...]
    growth: tuple[GrowthPoint, ...]
    occupancies: tuple[Occupancy, ...]
    passages: tuple[PassageRecord, ...]
    due: tuple[Due, ...]


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
    )


def timeline(batch: Batch) -> tuple[TimelineRow, ...]:
    """Return every event of a batch by the time it happened; what was corrected stays and says so."""
    corrections: dict[str, list[str]] = {}
    for event in batch.history:
        if event.type == "corrected":
            data = event.data
            text = f"{data['field']}: {data['old_value']} -> {data['value']}"
            corrections.setdefault(str(data["event_id"]), []).append(text)
    rows = [_row(event, corrections.get(event.event_id, [])) for event in batch.history]
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
    )


def growth_points(batch: Batch) -> tuple[GrowthPoint, ...]:
    """Return looks and counts in the order of time."""
    looks = [GrowthPoint(seen.at, seen.passage, confluence_pct=seen.pct) for seen in batch.confluences]
    return tuple(sorted([*looks, *map(_counted, batch.counts)], key=lambda point: point.at))


def _counted(count: CountRecord) -> GrowthPoint:
    return GrowthPoint(
        at=count.at,
        passage=count.passage,
        viable_density_1e6_per_ml=count.viable_density_1e6_per_ml,
        viability_pct=count.viability_pct,
        sample_id=count.sample_id,
    )


_NEXT: Final[Mapping[State, tuple[str, str]]] = {
    State.CREATED: ("consent and marrow intake", "OP"),
    State.RECEIVED: ("isolation", "OP"),
    State.ISOLATED: ("seeding", "OP"),
    State.HARVESTED: ("resuspension", "OP"),
    State.RESUSPENDED: ("formulation", "OP"),
    State.FORMULATED: ("review", "RV"),
    State.REVIEWED: ("release decision", "QP"),
    State.RELEASED: ("shipment", "ST"),
    State.SHIPPED: ("receipt at the site", "CL"),
    State.RECEIVED_AT_SITE: ("administration", "CL"),
}


def due(batch: Batch, recipe: Recipe) -> tuple[Due, ...]:
    """Return what is due for a batch, soonest first."""
    found: list[Due] = [Due(held.at, f"decide on held count {held.sample_id}", "OP") for held in batch.held_counts]
    if batch.state in _NEXT:
        text, role = _NEXT[batch.state]
        found.append(Due(batch.since, text, role))
    if batch.state is State.CULTURE:
        found += _due_in_culture(batch, recipe)
    if batch.state is State.ADMINISTERED:
        found += [Due(batch.since, f"give container {d.container}", "CL") for d in batch.doses if d.given_at is None]
        found.append(Due(batch.since, "close the record", "QA"))
    if batch.state not in (State.CLOSED, State.REJECTED):
        found += _due_readings(batch, recipe)
    return tuple(sorted(found, key=lambda item: (item.at, item.text)))


def _due_in_culture(batch: Batch, recipe: Recipe) -> list[Due]:
    seen, culture = batch.confluence(), recipe.culture
    if seen is not None and seen.pct >= recipe.passage.confluence.value:
        last = int(recipe.passage.harvest_min.value)
        return [Due(seen.at, "harvest" if (batch.passage or 0) >= last else "passage", "OP")]
    if batch.medium_changed_at is None:
        first_h = culture.first_medium_change_min.value
        return [Due((batch.passage_started_at or 0) + round(first_h * HOUR_MS), "first medium change", "OP")]
    interval_d = culture.medium_interval_min.value
    return [Due(batch.medium_changed_at + round(interval_d * DAY_MS), "medium change", "OP")]


def _due_readings(batch: Batch, recipe: Recipe) -> list[Due]:
    """Return the samples that wait: sterility cultures for their next reading, others since they were taken."""
    waiting: list[Due] = []
    for sample in batch.qc:
        if any(reading.final for reading in sample.readings):
            continue
        days = 0.0
        if sample.test == "sterility":
            reads = recipe.qc
            days = reads.sterility_final_read.value if sample.readings else reads.sterility_release_read.value
        waiting.append(Due(sample.taken_at + round(days * DAY_MS), f"read {sample.test} {sample.sample_id}", "QC"))
    return waiting


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
