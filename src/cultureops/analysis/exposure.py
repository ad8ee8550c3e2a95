"""What a channel did over a stretch of time: time out of range, degree-minutes, and the time nobody knows of.

Between two usable readings that are no further apart than the channel may be silent, the value runs on a straight line;
before the first, after the last and across a longer silence it is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cultureops.clock import MINUTE_MS, SECOND_MS, Instant

__all__ = [
    "ChannelExposure",
    "Flags",
    "Floats",
    "Integers",
    "Knots",
    "Stretch",
    "along",
    "check_range",
    "exposure",
    "together",
]

Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Stretch: TypeAlias = tuple[Instant, Instant]


@dataclass(frozen=True, slots=True)
class ChannelExposure:
    """One channel from ``start`` to ``end`` [ms UTC]; values in the channel's unit.

    ``covered_s`` and ``unknown_s`` make up the whole stretch; ``uncertain_s`` is the part of what is covered that rests
    on UNCERTAIN readings. ``above_s`` and ``below_s`` are covered time beyond a limit, the degree-minutes [unit x min]
    the excess integrated over it. ``mean`` is weighted by time: None where nothing is covered. ``minimum`` and
    ``maximum`` are those of all usable readings: None without one. ``unknown`` are the stretches without a known value,
    in order, of whatever length at either end and longer than the channel may be silent between.
    """

    start: Instant
    end: Instant
    mean: float | None
    minimum: float | None
    maximum: float | None
    covered_s: float
    unknown_s: float
    uncertain_s: float
    above_s: float
    below_s: float
    degree_minutes_above: float
    degree_minutes_below: float
    unknown: tuple[Stretch, ...]

    @property
    def out_of_range_s(self) -> float:
        """Covered time beyond either limit [s]."""
        return self.above_s + self.below_s

    @property
    def longest_unknown_s(self) -> float:
        """The longest stretch without a known value [s]."""
        return max((end - start for start, end in self.unknown), default=0) / SECOND_MS


@dataclass(frozen=True, slots=True)
class Knots:
    """The corners of a trace: ``times_ms`` [n, ascending], ``values`` [n, finite], ``uncertain`` [n].

    ``linked`` [n - 1] says where a straight line leads from a corner to the next; elsewhere the value is unknown.
    ``minimum`` and ``maximum`` are those of the readings that the corners stand for, NaN without one.
    """

    times_ms: Integers
    values: Floats
    uncertain: Flags
    linked: Flags
    minimum: float
    maximum: float


def exposure(
    times_ms: Integers,
    values: Floats,
    usable: Flags,
    start: Instant,
    end: Instant,
    low: float | None,
    high: float | None,
    max_gap_ms: int,
    *,
    uncertain: Flags | None = None,
) -> ChannelExposure:
    """Return what the readings of ``start <= time <= end`` say about this stretch; two that adjoin add up.

    ``times_ms`` [ms UTC, ascending], ``values`` [unit] and ``usable`` have one length; what is not usable counts as not
    there. A limit that is None is none; a value at its limit is in range. ``max_gap_ms`` [> 0] is how long the channel
    may be silent. Raises ValueError for arrays and limits that are not like this. Source: trapezoidal rule, with the
    crossings of a limit interpolated.
    """
    if max_gap_ms <= 0:
        raise ValueError(f"a channel that may be silent for {max_gap_ms} ms is never known; expected more than 0")
    doubt = np.zeros(len(times_ms), bool) if uncertain is None else np.asarray(uncertain, bool)
    times, numbers, is_usable = np.asarray(times_ms, np.int64), np.asarray(values, float), np.asarray(usable, bool)
    if not times.shape == numbers.shape == is_usable.shape == doubt.shape or times.ndim != 1:
        raise ValueError("times, values and flags of readings must be rows of one length")
    rows = is_usable & (times >= start) & (times <= end)
    times, numbers, doubt = times[rows], numbers[rows], doubt[rows]
    steps = np.diff(times)
    if (steps < 0).any() or not np.isfinite(numbers).all():
        raise ValueError("usable readings must be in order of time and have finite values")
    least, most = (float(numbers.min()), float(numbers.max())) if numbers.size else (math.nan, math.nan)
    return along(Knots(times, numbers, doubt, steps <= max_gap_ms, least, most), start, end, low, high)


def along(knots: Knots, start: Instant, end: Instant, low: float | None, high: float | None) -> ChannelExposure:
    """Return what a trace from ``start`` to ``end`` says, its corners being within; raises ValueError."""
    if end < start:
        raise ValueError(f"{start}..{end} is no stretch")
    check_range(low, high)
    rows = slice(None) if knots.linked.all() else knots.linked
    before, after = knots.values[:-1][rows], knots.values[1:][rows]
    lasts_ms = np.diff(knots.times_ms)[rows]
    doubtful = (knots.uncertain[:-1] | knots.uncertain[1:])[rows]
    covered_ms = int(lasts_ms.sum())
    above_ms, excess = (0.0, 0.0) if high is None else _beyond(before - high, after - high, lasts_ms)
    below_ms, lack = (0.0, 0.0) if low is None else _beyond(low - before, low - after, lasts_ms)
    has_value = knots.times_ms.size > 0
    return ChannelExposure(
        start=start,
        end=end,
        mean=float(((before + after) * lasts_ms).sum() / 2 / covered_ms) if covered_ms else None,
        minimum=knots.minimum if has_value else None,
        maximum=knots.maximum if has_value else None,
        covered_s=covered_ms / SECOND_MS,
        unknown_s=(end - start - covered_ms) / SECOND_MS,
        uncertain_s=int(lasts_ms[doubtful].sum()) / SECOND_MS,
        above_s=above_ms / SECOND_MS,
        below_s=below_ms / SECOND_MS,
        degree_minutes_above=excess / MINUTE_MS,
        degree_minutes_below=lack / MINUTE_MS,
        unknown=_unknown(knots, start, end),
    )


def check_range(low: float | None, high: float | None) -> None:
    """Raise ValueError for limits that are no numbers or leave no room between them."""
    limits = [limit for limit in (low, high) if limit is not None]
    if not all(math.isfinite(limit) for limit in limits) or limits != sorted(limits):
        raise ValueError(f"{low}..{high} is no range; expected numbers, the lower one first")


def together(parts: Iterable[ChannelExposure]) -> ChannelExposure | None:
    """Return several stretches as one, from the first start to the last end; None of none.

    Time between the stretches is in no sum: it was spent elsewhere.
    """
    found = tuple(parts)
    if not found:
        return None
    sums: dict[str, Any] = {
        name: math.fsum(getattr(part, name) for part in found)
        for name in (
            "covered_s", "unknown_s", "uncertain_s", "above_s", "below_s", "degree_minutes_above",
            "degree_minutes_below",
        )
    }  # fmt: skip
    weighted = math.fsum(part.mean * part.covered_s for part in found if part.mean is not None)
    return ChannelExposure(
        start=min(part.start for part in found),
        end=max(part.end for part in found),
        mean=weighted / sums["covered_s"] if sums["covered_s"] else None,
        minimum=min((part.minimum for part in found if part.minimum is not None), default=None),
        maximum=max((part.maximum for part in found if part.maximum is not None), default=None),
        unknown=tuple(sorted(stretch for part in found for stretch in part.unknown)),
        **sums,
    )


def _beyond(before: Floats, after: Floats, lasts_ms: Integers) -> tuple[float, float]:
    """Return for how long [ms] straight lines run above zero, and what lies between them and zero [unit x ms]."""
    touches = np.flatnonzero((before > 0) | (after > 0))
    before, after, lasts_ms = before[touches], after[touches], lasts_ms[touches]
    over = np.maximum(before, 0) + np.maximum(after, 0)
    over_ms = over / (np.abs(before) + np.abs(after)) * lasts_ms
    return float(over_ms.sum()), float((over_ms * over).sum() / 2)


def _unknown(knots: Knots, start: Instant, end: Instant) -> tuple[Stretch, ...]:
    """Return the stretches that no line covers."""
    open_ends = np.flatnonzero(~knots.linked)
    begins = np.concatenate(([start], knots.times_ms[:-1][open_ends], knots.times_ms[-1:]))
    ends = np.concatenate((knots.times_ms[:1], knots.times_ms[1:][open_ends], [end]))
    return tuple((begin, stop) for begin, stop in zip(begins.tolist(), ends.tolist(), strict=True) if stop > begin)
