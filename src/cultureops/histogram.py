"""How often a delay was how long: counted into fixed steps, so that it costs the same after a year."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

__all__ = ["STEPS_S", "Histogram"]

STEPS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Histogram:
    """Counts of delays up to each of ``steps_s`` [s], ascending, and beyond the last; ``sum_s`` is their sum [s]."""

    def __init__(self, steps_s: Sequence[float] = STEPS_S) -> None:
        self._steps_s = tuple(steps_s)
        self._counts = [0] * (len(self._steps_s) + 1)
        self.sum_s = 0.0

    def take(self, delay_s: float) -> None:
        """Count one delay; what came early (a clock was set back) counts as none."""
        delay_s = max(0.0, delay_s)
        self._counts[bisect_left(self._steps_s, delay_s)] += 1
        self.sum_s += delay_s

    def cumulated(self) -> Iterator[tuple[float, int]]:
        """Yield (step [s], how many took no longer), the last step being infinite."""
        return zip((*self._steps_s, float("inf")), accumulate(self._counts), strict=True)
