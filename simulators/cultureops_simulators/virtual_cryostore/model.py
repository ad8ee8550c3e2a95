"""The virtual cryostore's own view of its tank: two vapour sensors, a level gauge, mains and a buffer battery."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import Sensor, SensorSet
from cultureops_simulators.tank import Tank

__all__ = ["VALUES", "CryostoreModel"]

SENSORS: Final = {
    "temp_a": Sensor(sigma=0.15, correlation_s=1200.0, decimals=1),
    "temp_b": Sensor(sigma=0.25, correlation_s=1200.0, decimals=1),
    "level": Sensor(sigma=0.15, correlation_s=1800.0, decimals=1, low=0.0, high=100.0),
}
VALUES: Final = frozenset((*SENSORS, "fill", "lid", "mains", "battery", "map_version"))
MAP_VERSION: Final = 1
BATTERY_HOURS: Final = 48.0
CHARGE_HOURS: Final = 12.0


class CryostoreModel:
    """Tank, power, sensors and panel."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.tank = Tank(level_pct=float(rng.uniform(66.0, 78.0)))
        self.panel = Panel()
        self.mains_ok = True
        self.battery_pct = 100.0
        self._sensors = SensorSet(SENSORS, rng)
        self._show(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        change = 100.0 / CHARGE_HOURS if self.mains_ok else -100.0 / BATTERY_HOURS
        self.battery_pct = min(100.0, max(0.0, self.battery_pct + change * dt_s / 3600.0))
        self.tank.power_ok = self.mains_ok or self.battery_pct > 0.0
        self.tank.step(dt_s)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        tank = self.tank
        true = {
            "temp_a": tank.temp_a_c,
            "temp_b": tank.temp_b_c,
            "level": tank.level_pct,
        }
        shown = self._sensors.read(true, dt_s)
        shown["fill"] = float(tank.is_filling)
        shown["lid"] = float(tank.lid_is_open)
        shown["mains"] = float(self.mains_ok)
        shown["battery"] = round(self.battery_pct, 1)
        self.panel.show(shown, dt_s)

    def registers(self) -> dict[str, float]:
        """Return all values of the map by name."""
        return {**self.panel.values, "map_version": MAP_VERSION}
