"""What a temperature trace says of a product in transit or store: time out of range, gaps, mean kinetic temperature.

The mean kinetic temperature weighs heat by what it does to a chemical; it never excuses an excursion of live or frozen
cells, which are judged by the time out of range. Nothing is said of a gap: no value is interpolated across one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cultureops.analysis.mean_kinetic import (
    ACTIVATION_KJ_PER_MOL,
    GAS_CONSTANT_J_PER_MOL_K,
    ZERO_C_IN_K,
    checked_temperatures,
    mean_kinetic_temperature_c,
    reading_weights_ms,
)
from cultureops.clock import MINUTE_MS, SECOND_MS, Instant

__all__ = [
    "GAP_INTERVALS",
    "NO_MKT_FROZEN",
    "ColdChain",
    "Excursion",
    "Gap",
    "Product",
    "assess",
    "find_gaps",
    "highest_mkt_c",
    "mean_kinetic_temperature_c",
]

Floats: TypeAlias = NDArray[np.float64]
Times: TypeAlias = NDArray[np.int64]
Product: TypeAlias = Literal["other", "frozen"]

GAP_INTERVALS: Final = 1.5
"""An interval longer than this many usual (median) ones lacks a reading at least."""
NO_MKT_FROZEN: Final = (
    "a mean kinetic temperature says nothing of a frozen product; decide on the time out of range and the extreme"
)


@dataclass(frozen=True, slots=True)
class Excursion:
    """One stretch outside of the limits [ms UTC]; ``degree_min`` is the integral of the degrees beyond [K min]."""

    start: Instant
    end: Instant
    extreme_c: float
    degree_min: float
    direction: Literal["above", "below"]

    @property
    def duration_s(self) -> float:
        """How long it lasted as far as is known; 0 for a single reading between two gaps."""
        return (self.end - self.start) / SECOND_MS


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch between two readings of which nothing is known [ms UTC]."""

    start: Instant
    end: Instant

    @property
    def duration_s(self) -> float:
        """How long it lasted."""
        return (self.end - self.start) / SECOND_MS


@dataclass(frozen=True, slots=True)
class ColdChain:
    """What a trace shows; temperatures [°C], ``mean_c`` of the readings.

    ``out_of_range_s`` is None where no limits were given, ``mkt_c`` where it has no meaning: ``mkt_reason`` says why.
    Gaps count neither in nor out of range: ``unknown_s``.
    """

    readings: int
    min_c: float
    max_c: float
    mean_c: float
    mkt_c: float | None
    mkt_reason: str
    out_of_range_s: float | None
    excursions: tuple[Excursion, ...]
    gaps: tuple[Gap, ...]
    gap_limit_ms: int

    @property
    def longest_s(self) -> float:
        """The longest excursion."""
        return max((excursion.duration_s for excursion in self.excursions), default=0.0)

    @property
    def unknown_s(self) -> float:
        """How long nothing is known."""
        return math.fsum(gap.duration_s for gap in self.gaps)

    def degree_min(self, direction: Literal["above", "below"]) -> float:
        """Return the degree-minutes of all excursions in one direction [K min]."""
        return math.fsum(row.degree_min for row in self.excursions if row.direction == direction)


def highest_mkt_c(times_ms: ArrayLike, values_c: ArrayLike, window_ms: int) -> float:
    """Return the highest mean kinetic temperature of any window that begins with a reading [°C].

    For the 24 hours that USP <1079.2> asks for, which must hold the excursion. A trace shorter than the window is one
    window. Raises ValueError as ``assess`` does.
    """
    times, values = _trace(times_ms, values_c)
    times, values = times[~np.isnan(values)], values[~np.isnan(values)]
    lasted = reading_weights_ms(times, _gap_limit_ms(times, None))
    theta = ACTIVATION_KJ_PER_MOL * 1000 / GAS_CONSTANT_J_PER_MOL_K
    exponents = -theta / (values + ZERO_C_IN_K)
    effect = np.concatenate(([0.0], np.cumsum(lasted * np.exp(exponents - exponents.max()))))
    total = np.concatenate(([0.0], np.cumsum(lasted)))
    ends = np.searchsorted(times, times + window_ms)
    begins = np.flatnonzero(times + window_ms <= times[-1] + lasted[-1])
    begins = begins if begins.size else np.array([0])
    ends = ends[begins]
    shares = (effect[ends] - effect[begins]) / (total[ends] - total[begins])
    worst = int(np.argmax(shares))
    first, last = int(begins[worst]), int(ends[worst])
    return mean_kinetic_temperature_c(values[first:last], lasted[first:last])


def find_gaps(times_ms: ArrayLike, values_c: ArrayLike, gap_limit_ms: int | None = None) -> tuple[Gap, ...]:
    """Return the stretches without a reading: a missing value, or an interval above the limit.

    ``gap_limit_ms`` is ``GAP_INTERVALS`` times the median interval where None. Raises ValueError as ``assess`` does.
    """
    times, values = _trace(times_ms, values_c)
    known = ~np.isnan(values)
    present = times[known]
    found = list[Gap]()
    if present[0] > times[0]:
        found.append(Gap(int(times[0]), int(present[0])))
    at = np.flatnonzero(_is_gap(known, times, _gap_limit_ms(times, gap_limit_ms)))
    found += [Gap(int(present[row]), int(present[row + 1])) for row in at]
    if present[-1] < times[-1]:
        found.append(Gap(int(present[-1]), int(times[-1])))
    return tuple(found)


