"""How far a value is from where it should be."""

from __future__ import annotations

from cultureops.alarms.measure.extremes import SlidingExtremes
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId

__all__ = ["Deviation"]


class Deviation:
    """Distance to the setpoint, or outside the span of all setpoints that held at some time in the last ``settle_s``.

    So a chamber on its way from one setpoint to the next deviates by nothing; if it sets out the wrong way, or has not
    arrived when the time is over, it does. A setpoint that keeps changing by little widens the span by as little. An
    unreadable setpoint is taken to be as it was; until one was read there is nothing to judge.
    """

    __slots__ = ("_changed_at", "_channel", "_former", "_reference", "_setpoint", "_settle_ms")

    def __init__(self, channel: ChannelId, reference: ChannelId, settle_s: float) -> None:
        self._channel, self._reference = channel, reference
        self._settle_ms = round(settle_s * 1000)
        self._setpoint: float | None = None
        self._former = SlidingExtremes()
        """Setpoints that hold no longer, by when they were last left."""
        self._changed_at: Instant = 0

    def take(self, channel: ChannelId, value: float | None, at: Instant) -> float | None:
        """Return the distance of a value in its unit; a setpoint's reading is only taken note of."""
        if value is None:
            return None
        setpoint = self._setpoint
        if channel != self._channel:
            if channel == self._reference and value != setpoint:
                self._change(value, at)
            return None
        if setpoint is None:
            return None
        if not self._former or not self._is_settling(at):
            return abs(value - setpoint)
        low, high = min(self._former.low, setpoint), max(self._former.high, setpoint)
        return low - value if value < low else value - high if value > high else 0.0

    def _change(self, setpoint: float, at: Instant) -> None:
        if self._former and at < self._changed_at:
            self._former.clear()
        if self._setpoint is not None:
            self._former.add(at, self._setpoint)
        self._setpoint, self._changed_at = setpoint, at

    def _is_settling(self, at: Instant) -> bool:
        """Whether a former setpoint still counts; a clock set back by more than that time ends it."""
        former, settle_ms = self._former, self._settle_ms
        if at < self._changed_at - settle_ms:
            former.clear()
        else:
            former.drop_before(at - settle_ms + 1)
        return bool(former)
