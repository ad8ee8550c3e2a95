"""A Heracell's own view of its chamber: temperature and CO2 sensors, a gas guard with one cylinder."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.chamber import Chamber
from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import Sensor, SensorSet

__all__ = ["HeracellModel"]

SENSORS: Final = {
    "temperature": Sensor(sigma=0.04, correlation_s=600.0, decimals=2),
    "co2": Sensor(sigma=0.05, correlation_s=400.0, decimals=2, low=0.0, high=20.0),
}
SUPPLY_A_ACTIVE: Final = 0x01
SUPPLY_A_PRESSURE_OK: Final = 0x10


class HeracellModel:
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
        true = {"temperature": chamber.temperature_c, "co2": chamber.co2_pct}
        shown = self._sensors.read(true, dt_s)
        shown["temperature_setpoint"] = chamber.temperature_setpoint_c
        shown["co2_setpoint"] = chamber.co2_setpoint_pct
        self.panel.show(shown, dt_s)

    @property
    def gas_guard(self) -> int:
        """Status bits of the gas guard: A active, A's pressure ok."""
        return SUPPLY_A_ACTIVE | (SUPPLY_A_PRESSURE_OK if self.chamber.co2_supply_ok else 0)
