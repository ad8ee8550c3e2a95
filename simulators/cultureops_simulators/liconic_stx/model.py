"""An STX's own view: its air, its plate handler, and the data memory of its controller."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.incubator import ChamberModel
from cultureops_simulators.liconic_stx.handler import Handler
from cultureops_simulators.sensor import Sensor

__all__ = ["StxModel"]

SENSORS: Final = {
    "temperature": Sensor(sigma=0.04, correlation_s=600.0, decimals=1),
    "humidity": Sensor(sigma=0.5, correlation_s=900.0, decimals=1, low=0.0, high=100.0),
    "co2": Sensor(sigma=0.03, correlation_s=400.0, decimals=2, low=0.0, high=20.0),
    "gas_1": Sensor(sigma=0.03, correlation_s=600.0, decimals=2, low=0.0, high=100.0),
}
HUMIDITY_SETPOINT_PCT: Final = 94.0
GAS_1_SETPOINT_PCT: Final = 21.0


class StxModel(ChamberModel):
    """Chamber, sensors, handler and panel; gas port 1 shows O2, and nothing controls it or the humidity here."""

    sensors = SENSORS

    def __init__(self, rng: np.random.Generator, n_cassettes: int, n_levels: int, n_plates: int) -> None:
        super().__init__(rng)
        places = [(cassette, level) for cassette in range(1, n_cassettes + 1) for level in range(1, n_levels + 1)]
        self.handler = Handler(n_cassettes, n_levels, set(places[:n_plates]))
        self.humidity_setpoint_pct = HUMIDITY_SETPOINT_PCT
        self.gas_1_setpoint_pct = GAS_1_SETPOINT_PCT

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        super().step(dt_s)
        self.handler.step(dt_s)

    def air(self) -> dict[str, float]:
        """Return the true values that there may be a sensor for, by channel."""
        return {**super().air(), "gas_1": self.chamber.o2_pct}

    def settings(self) -> dict[str, float]:
        """Return nothing: setpoints are read from the memory, and its panel has no more than the sensors."""
        return {}
