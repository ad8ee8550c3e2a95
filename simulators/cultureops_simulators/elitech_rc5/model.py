"""The air in a packed shipper: it follows its surroundings slowly. All constants are ours."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel

__all__ = ["PACKED_C", "Shipper"]

PACKED_C: Final = 5.0
OUTSIDE_C: Final = 21.0
TIME_CONSTANT_H: Final = 400.0
SIGMA_C: Final = 0.05


class Shipper:
    """Temperature of the logger; ``panel`` shows ``temperature`` [degC, tenths]. It begins at ``packed_c``."""

    def __init__(self, rng: np.random.Generator, packed_c: float = PACKED_C) -> None:
        self.panel = Panel()
        self.air_c = self._packed_c = packed_c
        self._rng = rng
        self._show(0.0)

    def pack(self) -> None:
        """Pack it anew."""
        self.air_c = self._packed_c

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.air_c += (OUTSIDE_C - self.air_c) * -math.expm1(-dt_s / (TIME_CONSTANT_H * 3600.0))
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        sensed = round(self.air_c + SIGMA_C * float(self._rng.standard_normal()), 1)
        self.panel.show({"temperature": sensed}, dt_s)
