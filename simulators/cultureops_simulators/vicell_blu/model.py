"""Counting a suspension by trypan blue images: Poisson of the counted cells, and the hand that pipetted the sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops_simulators.culture import Suspension

__all__ = ["Count", "count"]

COUNTED_ML: Final = 0.0028
"""Volume seen in 100 images [mL]; the analyser's published exports show about 2,800 cells for 1e6 cells/mL."""
IMAGES: Final = 100
PIPETTING_CV: Final = 0.04


@dataclass(frozen=True, slots=True)
class Count:
    """One analysis, dilution 1."""

    cells: int
    viable_cells: int
    diameter_um: float
    viable_diameter_um: float
    circularity: float
    background: int

    @property
    def total_per_ml(self) -> float:
        """Cell density [1/mL]."""
        return self.cells / COUNTED_ML

    @property
    def viable_per_ml(self) -> float:
        """Viable cell density [1/mL]."""
        return self.viable_cells / COUNTED_ML


def count(suspension: Suspension, rng: np.random.Generator) -> Count:
    """Count a sample of the suspension."""
    pipetted = max(0.0, 1.0 + PIPETTING_CV * float(rng.standard_normal()))
    viable = int(rng.poisson(suspension.viable_cells_per_ml * COUNTED_ML * pipetted))
    dead_per_ml = suspension.total_cells_per_ml - suspension.viable_cells_per_ml
    dead = int(rng.poisson(dead_per_ml * COUNTED_ML * pipetted))
    diameter_um = float(rng.normal(18.2, 0.3))
    return Count(
        cells=viable + dead,
        viable_cells=viable,
        diameter_um=diameter_um,
        viable_diameter_um=diameter_um + 0.15,
        circularity=float(rng.normal(0.90, 0.01)),
        background=int(rng.integers(132, 137)),
    )
