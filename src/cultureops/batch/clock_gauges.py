"""The clocks that run against a batch's cells, out of storage or on the shelf: gauges with a warning and an alarm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.alarms.rule import Level, Priority
from cultureops.batch.batch import Batch
from cultureops.batch.clocks import StageClock, clocks
from cultureops.batch.gauge import CRITICAL_SHELF_S, Gauge, ProcessLimits, process_channel, process_rule, slug
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.state import State
from cultureops.clock import MINUTE_MS, SECOND_MS, Instant

__all__ = ["clock_ends", "clock_gauges"]

TOTAL: Final = "all stages together"
SHELF_LIFE: Final = "shelf life"
_OF_NO_USE: Final = frozenset({State.CLOSED, State.REJECTED, State.RECALLED, State.DESTROYED})
"""Nobody is given these cells any more: however long they stand, it endangers no one."""


@dataclass(frozen=True, slots=True)
class _Text:
    """What is at stake when a stage takes too long, and what to do: ours [OWN], for the site to confirm."""

    consequence: str
    response: str


_TEXTS: Final[Mapping[str, _Text]] = {
    "harvest to freezing": _Text(
        "Detached cells lose viability and clump while they wait for the freezer.",
        "Add the freezing medium and start the cooling now. Past the limit: count and judge viability before freezing, "
        "and let quality assurance decide.",
    ),
    "receipt to thaw": _Text(
        "Vials off dry ice or vapour warm; cells die in vials that thaw slowly.",
        "Thaw now, or put the vials back into the vapour or on dry ice. Past the limit: do not thaw before quality "
        "assurance has decided.",
    ),
    "thaw to first wash": _Text(
        "DMSO at room temperature harms the cells with every minute.",
        "Dilute and wash now, whatever else is under way. Past the limit: wash at once all the same, then count; "
        "viability and quality assurance decide.",
    ),
    "wash to formulation": _Text(
        "Washed cells settle, clump and die while they stand; the count after the wash loses its validity.",
        "Resuspend and fill now, or put the cells to 2-8 degrees. Past the limit: count again before anything is "
        "filled, and let quality assurance decide.",
    ),
    "harvest to formulation": _Text(
        "Detached cells settle, clump and die while they stand; the harvest count loses its validity.",
        "Resuspend and fill now, or put the cells to 2-8 degrees. Past the limit: count again before anything is "
        "filled, and let quality assurance decide.",
    ),
    "formulation to dose": _Text(
        "Doses out of 2-8 degrees lose viability; past the limit the product must not be given.",
        "Put the doses to 2-8 degrees or give them now. Past the limit: do not give them; call whoever released the "
        "batch and the clinician.",
    ),
    SHELF_LIFE: _Text(
        "Past its shelf life the product must not be shipped or given (gate G15).",
        "Bring review, release and delivery to an end, or tell the clinician now that there will be no dose. Past the "
        "limit: do not ship or give it; put it aside and let quality assurance decide.",
    ),
}
_ANY: Final = _Text(
    "The cells have spent most of the time that they may spend out of controlled storage.",
    "Finish the step at hand or bring the cells into controlled storage now. Past the limit: go no further before "
    "quality assurance has decided.",
)


def clock_gauges(batch: Batch, recipe: Recipe, limits: ProcessLimits) -> tuple[Gauge, ...]:
    """Return a gauge [min] for every clock that runs and has a limit, for the sum of all stages while one runs, and
    for the shelf life of a product that is not yet given.

    Raises ValueError for a record in which a stage ends before it begins.
    """
    running, stages = _running(batch, recipe)
    found = [
        _gauge(batch, clock.stage, clock.limit_min, _zero_at(clock), MINUTE_MS, limits)
        for clock in running
        if clock.limit_min is not None
    ]
    if running and recipe.hold is not None:
        since = max(_begun(clock) for clock in running)
        spent_ms = sum(clock.minutes(since) for clock in stages) * MINUTE_MS
        zero_at = since - round(spent_ms / len(running))
        found.append(_gauge(batch, TOTAL, recipe.hold.total_max.value, zero_at, MINUTE_MS / len(running), limits))
    if (shelf := _shelf(batch)) is not None:
        # In per cent, so that the limits stay when a correction moves its end.
        found.append(_gauge(batch, SHELF_LIFE, None, shelf[0], (shelf[1] - shelf[0]) / 100, limits))
    return tuple(found)


def clock_ends(batch: Batch, recipe: Recipe) -> frozenset[Instant]:
    """Return when the limits of the clocks that run are used up, and when the shelf life is over [ms UTC]."""
    shelf = _shelf(batch)
    return frozenset(() if shelf is None else shelf[1:]) | frozenset(
        _zero_at(clock) + math.ceil(clock.limit_min * MINUTE_MS)
        for clock in _running(batch, recipe)[0]
        if clock.limit_min is not None
    )


def _shelf(batch: Batch) -> tuple[Instant, Instant] | None:
    """Return when the shelf life began and ends; None before there is a product, and when all of it is given."""
    made, doses = batch.resuspension, batch.doses
    is_given = bool(doses) and all(dose.given_at is not None for dose in doses)
    if made is None or is_given or batch.state in _OF_NO_USE:
        return None
    return min(made.at, made.expires_at - 1), made.expires_at


def _running(batch: Batch, recipe: Recipe) -> tuple[Sequence[StageClock], Sequence[StageClock]]:
    """Return the clocks that run, and all that have begun."""
    if batch.state in _OF_NO_USE:
        return (), ()
    stages = clocks(batch, recipe)
    return [clock for clock in stages if clock.ended_at is None], stages


def _begun(clock: StageClock) -> Instant:
    """Return since when it has run without a break."""
    return clock.intervals[-1][0]


def _zero_at(clock: StageClock) -> Instant:
    """Return when it would have begun, had it run without any break."""
    return _begun(clock) - round(clock.minutes(_begun(clock)) * MINUTE_MS)


def _gauge(
    batch: Batch, stage: str, limit_min: float | None, zero_at: Instant, unit_ms: float, limits: ProcessLimits
) -> Gauge:
    """Return the gauge of one clock; without ``limit_min`` it counts in per cent of what there is."""
    text, name = _TEXTS.get(stage, _ANY), slug(stage)
    limit, unit = (100.0, "%") if limit_min is None else (limit_min, "min")
    warning_at = round(limit * limits.warning_pct / 100, 6)
    what = f"the {stage}" if limit_min is None else f"the limit of {limit_min:g} min for {stage}"
    warning = process_rule(
        batch.id,
        "clock",
        name,
        limit=warning_at,
        unit=unit,
        level=Level.WARNING,
        cause=f"Batch {batch.id}: {limits.warning_pct:g} % of {what} are used up.",
        consequence=text.consequence,
        response=text.response,
        priority=Priority.MEDIUM,
        respond_within_s=max(60.0, round((limit - warning_at) * unit_ms / SECOND_MS, 3)),
    )
    # Only what is over the limit is a deviation, and is one whatever the reason: no warning blocks a release.
    alarm = process_rule(
        batch.id,
        "clock",
        name,
        limit=limit,
        unit=unit,
        level=Level.ALARM,
        cause=f"Batch {batch.id}: {what} is used up.",
        consequence=text.consequence,
        response=text.response,
        priority=Priority.HIGH,
        gmp_critical=True,
        respond_within_s=300.0,
        shelve_max_s=CRITICAL_SHELF_S,
    )
    return Gauge(process_channel(batch.id, "clock", name), (warning, alarm), zero_at, unit_ms)
