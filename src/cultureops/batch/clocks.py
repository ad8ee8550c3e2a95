"""Clocks that run while cells are out of controlled storage, stage by stage.

Time out of storage is the sum over all intervals between leaving one qualified environment and entering the next; what
nobody knows counts in full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cultureops.analysis.storage_clock import Interval, time_out_of_storage
from cultureops.batch.batch import Batch
from cultureops.batch.recipe_schema import Quantity, Recipe
from cultureops.clock import Instant

__all__ = ["StageClock", "clocks", "minutes_out_of_storage"]


MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class StageClock:
    """One stage: its intervals out of storage so far; the last may still run (``ended_at`` None).

    ``extra_min`` is time that only a logger knows; ``limit_min`` is None where the recipe sets none.
    """

    stage: str
    intervals: tuple[tuple[Instant, Instant | None], ...]
    limit_min: float | None
    extra_min: float = 0.0

    @property
    def started_at(self) -> Instant:
        """When the stage began."""
        return self.intervals[0][0]

    @property
    def ended_at(self) -> Instant | None:
        """When the stage was over; None while it runs."""
        return self.intervals[-1][1]

    def minutes(self, now: Instant) -> float:
        """Return the time out of storage until ``now`` [min]."""
        begun = (Interval(start, end) for start, end in self.intervals if start <= now)
        return time_out_of_storage(begun, 0.0, now).total_s / MINUTE_S + self.extra_min

    def is_over(self, now: Instant) -> bool:
        """Whether the limit is passed."""
        return self.limit_min is not None and self.minutes(now) > self.limit_min


def clocks(batch: Batch, recipe: Recipe) -> tuple[StageClock, ...]:
    """Return the stages that have begun, in the order of the process."""
    hold = recipe.hold
    if hold is None:
        return ()
    found: list[StageClock] = []
    if recipe.is_frozen and batch.harvest is not None:
        interval = ((batch.harvest.detached_at, batch.frozen_at),)
        found.append(StageClock("harvest to freezing", interval, _limit(hold.harvest_to_freeze_max)))
    if batch.received_lab_at is not None:
        thawed_at = None if batch.thaw is None else batch.thaw.ended_at
        found.append(
            StageClock("receipt to thaw", ((batch.received_lab_at, thawed_at),), _limit(hold.receipt_to_thaw_max))
        )
    if batch.thaw is not None:
        thawed_at, washed_at = batch.thaw.ended_at, batch.first_washed_at
        found.append(StageClock("thaw to first wash", ((thawed_at, washed_at),), _limit(hold.thaw_to_wash_max)))
        if washed_at is not None:
            intervals = _without_labelling(batch, washed_at, batch.formulated_at)
            found.append(StageClock("wash to formulation", intervals, _limit(hold.wash_to_formulation_max)))
    elif batch.harvest is not None and not recipe.is_frozen:
        began = batch.harvest.detached_at
        interval = ((began, batch.formulated_at),)
        found.append(StageClock("harvest to formulation", interval, _limit(hold.harvest_to_formulation_max)))
    if batch.formulated_at is not None:
        found.append(_to_dose(batch, hold.formulation_to_dose_max))
    return tuple(found)


def _limit(quantity: Quantity | None) -> float | None:
    return None if quantity is None else quantity.value


def _without_labelling(
    batch: Batch, began: Instant, ended: Instant | None
) -> tuple[tuple[Instant, Instant | None], ...]:
    """Leave out the hours in which the cells were labelled: they stood in an incubator."""
    label = batch.labelling
    if label is None:
        return ((began, ended),)
    before = (began, label.started_at)
    return (before,) if label.ended_at is None else (before, (label.ended_at, ended))


def _to_dose(batch: Batch, limit: Quantity) -> StageClock:
    """From the filled containers to the last dose; in a fridge and in the shipper the clock stands still."""
    formulated_at = batch.formulated_at or 0
    given = [dose.given_at for dose in batch.doses if dose.given_at is not None]
    last_given = max(given) if given and len(given) == len(batch.doses) else None
    on_bench_until = formulated_at if batch.is_stored else batch.shipped_at
    intervals: list[tuple[Instant, Instant | None]] = [(formulated_at, on_bench_until)]
    if batch.arrived_at is not None:
        intervals.append((batch.arrived_at, last_given))
    return StageClock("formulation to dose", tuple(intervals), limit.value, batch.out_of_range_min)


def minutes_out_of_storage(batch: Batch, recipe: Recipe, now: Instant) -> float:
    """Return the time out of controlled storage over all stages [min]."""
    return sum(clock.minutes(now) for clock in clocks(batch, recipe))
