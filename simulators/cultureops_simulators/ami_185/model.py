"""An AMI 186's own view of a nitrogen store: a capacitive level sensor one metre long."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import Sensor, SensorSet
from cultureops_simulators.tank import FILL_STARTS_PCT, FILL_STOPS_PCT, Tank

__all__ = ["BAND_PCT", "LENGTH_CM", "LevelModel"]

LENGTH_CM: Final = 100.0
BAND_PCT: Final = (FILL_STARTS_PCT, FILL_STOPS_PCT)


class LevelModel:
    """Tank, sensor and panel; limits in % of the sensor's length."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.tank = Tank(level_pct=float(rng.uniform(64.0, 78.0)))
        self.panel = Panel()
        self.high_pct = 90.0
        self.low_pct = 50.0
        self._sensors = SensorSet(
            {"level": Sensor(sigma=0.1, correlation_s=60.0, decimals=2, low=0.0, high=100.0)}, rng
        )
        self._show(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.tank.step(dt_s)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        self.panel.show(self._sensors.read({"level": self.tank.level_pct}, dt_s), dt_s)
