"""A transmitter in a room, or in a chamber whose air it follows with a lag."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from cultureops_simulators.chamber import AMBIENT_HUMIDITY_PCT, AMBIENT_TEMPERATURE_C, Chamber
from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import Sensor, SensorSet, relax

__all__ = ["AirModel"]

SENSORS: Final = {
    "temperature": Sensor(sigma=0.05, correlation_s=900.0, decimals=1),
    "humidity": Sensor(sigma=0.5, correlation_s=900.0, decimals=1, low=0.0, high=100.0),
}
LAG_S: Final = 120.0
DAY_S: Final = 86_400.0
DAILY_SWING_C: Final = 0.8


class AirModel:
    """The air around the transmitter, its sensors and panel; a room, around ``room_c``, is warmer by day."""

    def __init__(
        self, chamber: Chamber | None, rng: np.random.Generator, room_c: float = AMBIENT_TEMPERATURE_C
    ) -> None:
        self.panel = Panel()
        self._room_c = room_c
        self._chamber = chamber
        self._elapsed_s = 0.0
        self.temperature_c, self.humidity_pct = self._air()
        self._sensors = SensorSet(SENSORS, rng)
        self._show(0.0)

    def _air(self) -> tuple[float, float]:
        if self._chamber is not None:
            return self._chamber.temperature_c, self._chamber.humidity_pct
        swing_c = DAILY_SWING_C * math.sin(2.0 * math.pi * self._elapsed_s / DAY_S)
        return self._room_c + swing_c, AMBIENT_HUMIDITY_PCT

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self._elapsed_s += dt_s
        temperature_c, humidity_pct = self._air()
        self.temperature_c = relax(self.temperature_c, temperature_c, dt_s, LAG_S)
        self.humidity_pct = relax(self.humidity_pct, humidity_pct, dt_s, LAG_S)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        true = {"temperature": self.temperature_c, "humidity": self.humidity_pct}
        self.panel.show(self._sensors.read(true, dt_s), dt_s)

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        return {"temperature_c": self.temperature_c, "humidity_pct": self.humidity_pct}
