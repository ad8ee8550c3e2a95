"""How many alarms come how fast: fixed bins, sliding windows, floods and bursts. Pure numbers over sorted instants.

*Within* a time means at most that far apart, in every sliding window here; fixed bins are half-open.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cultureops.clock import Instant

__all__ = ["Flood", "bins_over", "floods", "in_bursts", "most_within"]


@dataclass(frozen=True, slots=True)
class Flood:
    """A time in which more alarms came than a person can handle [ms UTC]; ``alarms`` came in it."""

    since: Instant
    until: Instant
    alarms: int


def bins_over(times: Sequence[Instant], start: Instant, end: Instant, width_ms: int, most: int) -> tuple[int, int]:
    """Count the bins of ``width_ms`` from ``start`` that hold more than ``most`` times, and all bins up to ``end``.

    A shorter last bin counts as one. ``times`` are sorted; those outside [start, end) are passed over.
    """
    inside = times[bisect_left(times, start) : bisect_left(times, end)]
    counts = Counter((at - start) // width_ms for at in inside)
    return sum(count > most for count in counts.values()), -((start - end) // width_ms)


def most_within(times: Sequence[Instant], start: Instant, width_ms: int) -> int:
    """Return how many of the sorted times lie at most ``width_ms`` before one of them that is not before ``start``."""
    most = first = 0
    for last in range(bisect_left(times, start), len(times)):
        while times[last] - times[first] > width_ms:
            first += 1
        most = max(most, last - first + 1)
    return most


def floods(times: Sequence[Instant], end: Instant, width_ms: int, begins_above: int, ends_below: int) -> list[Flood]:
    """Return the floods among sorted times, cut off at ``end``.

    A flood begins with the time that makes more than ``begins_above`` within ``width_ms``, and ends when the window
    that reaches back ``width_ms`` from a moment holds fewer than ``ends_below`` [1..begins_above].
    """
    found: list[Flood] = []
    since: Instant | None = None
    began = 0
    for place, at in enumerate(times):
        if since is not None and (until := times[place - ends_below] + width_ms) < at:
            found.append(Flood(since, until, place - began))
            since = None
        if since is None and place >= begins_above and at - times[place - begins_above] <= width_ms:
            since, began = at, place
    if since is not None:
        found.append(Flood(since, min(times[-ends_below] + width_ms, end), len(times) - began))
    return found


def in_bursts(times: Sequence[Instant], width_ms: int, least: int) -> list[Instant]:
    """Return those of the sorted times that belong to ``least`` [from 2] or more within ``width_ms``."""
    kept = [False] * len(times)
    for last in range(least - 1, len(times)):
        first = last - least + 1
        if times[last] - times[first] <= width_ms:
            kept[first : last + 1] = [True] * least
    return [at for at, is_kept in zip(times, kept, strict=True) if is_kept]
