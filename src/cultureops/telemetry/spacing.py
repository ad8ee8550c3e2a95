"""How the readings of an hour lie in time: all that a sum over it needs beside its roll-up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from cultureops.telemetry.store import Integers

__all__ = ["Spacing"]


@dataclass(frozen=True, slots=True)
class Spacing:
    """``count`` [>= 1] readings from ``first_ms`` to ``last_ms``.

    ``shortest_ms`` and ``longest_ms`` are steps between neighbours, 0 for a single reading; ``offset_ms`` is how far a
    reading lies at most from where it would be if all steps were the same.
    """

    first_ms: int
    last_ms: int
    count: int
    shortest_ms: int
    longest_ms: int
    offset_ms: float

    @classmethod
    def of(cls, times_ms: Integers) -> Self:
        """Measure ascending times [n >= 1]."""
        first, last, count = int(times_ms[0]), int(times_ms[-1]), times_ms.size
        if count == 1:
            return cls(first, last, 1, 0, 0, 0.0)
        steps = np.diff(times_ms)
        offsets = (times_ms - first) - np.arange(count) * ((last - first) / (count - 1))
        offset = max(float(offsets.max()), -float(offsets.min()))
        return cls(first, last, count, int(steps.min()), int(steps.max()), offset)
