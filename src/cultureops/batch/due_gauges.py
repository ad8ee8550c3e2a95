"""The steps that a batch's process waits for, as gauges: reminders of what waits, alarms of what is late."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from cultureops.alarms.rule import Level, Priority
from cultureops.batch.batch import Batch
from cultureops.batch.due import Due, due
from cultureops.batch.gauge import Gauge, ProcessLimits, process_channel, process_rule, slug
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Instant

__all__ = ["due_gauges"]

_ENDED: Final = frozenset({State.CLOSED, State.DESTROYED})
_OF_NO_USE: Final = frozenset({State.REJECTED, State.RECALLED})
_WAITS_FOR_OTHERS: Final = frozenset({State.CREATED, State.CRYO, State.IN_TRANSFER, State.SHIPPED, State.ADMINISTERED})
"""The next step comes when the patient, a courier or a culture's final reading does: no reminder hastens it."""
_TESTS: Final = "QC"
_HOUR_S: Final = 3600.0
_LEAST_LATE_MIN: Final = 1.0


def due_gauges(
    batch: Batch, recipe: Recipe, limits: ProcessLimits, clock_ends: Collection[Instant] = ()
) -> tuple[Gauge, ...]:
    """Return the gauges of every due step but those that wait for others.

    A step without a latest time is reminded of when it has waited for its grace. One with such a time is warned of
    when ``warning_pct`` of its window are over, and is an alarm once it is late. What is late when a clock's limit is
    used up (``clock_ends`` [ms UTC]) is left to that clock, which says it first and worse. Source of the times:
    ``due``.
    """
    found: list[Gauge] = []
    for item in due(batch, recipe) if batch.state not in _ENDED else ():
        if batch.state in _OF_NO_USE and item.at == batch.since:
            item = replace(item, latest=None)  # what is destroyed has no shelf life
        if item.latest is None:
            found += [] if _waits_for_others(batch, item) else [_waiting(batch, item, limits)]
        elif not any(abs(item.latest - end) < SECOND_MS for end in clock_ends):
            found += _with_latest(batch, item, item.latest, _tolerated_min(batch, recipe, item), limits)
    return tuple(found)


def _waits_for_others(batch: Batch, item: Due) -> bool:
    """Whether there is nobody to hasten, or nothing to be late for.

    So it is with the step of a state that waits, a result that comes when it comes, and a deviation without a date,
    which an alarm or a person has told of already.
    """
    is_of_state = batch.state in _WAITS_FOR_OTHERS and item.at == batch.since
    is_result = item.role == _TESTS and any(sample.taken_at == item.at for sample in batch.qc)
    is_deviation = item.role == "QA" and any(
        deviation.opened_at == item.at and deviation.closed_at is None for deviation in batch.deviations
    )
    return is_of_state or is_result or is_deviation


def _waiting(batch: Batch, item: Due, limits: ProcessLimits) -> Gauge:
    name, grace_h = slug(item.text), limits.reading_grace_h if item.role == _TESTS else limits.due_grace_h
    rule = process_rule(
        batch.id,
        "waiting",
        name,
        limit=grace_h,
        unit="h",
        level=Level.WARNING,
        cause=f"Batch {batch.id}: {item.text} has been due for {grace_h:g} h.",
        consequence="The batch waits, and nothing but this reminder limits how long.",
        response=_response(batch, item),
    )
    return Gauge(process_channel(batch.id, "waiting", name), (rule,), item.at, HOUR_MS)


def _with_latest(
    batch: Batch, item: Due, latest: Instant, tolerated_min: float, limits: ProcessLimits
) -> tuple[Gauge, Gauge]:
    """Warn of a step while there is time, and call for somebody when there is none; where late is still tolerated,
    being late is the warning.
    """
    name, consequence = slug(item.text), "The step comes late: cells, counts or the product's shelf life suffer."
    window_ms = max(latest - item.at, MINUTE_MS)
    share_pct = 100.0 if tolerated_min else limits.warning_pct
    soon = process_rule(
        batch.id,
        "due",
        name,
        limit=share_pct,
        unit="%",
        level=Level.WARNING,
        cause=f"Batch {batch.id}: {share_pct:g} % of the time that there is for {item.text} are over.",
        consequence=consequence,
        response=_response(batch, item),
        channel=process_channel(batch.id, "window", name),
        respond_within_s=max(60.0, (1 - limits.warning_pct / 100) * window_ms / SECOND_MS),
    )
    late = process_rule(
        batch.id,
        "due",
        name,
        limit=max(tolerated_min, _LEAST_LATE_MIN),
        unit="min",
        level=Level.ALARM,
        cause=f"Batch {batch.id}: {item.text} is overdue.",
        consequence=consequence,
        response=_response(batch, item),
        channel=process_channel(batch.id, "late", name),
        priority=Priority.MEDIUM,
        respond_within_s=_HOUR_S,
    )
    return (
        Gauge(process_channel(batch.id, "window", name), (soon,), latest - window_ms, window_ms / 100),
        Gauge(process_channel(batch.id, "late", name), (late,), latest, MINUTE_MS),
    )


def _response(batch: Batch, item: Due) -> str:
    return f"Do what is due for batch {batch.id} (role {item.role}): {item.text}. Record it, or record why not."


def _tolerated_min(batch: Batch, recipe: Recipe, item: Due) -> float:
    """Return how long [min] after its latest time the recipe tolerates a step: it says so of medium changes alone."""
    changed_at, culture = batch.medium_changed_at, recipe.culture
    if batch.state is not State.CULTURE or changed_at is None:
        return 0.0
    if item.latest != changed_at + round(culture.medium_interval_max.value * DAY_MS):
        return 0.0
    return (culture.medium_interval_alarm.value - culture.medium_interval_max.value) * DAY_MS / MINUTE_MS
