"""A vial in a Pioreactor: heated, stirred, turbid with what grows in it.

First-order heating and stirring, logistic growth. All constants are this project's own; no vendor's are behind them.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import Sensor, SensorSet, relax

__all__ = ["VialModel"]

SETPOINT_C: Final = 37.0
HEATING_TAU_S: Final = 600.0
STIRRING_RPM: Final = 500.0
GROWTH_PER_H: Final = 0.025
FIRST_OD: Final = 0.05
FULL_OD: Final = 1.2
VOLUME_ML: Final = 14.0

SENSORS: Final = {
    "temperature": Sensor(sigma=0.05, correlation_s=300.0, decimals=2),
    "agitation": Sensor(sigma=2.0, correlation_s=30.0, decimals=1, low=0.0),
    "optical_density": Sensor(sigma=0.002, correlation_s=60.0, decimals=4, low=0.0),
    "growth_rate": Sensor(sigma=0.0005, correlation_s=1800.0, decimals=4),
}


class VialModel:
    """What is in the vial, and what is seen of it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.temperature_c = SETPOINT_C
        self.optical_density = FIRST_OD
        self.volume_ml = VOLUME_ML
        self.panel = Panel()
        self._sensors = SensorSet(SENSORS, rng)
        self._show(0.0)

    @property
    def growth_per_h(self) -> float:
        """Specific growth rate: less, the fuller the vial is."""
        return GROWTH_PER_H * (1.0 - self.optical_density / FULL_OD)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass; the logistic step is exact."""
        self.temperature_c = relax(self.temperature_c, SETPOINT_C, dt_s, HEATING_TAU_S)
        room = FULL_OD / self.optical_density - 1.0
        self.optical_density = FULL_OD / (1.0 + room * math.exp(-GROWTH_PER_H * dt_s / 3600.0))
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        true = {
            "temperature": self.temperature_c,
            "agitation": STIRRING_RPM,
            "optical_density": self.optical_density,
            "growth_rate": self.growth_per_h,
        }
        shown = self._sensors.read(true, dt_s)
        shown["volume"] = self.volume_ml
        self.panel.show(shown, dt_s)
