"""What is due next for a batch, from when on, and by which role."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cultureops.batch.batch import Batch
from cultureops.batch.clocks import clocks
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant

__all__ = ["Due", "DueRow", "due", "due_list"]


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done next, from when on, and by which role; ``latest`` is when it is too late, if ever."""

    at: Instant
    text: str
    role: str
    latest: Instant | None = None


@dataclass(frozen=True, slots=True)
class DueRow:
    """What is due, and for which batch."""

    batch_id: str
    due: Due


_NEXT: Final[Mapping[State, tuple[str, str]]] = {
    State.CREATED: ("consent and marrow intake", "OP"),
    State.RECEIVED: ("isolation", "OP"),
    State.ISOLATED: ("seeding", "OP"),
    State.CRYO: ("authorise the thaw, when the patient is scheduled", "QA"),
    State.THAW_AUTHORISED: ("pack the vials", "ST"),
    State.IN_TRANSFER: ("receive the vials", "ST"),
    State.RECEIVED_LAB: ("thaw", "OP"),
    State.THAWED: ("first wash", "OP"),
    State.RESUSPENDED: ("formulation", "OP"),
    State.FORMULATED: ("review", "RV"),
    State.REVIEWED: ("release decision", "QP"),
    State.RELEASED: ("shipment", "ST"),
    State.CONDITIONALLY_RELEASED: ("shipment", "ST"),
    State.SHIPPED: ("receipt at the site", "CL"),
    State.RECEIVED_AT_SITE: ("administration", "CL"),
    State.HOLD: ("decide on the hold", "QA"),
    State.REJECTED: ("destroy what is left", "OP"),
    State.RECALLED: ("destroy what is left", "OP"),
}
_ENDED: Final = frozenset({State.CLOSED, State.REJECTED, State.RECALLED, State.DESTROYED})


def due_list(batches: Iterable[tuple[Batch, Recipe]]) -> tuple[DueRow, ...]:
    """Return what is due over all batches, soonest first."""
    rows = [DueRow(batch.id, item) for batch, recipe in batches for item in due(batch, recipe)]
    return tuple(sorted(rows, key=lambda row: (row.due.at, row.batch_id, row.due.text)))


def due(batch: Batch, recipe: Recipe) -> tuple[Due, ...]:
    """Return what is due for a batch, soonest first."""
    found: list[Due] = [Due(held.at, f"decide on held count {held.sample_id}", "OP") for held in batch.held_counts]
    if batch.state in _NEXT:
        text, role = _NEXT[batch.state]
        found.append(Due(batch.since, text, role, _latest(batch, recipe)))
    match batch.state:
        case State.CULTURE:
            found += _in_culture(batch, recipe)
        case State.HARVESTED:
            text = "freezing" if recipe.is_frozen else "resuspension"
            found.append(Due(batch.since, text, "OP", _latest(batch, recipe)))
        case State.WASHED:
            found.append(_after_wash(batch, recipe))
        case State.LABELLING:
            found += _labelling(batch, recipe)
        case State.ADMINISTERED:
            waiting = [dose for dose in batch.doses if dose.given_at is None]
            found += [Due(batch.since, f"give container {dose.container}", "CL") for dose in waiting]
            found.append(Due(batch.since, "close the record", "QA"))
    if batch.state not in _ENDED:
        found += _sampling(batch, recipe)
        found += _readings(batch, recipe)
    if batch.state is not State.CLOSED:
        found += _deviations(batch)
    return tuple(sorted(found, key=lambda item: (item.at, item.text)))


def _latest(batch: Batch, recipe: Recipe) -> Instant | None:
    """Return when the running stage out of storage or the product's shelf life is over, whichever comes first."""
    ends = [] if batch.resuspension is None else [batch.resuspension.expires_at]
    for clock in clocks(batch, recipe):
        if clock.ended_at is None and clock.limit_min is not None:
            spent_ms = round(clock.minutes(clock.intervals[-1][0]) * MINUTE_MS)
            ends.append(clock.intervals[-1][0] + round(clock.limit_min * MINUTE_MS) - spent_ms)
    return min(ends, default=None)


