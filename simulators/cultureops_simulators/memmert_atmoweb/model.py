"""A Memmert chamber's own view of its air, with the sensors that it was ordered with."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.chamber import CLOSED_HUMIDITY_PCT, Chamber
from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import Sensor, SensorSet

__all__ = ["AtmowebModel"]

SENSORS: Final = {
    "temperature": Sensor(sigma=0.04, correlation_s=600.0, decimals=2),
    "co2": Sensor(sigma=0.05, correlation_s=400.0, decimals=2, low=0.0, high=20.0),
    "humidity": Sensor(sigma=0.4, correlation_s=900.0, decimals=1, low=0.0, high=98.0),
    "o2": Sensor(sigma=0.03, correlation_s=900.0, decimals=2, low=0.0, high=25.0),
}
FAN_PCT: Final = 50.0


class AtmowebModel:
    """Chamber, sensors and panel."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.chamber = Chamber()
        self.panel = Panel()
        self._sensors = SensorSet(SENSORS, rng)
        self._show(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.chamber.step(dt_s)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        chamber = self.chamber
        true = {
            "temperature": chamber.temperature_c,
            "co2": chamber.co2_pct,
            "humidity": chamber.humidity_pct,
            "o2": chamber.o2_pct,
        }
        shown = self._sensors.read(true, dt_s)
        shown["temperature_setpoint"] = chamber.temperature_setpoint_c
        shown["co2_setpoint"] = chamber.co2_setpoint_pct
        shown["humidity_setpoint"] = CLOSED_HUMIDITY_PCT
        shown["fan"] = FAN_PCT
        shown["door"] = float(chamber.door_is_open)
        self.panel.show(shown, dt_s)
