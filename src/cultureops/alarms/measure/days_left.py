"""How long what is left will last."""

from __future__ import annotations

from collections import deque
from typing import Final

from cultureops.alarms.measure.slope import SlidingSlope
from cultureops.clock import DAY_MS, MINUTE_MS, Instant
from cultureops.device.channel import ChannelId

__all__ = ["LONGEST_DAYS", "DaysLeft"]

LONGEST_DAYS: Final = 3650.0
"""What is said where nothing is consumed [d]."""

_SAMPLES: Final = 5
_REFILL_SHARE: Final = 0.03
_REFILL_NOISES: Final = 10.0
_NOISE_SAMPLES: Final = 100
_CALM_MS: Final = 30 * MINUTE_MS
_LEVELS_A_WINDOW: Final = 1000


class DaysLeft:
    """Days until a level has fallen to the one that must be left, at the consumption since the last refill.

    Consumption is the least-squares fall of the level over the last ``window_s`` of the stretch since the refill, of
    which at least a quarter of the window must be known; until then by the consumption before the refill. The level is
    the median of the last five values, so that a splash is none; a thousand levels a window are kept, so that days of
    readings weigh little.

    A refill [OWN]: that level rises above its lowest since the last refill by more than 3 % of the highest level seen,
    or by more than ten times the noise (the running mean distance of a value from the level) where that is more. The
    fall is followed again from when the level has made no new high for 30 min.
    """

    __slots__ = (
        "_at", "_channel", "_highest", "_kept_at", "_known", "_least_span_ms", "_lowest", "_must_be_left", "_noise",
        "_peak", "_peak_at", "_recent", "_slope", "_step_ms",
    )  # fmt: skip

    def __init__(self, channel: ChannelId, must_be_left: float, window_s: float) -> None:
        self._channel, self._must_be_left = channel, must_be_left
        window_ms = round(window_s * 1000)
        self._least_span_ms = window_ms / 4
        self._step_ms = window_ms / _LEVELS_A_WINDOW
        self._slope = SlidingSlope(window_ms)
        self._recent: deque[float] = deque(maxlen=_SAMPLES)
        self._at: Instant = 0
        self._kept_at: Instant | None = None
        self._highest = self._noise = 0.0
        self._lowest: float | None = None
        self._peak: float | None = None
        """Highest level of the refill that goes on; None while the level falls."""
        self._peak_at: Instant = 0
        self._known: deque[float] = deque(maxlen=_SAMPLES)
        """Consumptions last known [level per day]; the oldest was not touched by the refill that came after."""

    def take(self, channel: ChannelId, value: float | None, at: Instant) -> float | None:
        """Return the days left, at most ``LONGEST_DAYS``; None while the consumption is not known."""
        if value is None or channel != self._channel:
            return None
        if at < self._at:
            self._recent.clear()
            self._begin()
        self._at = at
        self._recent.append(value)
        if len(self._recent) < _SAMPLES:
            return None
        level = sorted(self._recent)[_SAMPLES // 2]
        if self._is_filling(value, level, at):
            return None
        if self._kept_at is None or at - self._kept_at >= self._step_ms:
            self._slope.add(at, level)
            self._kept_at = at
        rise = self._slope.per_minute(self._least_span_ms)
        if rise is not None:
            self._known.append(-rise * DAY_MS / MINUTE_MS)
            return self._days(level, self._known[-1])
        return self._days(level, self._known[0]) if self._known else None

    def _is_filling(self, value: float, level: float, at: Instant) -> bool:
        """Follow the level between refills and through them; whether one goes on."""
        self._highest = max(self._highest, abs(level))
        least_rise = max(_REFILL_SHARE * self._highest, _REFILL_NOISES * self._noise)
        self._noise += (min(abs(value - level), least_rise) - self._noise) / _NOISE_SAMPLES
        if self._peak is not None:
            if level > self._peak:
                self._peak, self._peak_at = level, at
            elif at - self._peak_at >= _CALM_MS:
                self._begin()
        elif self._lowest is None or level < self._lowest:
            self._lowest = level
        elif level - self._lowest > least_rise:
            self._peak, self._peak_at = level, at
        return self._peak is not None

    def _begin(self) -> None:
        """Follow the fall anew."""
        self._slope.clear()
        self._lowest = self._peak = self._kept_at = None

    def _days(self, level: float, a_day: float) -> float:
        left = max(0.0, level - self._must_be_left)
        if left >= a_day * LONGEST_DAYS:
            return LONGEST_DAYS if left else 0.0
        return left / a_day
