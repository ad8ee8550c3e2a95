"""Stretches of time out of buckets: where a channel kept one value, and where nothing was read. Pure.

All are as sharp as the buckets are wide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cultureops.clock import Instant
from cultureops.telemetry import Buckets

__all__ = ["Stretch", "held", "unread", "where"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time [ms UTC], the end not included, and what the channel said in it, None where nothing."""

    start: Instant
    end: Instant
    value: float | None = None


def held(buckets: Buckets) -> tuple[Stretch, ...]:
    """Return where a channel kept a value; a bucket in which it changed belongs to what it changed to."""
    steady = (buckets.count > 0) & (buckets.minimum == buckets.maximum)
    found: list[Stretch] = []
    for begin, end in _runs(buckets.count > 0):
        start = begin  # where the change to the next steady value may have begun
        for at in range(begin, end):
            if not steady[at]:
                continue
            value = float(buckets.mean[at])
            is_same = found and found[-1].end == _at(buckets, start) and found[-1].value == value and start > begin
            if is_same:
                found[-1] = Stretch(found[-1].start, _at(buckets, at + 1), value)
            else:
                found.append(Stretch(_at(buckets, start), _at(buckets, at + 1), value))
            start = at + 1
    return tuple(found)


def where(buckets: Buckets, *, is_on: bool) -> tuple[Stretch, ...]:
    """Return where a state was on at some time, or off at some time."""
    has = np.nan_to_num(buckets.maximum) > 0 if is_on else np.nan_to_num(buckets.minimum, nan=1.0) == 0
    return tuple(
        Stretch(_at(buckets, begin), _at(buckets, end), float(is_on)) for begin, end in _runs(has & (buckets.count > 0))
    )


def unread(buckets: Buckets, now: Instant, longest_silence_ms: int) -> tuple[Stretch, ...]:
    """Return where not even a failed reading is on record, after the first there is and until now at most."""
    filled = np.flatnonzero((buckets.count > 0) | (buckets.bad > 0))
    if not filled.size:
        return ()
    empty = (buckets.count == 0) & (buckets.bad == 0)
    empty[: filled[0]] = False
    found = (Stretch(_at(buckets, begin), min(_at(buckets, end), now)) for begin, end in _runs(empty))
    return tuple(stretch for stretch in found if stretch.end - stretch.start > longest_silence_ms)


def _at(buckets: Buckets, place: int) -> Instant:
    return int(buckets.from_ms[0]) + place * buckets.width_ms


def _runs(flags: np.ndarray) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    yield from ((int(begin), int(end)) for begin, end in edges.reshape(-1, 2))