def assess(
    times_ms: ArrayLike,
    values_c: ArrayLike,
    *,
    low_c: float | None = None,
    high_c: float | None = None,
    product: Product = "other",
    gap_limit_ms: int | None = None,
) -> ColdChain:
    """Judge a trace: ``times_ms`` [ms, ascending], ``values_c`` [°C above absolute zero, NaN where missing], n >= 1.

    A temperature on a limit is within it. Crossings are interpolated linearly between two readings, never across a
    gap: an excursion there ends with the last reading that is known, and a new one begins after it. The limit of a gap
    is stated in the result; it is ``GAP_INTERVALS`` times the median interval where None. Raises ValueError for a
    trace without a value, times that do not ascend, limits of which the lower is not below the upper.
    """
    times, values = _trace(times_ms, values_c)
    for name, limit in (("low", low_c), ("high", high_c)):
        if limit is not None and not math.isfinite(limit):
            raise ValueError(f"the limit {name} must be a number, not {limit}")
    if low_c is not None and high_c is not None and low_c >= high_c:
        raise ValueError(f"the low limit {low_c:g} °C must be below the high one, {high_c:g} °C")
    known = ~np.isnan(values)
    present, measured = times[known], values[known]
    limit_ms = _gap_limit_ms(times, gap_limit_ms)
    breaks = _is_gap(known, times, limit_ms)
    excursions = list[Excursion]()
    if high_c is not None:
        excursions += _excursions(present, measured, measured - high_c, breaks, "above")
    if low_c is not None:
        excursions += _excursions(present, measured, low_c - measured, breaks, "below")
    excursions.sort(key=lambda excursion: (excursion.start, excursion.end))
    is_frozen = product == "frozen"
    mkt_c = None if is_frozen else mean_kinetic_temperature_c(measured, reading_weights_ms(present, limit_ms))
    unlimited = low_c is None and high_c is None
    return ColdChain(
        readings=measured.size,
        min_c=float(measured.min()),
        max_c=float(measured.max()),
        mean_c=float(measured.mean()),
        mkt_c=mkt_c,
        mkt_reason=NO_MKT_FROZEN if is_frozen else "",
        out_of_range_s=None if unlimited else math.fsum(excursion.duration_s for excursion in excursions),
        excursions=tuple(excursions),
        gaps=find_gaps(times, values, limit_ms),
        gap_limit_ms=limit_ms,
    )


def _excursions(
    times: Times, measured: Floats, beyond: Floats, breaks: NDArray[np.bool_], direction: Literal["above", "below"]
) -> list[Excursion]:
    """Return the runs of readings beyond a limit, each from the crossing before it to the crossing after it."""
    is_out = beyond > 0
    if not is_out.any():
        return []
    joined = is_out[:-1] & is_out[1:] & ~breaks
    firsts = np.flatnonzero(is_out & ~np.concatenate(([False], joined)))
    lasts = np.flatnonzero(is_out & ~np.concatenate((joined, [False])))
    steps = np.diff(times).astype(np.float64)
    areas = np.where(joined, (beyond[:-1] + beyond[1:]) / 2 * steps, 0.0) if steps.size else np.zeros(0)
    summed = np.concatenate(([0.0], np.cumsum(areas)))
    extreme = np.max if direction == "above" else np.min
    found = list[Excursion]()
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        lead_ms = 0.0 if first == 0 or breaks[first - 1] else _crossing_ms(beyond, steps, first, first - 1)
        trail_ms = 0.0 if last == times.size - 1 or breaks[last] else _crossing_ms(beyond, steps, last, last + 1)
        area = summed[last] - summed[first] + (beyond[first] * lead_ms + beyond[last] * trail_ms) / 2
        found.append(
            Excursion(
                start=int(times[first]) - round(lead_ms),
                end=int(times[last]) + round(trail_ms),
                extreme_c=float(extreme(measured[first : last + 1])),
                degree_min=float(area) / MINUTE_MS,
                direction=direction,
            )
        )
    return found


def _crossing_ms(beyond: Floats, steps: Floats, out: int, inside: int) -> float:
    """Return how far from a reading that is out, towards one that is not, the limit is crossed [ms]."""
    return float(steps[min(out, inside)] * beyond[out] / (beyond[out] - beyond[inside]))


def _is_gap(known: NDArray[np.bool_], times: Times, limit_ms: int) -> NDArray[np.bool_]:
    """Say of each pair of readings that follow one another whether something is missing between them."""
    rows = np.flatnonzero(known)
    return (np.diff(rows) > 1) | (np.diff(times[rows]) > limit_ms)


def _gap_limit_ms(times: Times, given: int | None) -> int:
    if given is not None:
        return int(_positive("gap limit", given))
    return math.floor(GAP_INTERVALS * float(np.median(np.diff(times)))) if times.size > 1 else 1


def _trace(times_ms: ArrayLike, values_c: ArrayLike) -> tuple[Times, Floats]:
    times, values = np.asarray(times_ms), np.asarray(values_c, np.float64)
    if times.ndim != 1 or times.shape != values.shape or (times.size and times.dtype.kind not in "iu"):
        raise ValueError("a trace needs as many times [whole ms] as values")
    times = times.astype(np.int64)
    if np.any(np.diff(times) <= 0):
        raise ValueError("the times of a trace must ascend")
    checked_temperatures(values[~np.isnan(values)])
    return times, values


def _positive(name: str, number: float) -> float:
    if not math.isfinite(number) or number <= 0:
        raise ValueError(f"{name} must be a number above zero, not {number}")
    return number
