"""Witnesses of conditions that only a stretch of readings shows: a rate, a stuck sensor, days left, a slow fill."""

from __future__ import annotations

from statistics import linear_regression, median
from typing import Final

from cultureops.alarms.rule import Rule
from cultureops.clock import DAY_MS, MINUTE_MS, Instant
from cultureops.device.reading import Reading

__all__ = ["DaysWitness", "FillWitness", "RateWitness", "StuckWitness"]

_FEWEST: Final = 3
_USUAL_FILLS: Final = 20
_SMOOTHED: Final = 5
_REFILL_SHARE: Final = 0.03
_CALM_MS: Final = 30 * MINUTE_MS
_ENDLESS_DAYS: Final = 3650.0

_Samples = list[tuple[Instant, float]]


class _Trend:
    """What such witnesses share: the rule's own values, and a number that is compared with a bound."""

    def __init__(self, rule: Rule, bound: float, deadband: float, *, lower: bool = False) -> None:
        self._rule = rule
        self._sign = -1.0 if lower else 1.0
        self._bound, self._deadband = self._sign * bound, deadband
        self._window_ms = round(rule.window_s * 1000)
        self._number: float | None = None
        self.value: float | None = None

    @property
    def is_beyond(self) -> bool:
        """Whether the readings so far are at the limit or beyond."""
        return self._number is not None and self._sign * self._number >= self._bound

    @property
    def is_inside(self) -> bool:
        """Whether they are inside the limit by more than the deadband, or say nothing yet."""
        return self._number is None or self._sign * self._number < self._bound - self._deadband

    def _is_own(self, reading: Reading) -> bool:
        return reading.channel == self._rule.channel and reading.value is not None


def _slope_per_ms(samples: _Samples) -> float:
    start = samples[0][0]
    return linear_regression([at - start for at, _ in samples], [value for _, value in samples]).slope


class RateWitness(_Trend):
    """Size of the least-squares slope over the window [unit/min], once half of it is covered."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule, rule.limit or 0.0, rule.deadband)
        self._samples: _Samples = []

    def take(self, reading: Reading) -> None:
        """Take a reading."""
        if not self._is_own(reading) or reading.value is None:
            return
        self.value, at = reading.value, reading.source_time
        self._samples = [row for row in self._samples if row[0] >= at - self._window_ms]
        self._samples.append((at, reading.value))
        is_known = len(self._samples) >= _FEWEST and at - self._samples[0][0] >= self._window_ms / 2
        self._number = abs(_slope_per_ms(self._samples)) * MINUTE_MS if is_known else None


class StuckWitness(_Trend):
    """1 when all values of a window lie within the limit although a door was open or a sister probe moved."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule, 1.0, 0.5)
        self._own: _Samples = []
        self._other: _Samples = []

    def take(self, reading: Reading) -> None:
        """Take a reading of the sensor, or of what shows that it should move."""
        if reading.value is None:
            return
        if reading.channel == self._rule.reference:
            self._other.append((reading.source_time, reading.value))
        if not self._is_own(reading):
            return
        self.value, at = reading.value, reading.source_time
        self._own.append((at, reading.value))
        whole = self._own[0][0] <= at - self._window_ms
        seen = [value for then, value in self._own if then >= at - self._window_ms]
        if max(seen) - min(seen) >= (self._rule.limit or 0.0):
            self._number = 0.0
        elif whole and self._should_have_moved(at):
            self._number = 1.0

    def _should_have_moved(self, at: Instant) -> bool:
        ripe = at - round(self._rule.settle_s * 1000)
        values = [value for then, value in self._other if at - self._window_ms <= then <= ripe]
        if self._rule.reference_limit is None:
            return any(values)
        return bool(values) and max(values) - min(values) >= self._rule.reference_limit


class DaysWitness(_Trend):
    """Days until the level that must be left, by the least-squares fall since the last refill."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule, rule.limit or 0.0, rule.deadband, lower=True)
        self._recent: list[float] = []
        self._stretch: _Samples = []
        self._peak: tuple[Instant, float] | None = None
        self._highest = 0.0

    def take(self, reading: Reading) -> None:
        """Take a reading."""
        if not self._is_own(reading) or reading.value is None:
            return
        self.value, at = reading.value, reading.source_time
        self._recent = [*self._recent, reading.value][-_SMOOTHED:]
        if len(self._recent) < _SMOOTHED:
            return
        level = median(self._recent)
        self._highest = max(self._highest, abs(level))
        if self._is_filling(at, level):
            return
        self._stretch = [row for row in self._stretch if row[0] >= at - self._window_ms]
        self._stretch.append((at, level))
        if len(self._stretch) >= _FEWEST and at - self._stretch[0][0] >= self._window_ms / 4:
            self._number = self._days(level, -_slope_per_ms(self._stretch) * DAY_MS)

    def _is_filling(self, at: Instant, level: float) -> bool:
        if self._peak is not None:
            if level > self._peak[1]:
                self._peak = at, level
            elif at - self._peak[0] >= _CALM_MS:
                self._peak, self._stretch = None, []
        elif self._stretch and level - min(row[1] for row in self._stretch) > _REFILL_SHARE * self._highest:
            self._peak = at, level
        return self._peak is not None

    def _days(self, level: float, a_day: float) -> float:
        left = max(0.0, level - (self._rule.reference_limit or 0.0))
        return min(left / a_day, _ENDLESS_DAYS) if a_day > 0 else (_ENDLESS_DAYS if left else 0.0)


class FillWitness(_Trend):
    """How many times as long as the median of the last whole fills the present one takes; 0 while nothing fills."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule, rule.limit or 0.0, rule.deadband)
        self._durations_ms: list[Instant] = []
        self._began: Instant | None = None

    def take(self, reading: Reading) -> None:
        """Take a reading of the fill state."""
        if not self._is_own(reading):
            return
        self.value, at = reading.value, reading.source_time
        if self.value:
            self._began = at if self._began is None else self._began
            usual = median(self._durations_ms[-_USUAL_FILLS:]) if len(self._durations_ms) >= _FEWEST else None
            self._number = None if usual is None else (at - self._began) / usual
            return
        if self._began is not None:
            self._durations_ms.append(at - self._began)
        self._began, self._number = None, 0.0
