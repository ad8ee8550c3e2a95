"""Time out of controlled storage (TOS): what product spends between one qualified environment and the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cultureops.clock import SECOND_MS, Instant

__all__ = ["Interval", "TimeOutOfStorage", "time_out_of_storage"]


@dataclass(frozen=True, slots=True)
class Interval:
    """Out of storage from ``start`` until ``end`` [ms UTC]; None: still out, or nobody wrote down when it ended.

    ``known`` is False where it is not known how much of the interval the product really was out: all of it counts.
    """

    start: Instant
    end: Instant | None
    known: bool = True


@dataclass(frozen=True, slots=True)
class TimeOutOfStorage:
    """``total_s`` counts every interval in full; ``unknown_s`` is what of it is not known to have been so long.

    ``is_within`` says whether the total is at most the limit. While the product is still out, ``runs_out_at``
    [ms UTC] is when the limit will have been used up, or was; None when it is in storage.
    """

    total_s: float
    unknown_s: float
    limit_s: float
    is_within: bool
    runs_out_at: Instant | None

    @property
    def left_s(self) -> float:
        """What is left of the limit [s]; negative when it is exceeded."""
        return self.limit_s - self.total_s


def time_out_of_storage(intervals: Iterable[Interval], limit_s: float, now: Instant) -> TimeOutOfStorage:
    """Return the sum over the intervals between leaving one qualified environment and entering the next.

    ``limit_s`` [s, >= 0] is the recipe's for the stage; an interval without an end counts until ``now`` [ms UTC].
    Intervals that overlap count once, and as known only where all of them are. Raises ValueError for a limit below zero
    and for an interval that ends before it starts or starts after now. Source: gate G17 of the process specification
    (time out of controlled storage, unknown intervals in full).
    """
    if not limit_s >= 0:
        raise ValueError(f"a limit of {limit_s} s is none; expected zero or more")
    found = sorted(intervals, key=lambda interval: interval.start)
    for interval in found:
        if (now if interval.end is None else interval.end) < interval.start:
            until = "now" if interval.end is None else "its end"
            raise ValueError(f"an interval starts at {interval.start} ms, after {until}; correct the record")
    total_ms = _union_ms(found, now)
    unknown_ms = _union_ms([interval for interval in found if not interval.known], now)
    left_ms = limit_s * SECOND_MS - total_ms
    is_out = any(interval.end is None for interval in found)
    return TimeOutOfStorage(
        total_ms / SECOND_MS,
        unknown_ms / SECOND_MS,
        limit_s,
        left_ms >= 0,
        now + int(left_ms // 1) if is_out else None,
    )


def _union_ms(intervals: Iterable[Interval], now: Instant) -> int:
    """Return how long at least one of the intervals, ascending by start, lasts."""
    total, reached = 0, -(1 << 62)
    for interval in intervals:
        end = now if interval.end is None else interval.end
        total += max(0, end - max(interval.start, reached))
        reached = max(reached, end)
    return total
