"""Wells that become confluent: logistic growth, and the error of the image analysis. All constants are ours."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

__all__ = ["WELLS", "Plate"]

WELLS: Final = ("B2", "B3", "B4", "C2", "C3", "C4")
DOUBLING_H: Final = 26.0
SEEDED_PCT: Final = (6.0, 12.0)
FULL_PCT: Final = 98.0
SIGMA_PCT: Final = 0.4


class Plate:
    """Six wells; ``scan`` gives what the imager computes of each [percent]."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._covered_pct = {well: float(rng.uniform(*SEEDED_PCT)) for well in WELLS}

    @property
    def covered_pct(self) -> dict[str, float]:
        """The true confluence of each well [percent]."""
        return dict(self._covered_pct)

    def step(self, dt_h: float) -> None:
        """Let ``dt_h`` hours pass."""
        growth = math.exp(math.log(2.0) / DOUBLING_H * dt_h)
        for well, covered in self._covered_pct.items():
            odds = covered / (FULL_PCT - covered) * growth
            self._covered_pct[well] = FULL_PCT * odds / (1.0 + odds)

    def scan(self) -> dict[str, float]:
        """Image all wells now."""
        return {
            well: min(100.0, max(0.0, covered + SIGMA_PCT * float(self._rng.standard_normal())))
            for well, covered in self._covered_pct.items()
        }
