"""How fast a value changes."""

from __future__ import annotations

from cultureops.alarms.measure.slope import SlidingSlope
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId

__all__ = ["Rate"]


class Rate:
    """Size of the least-squares slope over the last ``window_s`` [unit/min], known once half of that is covered."""

    __slots__ = ("_channel", "_least_span_ms", "_slope")

    def __init__(self, channel: ChannelId, window_s: float) -> None:
        self._channel = channel
        window_ms = round(window_s * 1000)
        self._least_span_ms = window_ms / 2
        self._slope = SlidingSlope(window_ms)

    def take(self, channel: ChannelId, value: float | None, at: Instant) -> float | None:
        """Return how fast the value changes, up or down; BAD readings are passed over."""
        if value is None or channel != self._channel:
            return None
        self._slope.add(at, value)
        slope = self._slope.per_minute(self._least_span_ms)
        return None if slope is None else abs(slope)
