"""Doses: cells by body weight, the volume that holds them, and how long they take to run in."""

from __future__ import annotations

import math

__all__ = [
    "cells_for_weight",
    "deviation_pct",
    "endotoxin_eu_per_kg",
    "infusion_min",
    "volume_ml_for_density",
]


def cells_for_weight(cells_per_kg: float, weight_kg: float) -> float:
    """Return the cells of a dose; both arguments > 0, otherwise ValueError."""
    return _positive("cells per kg", cells_per_kg) * _positive("weight", weight_kg)


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


def _positive(name: str, number: float) -> float:
    if not math.isfinite(number) or number <= 0:
        raise ValueError(f"{name} must be a number above zero, not {number}")
    return number
