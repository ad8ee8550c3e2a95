"""Whether the numbers of one document can all be true: named checks of what is said against what follows from the rest.

Each check takes declared numbers and returns a Contradiction, or None where said and computed agree within the
tolerance. A tolerance is in the unit of the figure that is checked; for a printed figure that is half of its last
digit, and as much again for the figures it is computed from. Every check raises ValueError for numbers that say
nothing (not finite, a weight of zero, an empty table).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

__all__ = [
    "CHECKS",
    "Contradiction",
    "Range",
    "dose_basis",
    "dose_concentration",
    "inclusion",
    "percent_reduction",
    "pooled_mean",
    "share",
    "subgroup_size",
    "table_median",
    "weighted_mean",
]

_ROUNDING: Final = 1e-9
"""Relative slack for decimal fractions that binary ones only approach; no figure is printed that finely."""


@dataclass(frozen=True, slots=True)
class Range:
    """From ``low`` to ``high``, both included; an infinite end is open."""

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        """Refuse a range that holds nothing."""
        if not self.low <= self.high:
            raise ValueError(f"a range needs low <= high, not {self.low:g} and {self.high:g}")

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"at least {self.low:g}"
        return f"at most {self.high:g}" if math.isinf(self.low) else f"{self.low:g} to {self.high:g}"

    def holds(self, value: float, tolerance: float) -> bool:
        """Whether a value lies in the range, or no further outside than the tolerance."""
        slack = tolerance + _ROUNDING * abs(value)
        return self.low - slack <= value <= self.high + slack


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One statement that the other numbers do not bear out.

    ``said`` is the figure or range as stated, ``computed`` what follows from the rest, in the same unit.
    """

    check: str
    said: float | Range
    computed: float
    tolerance: float
    text: str


def dose_concentration(cells: float, volume_ml: float, said: Range, tolerance: float = 0.0) -> Contradiction | None:
    """Compare cells / volume with the range that the process states, in the unit of ``cells`` per mL."""
    _positive("cells", cells)
    computed = cells / _positive("volume", volume_ml)
    why = f"{cells:g} cells in {volume_ml:g} mL are {computed:.4g} per mL"
    return _against("dose_concentration", said, computed, tolerance, why)


def pooled_mean(groups: Sequence[tuple[int, float]], said: float, tolerance: float) -> Contradiction | None:
    """Compare the mean stated for all with the one of the groups, each as (subjects, mean)."""
    computed, n = _mean(groups)
    why = f"the groups' means pool to {computed:.4g} over {n:g} subjects"
    return _against("pooled_mean", said, computed, tolerance, why)


def weighted_mean(rows: Sequence[tuple[float, float]], said: float, tolerance: float) -> Contradiction | None:
    """Compare a stated mean with that of a table's rows, each as (weight, value)."""
    computed, weight = _mean(rows)
    why = f"the table's rows have a weighted mean of {computed:.4g} (total weight {weight:g})"
    return _against("weighted_mean", said, computed, tolerance, why)


def subgroup_size(part: int, group: int) -> Contradiction | None:
    """Compare the size of a subgroup with that of the group whose members they all are."""
    if part < 0 or group < 0:
        raise ValueError(f"sizes must be 0 or more, not {part} and {group}")
    return _against("subgroup_size", Range(0, group), part, 0.0, f"{part} subjects are taken from a group of {group}")


def percent_reduction(before: float, after: float, said: Range, tolerance: float) -> Contradiction | None:
    """Compare 100 (before - after) / before with the stated range [%]."""
    computed = 100 * (_positive("value before", before) - _finite(after)) / before
    why = f"{before:g} to {after:g} is a reduction by {computed:.3g} %"
    return _against("percent_reduction", said, computed, tolerance, why)


def table_median(values: Sequence[float], said: float, tolerance: float = 0.0) -> Contradiction | None:
    """Compare a stated median with that of the table's values."""
    if not values:
        raise ValueError("a median needs one value or more")
    computed = float(median([_finite(value) for value in values]))
    return _against("table_median", said, computed, tolerance, f"the {len(values)} values have the median {computed:g}")


def inclusion(row: str, value: float, criterion: Range, tolerance: float = 0.0) -> Contradiction | None:
    """Compare one row's value with the criterion that every row had to meet."""
    return _against("inclusion", criterion, _finite(value), tolerance, f"{row} has {value:g}")


def share(part: float, whole: float, said: float, tolerance: float) -> Contradiction | None:
    """Compare part / whole [0..1] with the stated share."""
    if not 0 <= _finite(part) <= _positive("whole", whole):
        raise ValueError(f"a part must be 0 to its whole, not {part:g} of {whole:g}")
    computed = part / whole
    return _against("share", said, computed, tolerance, f"{part:g} of {whole:g} are {computed:.4g}")


def dose_basis(
    said_cells: float, said_per_kg: bool, per_kg_by_route: Sequence[float], tolerance: float = 0.0
) -> Contradiction | None:
    """Compare a dose as summed up with the doses per kg of body weight as they were given, one for each route.

    ``said_per_kg`` is whether the summary says "per kg"; ``computed`` is the sum over the routes [cells/kg].
    """
    if not per_kg_by_route:
        raise ValueError("a dose has one route or more")
    _positive("stated dose", said_cells)
    computed = math.fsum(_positive("dose per kg", cells) for cells in per_kg_by_route)
    given = f"{' + '.join(f'{cells:g}' for cells in per_kg_by_route)} = {computed:g} cells per kg were given"
    if not said_per_kg:
        text = f"said {said_cells:g} cells in all, without a body weight, but {given}"
        return Contradiction("dose_basis", said_cells, computed, tolerance, text)
    return _against("dose_basis", said_cells, computed, tolerance, given)


CHECKS: Final[Mapping[str, Callable[..., Contradiction | None]]] = {
    check.__name__: check
    for check in (
        dose_concentration,
        pooled_mean,
        subgroup_size,
        weighted_mean,
        percent_reduction,
        table_median,
        inclusion,
        dose_basis,
        share,
    )
}
"""All checks by name, for statements that are kept as data."""


def _against(check: str, said: float | Range, computed: float, tolerance: float, why: str) -> Contradiction | None:
    if not tolerance >= 0:
        raise ValueError(f"a tolerance must be 0 or more, not {tolerance:g}")
    allowed = said if isinstance(said, Range) else Range(_finite(said), said)
    if allowed.holds(computed, tolerance):
        return None
    stated = f"{said}" if isinstance(said, Range) else f"{said:g}"
    return Contradiction(check, said, computed, tolerance, f"said {stated} (± {tolerance:g}), but {why}")


def _mean(rows: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the weighted mean and the sum of weights."""
    weights = [_positive("weight", weight) for weight, _ in rows]
    if not weights:
        raise ValueError("a mean needs one row or more")
    total = math.fsum(weights)
    return math.fsum(weight * _finite(value) for weight, value in rows) / total, total


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(f"expected a number, not {number}")
    return number


def _positive(name: str, number: float) -> float:
    if not math.isfinite(number) or number <= 0:
        raise ValueError(f"{name} must be a number above zero, not {number}")
    return number
