"""How far two probes of one thing differ."""

from __future__ import annotations

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId

__all__ = ["Disagreement"]


class Disagreement:
    """Distance of the newest values of two channels, where their source times lie at most ``window_s`` apart."""

    __slots__ = ("_at", "_channel", "_other_at", "_other_value", "_reference", "_value", "_window_ms")

    def __init__(self, channel: ChannelId, reference: ChannelId, window_s: float) -> None:
        self._channel, self._reference = channel, reference
        self._window_ms = round(window_s * 1000)
        self._value: float | None = None
        self._other_value: float | None = None
        self._at: Instant = 0
        self._other_at: Instant = 0

    def take(self, channel: ChannelId, value: float | None, at: Instant) -> float | None:
        """Return the distance in the channels' unit once both have said something of the same time."""
        if value is None:
            return None
        if channel == self._channel:
            self._value, self._at = value, at
        elif channel == self._reference:
            self._other_value, self._other_at = value, at
        else:
            return None
        if self._value is None or self._other_value is None or abs(self._at - self._other_at) > self._window_ms:
            return None
        return abs(self._value - self._other_value)
