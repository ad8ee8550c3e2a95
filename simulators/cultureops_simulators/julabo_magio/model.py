"""A circulating bath that heats to 37 degC and keeps it; an external vessel follows."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.chamber import AMBIENT_TEMPERATURE_C
from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import Sensor, SensorSet, relax

__all__ = ["BathModel"]

SENSORS: Final = {
    "temperature": Sensor(sigma=0.01, correlation_s=60.0, decimals=2),
    "external_temperature": Sensor(sigma=0.02, correlation_s=120.0, decimals=2),
    "safety_temperature": Sensor(sigma=0.1, correlation_s=120.0, decimals=1),
}
SETPOINT_C: Final = 37.0
HEATING_TAU_S: Final = 240.0
EXTERNAL_TAU_S: Final = 600.0
PERCENT_PER_KELVIN: Final = 20.0
HOLDING_PERCENT_PER_KELVIN: Final = 0.4


class BathModel:
    """Bath, heater, sensors and panel; it starts at room temperature, running."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.panel = Panel()
        self.temperature_c = self.external_c = AMBIENT_TEMPERATURE_C
        self._sensors = SensorSet(SENSORS, rng)
        self._show(0.0)

    @property
    def heating_power_pct(self) -> float:
        """What the heater gives [%]: in proportion to what is missing, and what is lost to the room."""
        lost = HOLDING_PERCENT_PER_KELVIN * (self.temperature_c - AMBIENT_TEMPERATURE_C)
        return min(100.0, max(0.0, PERCENT_PER_KELVIN * (SETPOINT_C - self.temperature_c) + lost))

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.temperature_c = relax(self.temperature_c, SETPOINT_C, dt_s, HEATING_TAU_S)
        self.external_c = relax(self.external_c, self.temperature_c, dt_s, EXTERNAL_TAU_S)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        true = {
            "temperature": self.temperature_c,
            "external_temperature": self.external_c,
            "safety_temperature": self.temperature_c,
        }
        shown = self._sensors.read(true, dt_s)
        shown["temperature_setpoint"] = SETPOINT_C
        shown["heating_power"] = round(self.heating_power_pct)
        shown["running"] = 1.0
        self.panel.show(shown, dt_s)

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        return {"temperature_c": self.temperature_c, "external_c": self.external_c}
