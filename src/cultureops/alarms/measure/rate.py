"""How fast a value changes."""

from __future__ import annotations

from cultureops.alarms.measure.slope import SlidingSlope
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId

__all__ = ["Rate"]


class Rate:
    """Size of the least-squares slope over the last ``window_s`` [unit/min], known once half of that is covered.

    Where there is a setpoint, a change of it asks for a change of the value: for ``settle_s`` after it nothing is fast.
    """

    __slots__ = ("_changed_at", "_channel", "_least_span_ms", "_reference", "_setpoint", "_settle_ms", "_slope")

    def __init__(
        self, channel: ChannelId, window_s: float, reference: ChannelId | None = None, settle_s: float = 0.0
    ) -> None:
        self._channel = channel
        self._reference, self._settle_ms = reference, round(settle_s * 1000)
        self._setpoint: float | None = None
        self._changed_at: Instant | None = None
        window_ms = round(window_s * 1000)
        self._least_span_ms = window_ms / 2
        self._slope = SlidingSlope(window_ms)

    def take(self, channel: ChannelId, value: float | None, at: Instant) -> float | None:
        """Return how fast the value changes, up or down; BAD readings are passed over."""
        if value is not None and channel == self._reference:
            if self._setpoint is not None and value != self._setpoint:
                self._changed_at = at
            self._setpoint = value
        if value is None or channel != self._channel:
            return None
        self._slope.add(at, value)
        slope = self._slope.per_minute(self._least_span_ms)
        if slope is None:
            return None
        return 0.0 if self._is_settling(at) else abs(slope)

    def _is_settling(self, at: Instant) -> bool:
        if self._changed_at is not None and not 0 <= at - self._changed_at < self._settle_ms:
            self._changed_at = None
        return self._changed_at is not None
