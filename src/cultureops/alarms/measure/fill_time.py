"""Does a fill take longer than it used to."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId

__all__ = ["FillTime"]

_FEWEST: Final = 3
_MOST: Final = 20


class FillTime:
    """Duration of the present fill over the median of the last 3 to 20 whole ones; 0 while nothing fills.

    A fill whose beginning or course was not seen (BAD, a clock set back, silence for longer than a fill usually takes)
    is judged from when it was seen, and does not count as a usual one.
    """

    __slots__ = ("_at", "_began_at", "_channel", "_durations_ms", "_is_sure", "_usual_ms", "_was_seen")

    def __init__(self, channel: ChannelId) -> None:
        self._channel = channel
        self._durations_ms: deque[Instant] = deque(maxlen=_MOST)
        self._usual_ms: float | None = None
        self._at: Instant | None = None
        self._began_at: Instant | None = None
        self._was_seen = False
        """Whether the last reading told a state."""
        self._is_sure = False
        """Whether the present fill was seen from its beginning on."""

    def take(self, channel: ChannelId, value: float | None, at: Instant) -> float | None:
        """Return how many times as long as usual the present fill takes so far; None while what is usual is unknown."""
        if channel != self._channel:
            return None
        if value is None:
            self._was_seen = self._is_sure = False
            return None
        if self._at is not None and self._is_cut(at - self._at):
            self._began_at, self._was_seen = None, False
        self._at = at
        if value == 0.0:
            self._end(at)
            return 0.0
        if self._began_at is None:
            self._began_at, self._is_sure = at, self._was_seen
        self._was_seen = True
        return None if self._usual_ms is None else (at - self._began_at) / self._usual_ms

    def _is_cut(self, silence_ms: Instant) -> bool:
        return silence_ms < 0 or (self._usual_ms is not None and silence_ms > self._usual_ms)

    def _end(self, at: Instant) -> None:
        if self._began_at is not None and self._is_sure and at > self._began_at:
            self._durations_ms.append(at - self._began_at)
            if len(self._durations_ms) >= _FEWEST:
                self._usual_ms = median(self._durations_ms)
        self._began_at, self._was_seen = None, True
