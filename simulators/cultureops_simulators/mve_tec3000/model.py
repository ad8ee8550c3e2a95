"""An MVE TEC 3000 controller's own view of its store: temperature sensor A, fills and their alarm."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import Sensor, SensorSet
from cultureops_simulators.tank import Tank

__all__ = ["ControllerModel"]

SENSOR_SPREAD_C: Final = 0.8


class ControllerModel:
    """Tank, sensor and panel."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.tank = Tank(level_pct=float(rng.uniform(66.0, 78.0)))
        self.panel = Panel()
        self.audible_alarm = True
        offset = float(rng.uniform(-SENSOR_SPREAD_C, SENSOR_SPREAD_C))
        sensor = Sensor(sigma=0.15, correlation_s=1200.0, decimals=2, offset=offset)
        self._sensors = SensorSet({"temp_a": sensor}, rng)
        self._show(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.tank.step(dt_s)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        tank = self.tank
        shown = self._sensors.read({"temp_a": tank.temp_a_c}, dt_s)
        shown["fill"] = float(tank.is_filling)
        shown["bypass"] = float(tank.is_bypassing)
        shown["fill_alarm"] = float(tank.fill_time_alarm)
        shown["fill_time"] = float(round(tank.fill_s))
        self.panel.show(shown, dt_s)
