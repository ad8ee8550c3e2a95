"""The highest and the lowest value of a sliding window, O(1) amortised a value."""

from __future__ import annotations

from collections import deque

from cultureops.clock import Instant

__all__ = ["SlidingExtremes"]


class SlidingExtremes:
    """Two monotone queues: a value leaves once it is too old, or as soon as a later one outdoes it.

    Values are added in the order of their times [ms UTC]. Source: Lemire, Nordic Journal of Computing 13 (2006) 328.
    """

    __slots__ = ("_highs", "_lows")

    def __init__(self) -> None:
        self._highs: deque[tuple[Instant, float]] = deque()
        self._lows: deque[tuple[Instant, float]] = deque()

    def __bool__(self) -> bool:
        return bool(self._highs)

    def add(self, at: Instant, value: float) -> None:
        """Take the newest value."""
        highs, lows, sample = self._highs, self._lows, (at, value)
        while highs and highs[-1][1] <= value:
            highs.pop()
        highs.append(sample)
        while lows and lows[-1][1] >= value:
            lows.pop()
        lows.append(sample)

    def drop_before(self, start: Instant) -> None:
        """Let go of what is older than ``start``."""
        highs, lows = self._highs, self._lows
        while highs and highs[0][0] < start:
            highs.popleft()
        while lows and lows[0][0] < start:
            lows.popleft()

    def clear(self) -> None:
        """Start anew."""
        self._highs.clear()
        self._lows.clear()

    @property
    def high(self) -> float:
        """The highest value; there must be one."""
        return self._highs[0][1]

    @property
    def low(self) -> float:
        """The lowest value; there must be one."""
        return self._lows[0][1]
