"""A Cytomat's own view: its air, its plate handler, and two tower shakers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops_simulators.chamber import Chamber
from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import Sensor, SensorSet
from cultureops_simulators.thermo_cytomat.handler import Handler

__all__ = ["CytomatModel", "Shaker"]

SENSORS: Final = {
    "temperature": Sensor(sigma=0.04, correlation_s=600.0, decimals=1),
    "co2": Sensor(sigma=0.05, correlation_s=400.0, decimals=1, low=0.0, high=20.0),
    "humidity": Sensor(sigma=0.5, correlation_s=900.0, decimals=1, low=0.0, high=99.9),
    "o2": Sensor(sigma=0.05, correlation_s=600.0, decimals=1, low=0.0, high=25.0),
}
HUMIDITY_SETPOINT_PCT: Final = 95.0
O2_SETPOINT_PCT: Final = 20.9


@dataclass(slots=True)
class Shaker:
    """One tower shaker: ``frequency`` as it was set, four digits."""

    frequency: int = 0
    is_initialised: bool = False
    is_on: bool = False


class CytomatModel:
    """Chamber, sensors, handler, shakers and panel; humidity and O2 are shown, nothing controls them here."""

    def __init__(self, rng: np.random.Generator, n_slots: int, n_plates: int) -> None:
        self.chamber = Chamber()
        self.handler = Handler(n_slots, set(range(1, n_plates + 1)))
        self.shakers = (Shaker(), Shaker())
        self.panel = Panel()
        self._sensors = SensorSet(SENSORS, rng)
        self._show(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.chamber.step(dt_s)
        self.handler.step(dt_s)
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
        shown["humidity_setpoint"] = HUMIDITY_SETPOINT_PCT
        shown["o2_setpoint"] = O2_SETPOINT_PCT
        self.panel.show(shown, dt_s)
