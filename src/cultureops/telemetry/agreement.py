"""Whether a copy holds what the store holds: readings counted, hashed and, where they differ, told hour by hour. Pure.

A row is what a copy can know of a reading: source time, value, quality and reason.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops.clock import HOUR_MS, Instant
from cultureops.telemetry.points import Points, is_shown
from cultureops.telemetry.store import Integers

__all__ = ["Agreement", "HourDifference", "agreement"]

_ROW: Final = np.dtype([("source_ms", "<i8"), ("value", "<i8"), ("quality", "u1"), ("reason", "u1")])
"""A row as it is hashed and compared; the value is the bits of a float64, 0x7ff8000000000000 where BAD."""


@dataclass(frozen=True, slots=True)
class HourDifference:
    """Readings of one hour that the copy lacks, has without reason, has otherwise, or has twice."""

    from_ms: Instant
    missing: int
    surplus: int
    changed: int
    doubled: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many rows there are here and there, the SHA-256 [hex] over each, and the hours that differ."""

    here: int
    there: int
    sha256_here: str
    sha256_there: str
    hours: tuple[HourDifference, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the copy holds exactly what is kept."""
        return not self.hours


def agreement(kept: Points, found: Points, *, tolerance: float = 0.0, any_of_instant: bool = False) -> Agreement:
    """Compare all that is kept of a channel with all that a copy has, both by source time.

    A value may be off by ``tolerance`` of itself where the copy rounds. Of several readings of one instant the last
    to arrive counts; with ``any_of_instant`` the copy may have kept any.
    """
    shown = kept.at(is_shown(kept.source_ms))
    is_last = is_shown(found.source_ms)
    there = _rows(found.at(is_last))
    here = _accepted(_rows(kept) if any_of_instant else _rows(shown), _rows(shown), there, tolerance)
    doubled = found.source_ms[~is_last]
    digests = hashlib.sha256(here.tobytes()).hexdigest(), hashlib.sha256(there.tobytes()).hexdigest()
    if digests[0] == digests[1] and not doubled.size:
        return Agreement(here.size, there.size, *digests)
    return Agreement(here.size, found.size, *digests, _by_hour(here, there, doubled))


def _rows(points: Points) -> np.ndarray:
    rows = np.empty(points.size, _ROW)
    value = points.value + 0.0  # a minus before a zero is no difference
    value[points.bad] = np.nan
    rows["source_ms"], rows["value"] = points.source_ms, value.view(np.int64)
    rows["value"][np.isnan(value)] = np.float64(np.nan).view(np.int64)
    rows["quality"], rows["reason"] = points.quality, points.reason
    return rows


def _accepted(candidates: np.ndarray, shown: np.ndarray, there: np.ndarray, tolerance: float) -> np.ndarray:
    """Return the shown rows, those as the copy has them of which it may have them so."""
    if not tolerance and candidates.size == shown.size:
        return shown
    here = shown.copy()
    at = np.searchsorted(there["source_ms"], candidates["source_ms"])
    at = np.minimum(at, max(0, there.size - 1))
    if not there.size:
        return here
    other = there[at]
    values, others = candidates["value"].view(np.float64), other["value"].view(np.float64)
    with np.errstate(invalid="ignore"):
        is_near = np.abs(values - others) <= tolerance * np.abs(values) + tolerance / 10
    fits = (other["source_ms"] == candidates["source_ms"]) & (other["quality"] == candidates["quality"])
    fits &= (other["reason"] == candidates["reason"]) & (is_near | (candidates["value"] == other["value"]))
    here[np.searchsorted(shown["source_ms"], candidates["source_ms"][fits])] = other[fits]
    return here


def _by_hour(here: np.ndarray, there: np.ndarray, doubled: Integers) -> tuple[HourDifference, ...]:
    missing = np.setdiff1d(here["source_ms"], there["source_ms"])
    surplus = np.setdiff1d(there["source_ms"], here["source_ms"])
    _, ours, theirs = np.intersect1d(here["source_ms"], there["source_ms"], return_indices=True)
    changed = here["source_ms"][ours][here[ours] != there[theirs]]
    kinds = [_per_hour(times) for times in (missing, surplus, changed, doubled)]
    return tuple(
        HourDifference(hour * HOUR_MS, *(kind.get(hour, 0) for kind in kinds)) for hour in sorted(set().union(*kinds))
    )


def _per_hour(times_ms: Integers) -> dict[int, int]:
    hours, counts = np.unique(times_ms // HOUR_MS, return_counts=True)
    return dict(zip(hours.tolist(), counts.tolist(), strict=True))
