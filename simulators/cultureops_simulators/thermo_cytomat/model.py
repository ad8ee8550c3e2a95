"""A Cytomat's own view: its air, its plate handler, and two tower shakers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops_simulators.incubator import ChamberModel
from cultureops_simulators.sensor import Sensor
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


class CytomatModel(ChamberModel):
    """Chamber, sensors, handler, shakers and panel; humidity and O2 are shown, nothing controls them here."""

    sensors = SENSORS

    def __init__(self, rng: np.random.Generator, n_slots: int, n_plates: int) -> None:
        super().__init__(rng)
        self.handler = Handler(n_slots, set(range(1, n_plates + 1)))
        self.shakers = (Shaker(), Shaker())

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        super().step(dt_s)
        self.handler.step(dt_s)

    def settings(self) -> dict[str, float]:
        """Return what is shown without a sensor, by channel: setpoints."""
        return {
            **super().settings(),
            "humidity_setpoint": HUMIDITY_SETPOINT_PCT,
            "o2_setpoint": O2_SETPOINT_PCT,
        }