def _in_culture(batch: Batch, recipe: Recipe) -> list[Due]:
    seen, culture = batch.confluence(), recipe.culture
    if seen is not None and seen.pct >= recipe.passage.confluence.value:
        return [Due(_passage_from(batch, recipe, seen.at), _passage_or_harvest(batch, recipe, seen.at), "OP")]
    started_at = batch.passage_started_at or 0
    if batch.medium_changed_at is None:
        first, last = culture.first_medium_change_min, culture.first_medium_change_max
        due_at = started_at + round(first.value * HOUR_MS)
        return [Due(due_at, "first medium change", "OP", started_at + round(last.value * HOUR_MS))]
    changed_at = batch.medium_changed_at
    latest = changed_at + round(culture.medium_interval_max.value * DAY_MS)
    return [Due(changed_at + round(culture.medium_interval_min.value * DAY_MS), "medium change", "OP", latest)]


def _passage_or_harvest(batch: Batch, recipe: Recipe, seen_at: Instant) -> str:
    """Return what grown cells are ready for: a process with a shortest duration passages them while it may."""
    present, shortest, started_at = batch.passage or 0, recipe.culture.duration_min, batch.culture_started_at
    is_young = shortest is not None and started_at is not None and seen_at < started_at + shortest.value * DAY_MS
    if present < int(recipe.passage.harvest_min.value) or (is_young and present < int(recipe.passage.max.value)):
        return "passage"
    return "harvest"


def _passage_from(batch: Batch, recipe: Recipe, seen_at: Instant) -> Instant:
    """Return from when on the cells may be detached; a process with a shortest duration harvests no sooner."""
    shortest, started_at = recipe.culture.duration_min, batch.culture_started_at
    if shortest is None or started_at is None or (batch.passage or 0) < int(recipe.passage.max.value):
        return seen_at
    return max(seen_at, started_at + round(shortest.value * DAY_MS))


def _after_wash(batch: Batch, recipe: Recipe) -> Due:
    wanted = 0 if recipe.washing is None else int(recipe.washing.washes_min.value)
    text = f"wash {len(batch.washes) + 1}" if len(batch.washes) < wanted else "count and resuspend"
    return Due(batch.since, text, "OP", _latest(batch, recipe))


def _labelling(batch: Batch, recipe: Recipe) -> list[Due]:
    if batch.labelling is None or recipe.labelling is None:
        return []
    began, hours = batch.labelling.started_at, recipe.labelling
    latest = began + round(hours.duration_max.value * HOUR_MS)
    return [Due(began + round(hours.duration_min.value * HOUR_MS), "end the labelling", "OP", latest)]


def _sampling(batch: Batch, recipe: Recipe) -> list[Due]:
    """Return the sterility sample that the process draws a stated time after seeding or freezing, until it is drawn."""
    qc = recipe.qc
    if qc.sample_due is None or qc.sample_anchor is None:
        return []
    anchor = batch.frozen_at if qc.sample_anchor.text == "freezing" else batch.culture_started_at
    if anchor is None:
        return []
    due_at = anchor + round(qc.sample_due.value * DAY_MS)
    if any(sample.test == "sterility" and sample.taken_at >= due_at for sample in batch.qc):
        return []
    return [Due(due_at, "draw the sterility sample", "OP")]


def _readings(batch: Batch, recipe: Recipe) -> list[Due]:
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


def _deviations(batch: Batch) -> list[Due]:
    capa = [
        Due(action.planned_at, f"check that action {action.id} of {deviation.id} works", "QA", action.due_at)
        for deviation in batch.open_deviations
        for action in deviation.actions
        if not action.is_effective
    ]
    return capa + [
        Due(
            deviation.opened_at,
            f"{'close' if deviation.investigated_at is not None else 'investigate'} deviation {deviation.id}",
            "QA",
            deviation.due_at,
        )
        for deviation in batch.open_deviations
    ]
