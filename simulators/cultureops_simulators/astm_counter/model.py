"""Counting a suspension: Poisson of the counted cells, and the hand that pipetted the sample. Constants are ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops_simulators.culture import Suspension

__all__ = ["Count", "count"]

COUNTED_ML: Final = 0.0020
PIPETTING_CV: Final = 0.04


@dataclass(frozen=True, slots=True)
class Count:
    """One analysis: densities [1/mL], viability [%], diameter [um]."""

    total_per_ml: int
    viable_per_ml: int
    viability_pct: float
    diameter_um: float


def count(suspension: Suspension, rng: np.random.Generator) -> Count | None:
    """Count a sample; None when not one cell was seen."""
    pipetted = max(0.0, 1.0 + PIPETTING_CV * float(rng.standard_normal()))
    viable = int(rng.poisson(suspension.viable_cells_per_ml * COUNTED_ML * pipetted))
    dead_per_ml = suspension.total_cells_per_ml - suspension.viable_cells_per_ml
    total = viable + int(rng.poisson(dead_per_ml * COUNTED_ML * pipetted))
    diameter_um = round(float(rng.normal(17.5, 0.3)), 1)
    if total == 0:
        return None
    return Count(
        round(total / COUNTED_ML), round(viable / COUNTED_ML), round(100.0 * viable / total, 2), diameter_um
    )  # fmt: skip
