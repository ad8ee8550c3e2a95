"""Doses: cells by body weight, the volume that holds them, and how long they take to run in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

__all__ = [
    "cells_for_weight",
    "cells_per_kg",
    "concentration_1e6_per_ml",
    "deviation_pct",
    "endotoxin_eu_per_kg",
    "infusion_min",
    "reconciles",
    "reconciliation_difference",
    "shares",
    "split",
    "volume_ml_for_density",
]

ROUNDING: Final = 1e-9
"""Relative error that sums of floating-point numbers may carry."""


def cells_for_weight(cells_per_kg: float, weight_kg: float) -> float:
    """Return the cells of a dose; both arguments > 0, otherwise ValueError."""
    return _positive("cells per kg", cells_per_kg) * _positive("weight", weight_kg)


def cells_per_kg(cells: float, weight_kg: float) -> float:
    """Return the cells that a dose brings per kg of body weight; ``cells`` >= 0, weight > 0, otherwise ValueError."""
    return _from_zero("cells", cells) / _positive("weight", weight_kg)


def concentration_1e6_per_ml(cells: float, volume_ml: float) -> float:
    """Return the density of a dose [10^6 cells/mL]; ``cells`` >= 0, volume > 0, otherwise ValueError."""
    return _from_zero("cells", cells) / (_positive("volume", volume_ml) * 1e6)


def split(cells: float, fractions: Sequence[float]) -> tuple[float, ...]:
    """Return the cells of each part, in the order of ``fractions``; the parts add up to ``cells``.

    ``cells`` > 0; fractions > 0 whose sum is 1. Raises ValueError outside of that, as a split that leaves cells
    over or gives more than there are is no split.
    """
    _positive("cells", cells)
    if not fractions or not math.isclose(math.fsum(_positive("fraction", f) for f in fractions), 1.0, rel_tol=ROUNDING):
        raise ValueError(f"fractions of a split must add up to 1, not {list(fractions)}")
    return tuple(cells * fraction for fraction in fractions)


def shares(doses: Sequence[float]) -> tuple[float, ...]:
    """Return each dose's share of all cells given [0..1]; doses >= 0 with a sum above zero, otherwise ValueError."""
    total = _positive("sum of the doses", math.fsum(_from_zero("dose", dose) for dose in doses))
    return tuple(dose / total for dose in doses)


def reconciliation_difference(doses: Sequence[float], retained: float, counted: float) -> float:
    """Return (doses + retained - counted) / counted, signed: above zero, more was given out than there was.

    All in cells: doses and ``retained`` >= 0, ``counted`` > 0, otherwise ValueError.
    """
    given = math.fsum(_from_zero("dose", dose) for dose in doses) + _from_zero("retained", retained)
    return (given - _positive("counted", counted)) / counted


def reconciles(doses: Sequence[float], retained: float, counted: float, tolerance: float) -> bool:
    """Return whether doses + retained equal the count within a relative tolerance, e.g. 0.10; both ends belong to it.

    ``tolerance`` >= 0, the others as for ``reconciliation_difference``; otherwise ValueError.
    """
    allowed = _from_zero("tolerance", tolerance)
    return abs(reconciliation_difference(doses, retained, counted)) <= allowed + ROUNDING


def volume_ml_for_density(cells: float, density_1e6_per_ml: float) -> float:
    """Return the volume [mL] that holds ``cells`` at a density [10^6/mL]; both > 0, otherwise ValueError."""
    return _positive("cells", cells) / (_positive("density", density_1e6_per_ml) * 1e6)


def infusion_min(volume_ml: float, rate_ml_per_h: float) -> float:
    """Return how long a volume runs at a rate [min]; both > 0, otherwise ValueError."""
    return 60.0 * _positive("volume", volume_ml) / _positive("rate", rate_ml_per_h)


def deviation_pct(value: float, target: float) -> float:
    """Return by how much a value is off its target [%, signed]; ``target`` > 0, otherwise ValueError."""
    if not math.isfinite(value):
        raise ValueError(f"value must be a finite number, not {value}")
    return 100.0 * (value - _positive("target", target)) / target


def endotoxin_eu_per_kg(eu_per_ml: float, volume_ml: float, weight_kg: float) -> float:
    """Return the endotoxin that a dose brings with it [EU/kg].

    Compare with K of the limit K/M per kg of body weight and hour: USP <85>, where M is the largest dose
    given within one hour. Raises ValueError unless ``eu_per_ml`` >= 0, volume and weight > 0.
    """
    if not math.isfinite(eu_per_ml) or eu_per_ml < 0:
        raise ValueError(f"endotoxin must be a number >= 0, not {eu_per_ml} EU/mL")
    return eu_per_ml * _positive("volume", volume_ml) / _positive("weight", weight_kg)


def _from_zero(name: str, number: float) -> float:
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{name} must be a number from zero up, not {number}")
    return number


def _positive(name: str, number: float) -> float:
    if not math.isfinite(number) or number <= 0:
        raise ValueError(f"{name} must be a number above zero, not {number}")
    return number
