"""Where a column of a trace says nothing, for how long, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cultureops.clock import Instant
from cultureops.device.reading import Reason

__all__ = ["Gap", "gaps", "median_period_ms"]

_TEXTS = {
    Reason.NOT_DELIVERED: "cell is empty",
    Reason.NOT_FINITE: "cell is no finite number",
    Reason.OUT_OF_RANGE: "outside valid_range",
}
NO_ROWS = "no rows"


@dataclass(frozen=True, slots=True)
class Gap:
    """From the last usable value before it, or the trace's begin, to the first one after, or its end [ms UTC]."""

    start: Instant
    end: Instant
    reason: str


def median_period_ms(times_ms: NDArray[np.int64]) -> int:
    """Return the median interval between ascending times [ms], those that come twice counted once; 0 below two."""
    intervals = np.diff(times_ms)
    intervals = intervals[intervals > 0]
    return round(float(np.median(intervals))) if intervals.size else 0


def gaps(
    times_ms: NDArray[np.int64], reasons: NDArray[np.uint8], limit_ms: float, row_limit_ms: float
) -> tuple[Gap, ...]:
    """Return the stretches longer than ``limit_ms`` without a usable value, oldest first.

    ``times_ms`` ascend, ``reasons`` are Reason codes, 0 where a value is usable; rows more than ``row_limit_ms`` apart
    have rows missing between them.
    """
    if not times_ms.size:
        return ()
    is_bound = reasons == 0
    is_bound[[0, -1]] = True  # the trace itself begins and ends here, with a value or without
    bounds = np.flatnonzero(is_bound)
    at = times_ms[bounds]
    longer = np.flatnonzero(np.diff(at) > limit_ms)
    return tuple(
        Gap(
            int(at[one]),
            int(at[one + 1]),
            _why(times_ms, reasons, int(bounds[one]), int(bounds[one + 1]), row_limit_ms),
        )
        for one in longer
    )


def _why(times_ms: NDArray[np.int64], reasons: NDArray[np.uint8], first: int, last: int, row_limit_ms: float) -> str:
    found: Sequence[int] = [int(code) for code in np.unique(reasons[first : last + 1]) if code]
    texts = [_TEXTS.get(Reason(code), Reason(code).text) for code in found]
    if not texts or (np.diff(times_ms[first : last + 1]) > row_limit_ms).any():
        texts.insert(0, NO_ROWS)
    return "; ".join(texts)
