"""Clocks that run against a batch's cells, as its alarms see them: how much is used up, what is left, and what then."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from cultureops.alarms.rule import Level
from cultureops.batch.batch import Batch
from cultureops.batch.clock_gauges import clock_gauges
from cultureops.batch.gauge import Gauge, ProcessLimits
from cultureops.batch.recipe_schema import Recipe
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Instant

__all__ = ["RunningClock", "running_clocks", "spoken"]

_UNITS: Final = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"), (SECOND_MS, "s"))


@dataclass(frozen=True, slots=True)
class RunningClock:
    """One clock at an instant: the gauge that raises its alarm, with the words of that alarm.

    ``used`` and ``limit`` are in ``unit`` (minutes, or per cent of a shelf life); ``zero_at`` and ``ends_at`` [ms UTC]
    are when it would have begun without a break and when its limit is reached, ``unit_ms`` how long one unit lasts.
    """

    name: str
    rule_id: str
    unit: str
    used: float
    warning: float
    limit: float
    zero_at: Instant
    unit_ms: float
    ends_at: Instant
    left: str
    consequence: str
    response: str

    @property
    def level(self) -> str:
        """``ok``, ``warning`` or ``over``: the same limits as those of its alarms."""
        return "over" if self.used > self.limit else "warning" if self.used > self.warning else "ok"


def running_clocks(
    batch: Batch, recipe: Recipe, limits: ProcessLimits, now: Instant
) -> tuple[tuple[RunningClock, ...], str]:
    """Return the clocks that run, the one that ends first at the top, and why there are none that can be told."""
    try:
        gauges = clock_gauges(batch, recipe, limits)
    except ValueError as problem:
        return (), f"The clocks can't be told: {problem}. Watch the times by hand and call quality assurance."
    return tuple(sorted((_clock(gauge, now) for gauge in gauges), key=lambda clock: clock.ends_at)), ""


def _clock(gauge: Gauge, now: Instant) -> RunningClock:
    alarm = next(rule for rule in gauge.rules if rule.level is Level.ALARM)
    limit = alarm.limit or 0.0
    ends_at = gauge.reaches(limit)
    return RunningClock(
        name=alarm.id.rpartition("/")[2].replace("_", " "),
        rule_id=alarm.id,
        unit=alarm.unit,
        used=gauge.value(now),
        warning=gauge.least_limit,
        limit=limit,
        zero_at=gauge.zero_at,
        unit_ms=gauge.unit_ms,
        ends_at=ends_at,
        left=spoken(abs(ends_at - now)),
        consequence=alarm.consequence,
        response=alarm.response,
    )


def spoken(length_ms: float) -> str:
    """Write a length of time with its two largest units, e.g. ``1 h 05 min``; ``clocks.js`` writes it alike."""
    whole = int(length_ms // SECOND_MS) * SECOND_MS
    for (unit_ms, unit), (next_ms, smaller) in pairwise(_UNITS):
        if whole >= unit_ms:
            return f"{whole // unit_ms} {unit} {whole % unit_ms // next_ms:02d} {smaller}"
    return f"{whole // SECOND_MS} s"
