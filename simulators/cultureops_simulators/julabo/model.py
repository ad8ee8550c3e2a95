"""A thawing bath: water, a controlled heater, and whatever cold is put into it.

A lumped heat balance with our own constants: twelve litres of water, a heater of 2 kW, losses that leave it two kelvin
below its setpoint per hour when it is off. A frozen bag takes some 80 kJ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import Sensor, SensorSet

__all__ = ["BathModel", "WaterBath"]

ROOM_C: Final = 22.0
HEAT_CAPACITY_J_PER_K: Final = 12.0 * 4180.0
HEATER_W: Final = 2000.0
LOSS_W_PER_K: Final = 2.0
GAIN_PER_K: Final = 0.5
INTEGRAL_S: Final = 900.0
THAW_S: Final = 180.0
LARGEST_STEP_S: Final = 5.0


@dataclass(slots=True)
class WaterBath:
    """True state of one bath [degC]; heating from 0 to 1."""

    setpoint_c: float = 37.0
    temperature_c: float = 37.0
    heating: float = 0.015
    integral: float = 0.015
    is_on: bool = True
    power_ok: bool = True
    cold_j: float = 0.0

    def immerse(self, cold_j: float) -> None:
        """Put something cold in: ``cold_j`` joules will be drawn over the next minutes."""
        self.cold_j += cold_j

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass, in parts short beside the control loop."""
        while dt_s > 0.0:
            part_s = min(dt_s, LARGEST_STEP_S)
            self._step(part_s)
            dt_s -= part_s

    def _step(self, dt_s: float) -> None:
        self._control(dt_s)
        drawn_j = self.cold_j * min(1.0, dt_s / THAW_S)
        self.cold_j -= drawn_j
        gain_j = (HEATER_W * self.heating - LOSS_W_PER_K * (self.temperature_c - ROOM_C)) * dt_s - drawn_j
        self.temperature_c += gain_j / HEAT_CAPACITY_J_PER_K

    def _control(self, dt_s: float) -> None:
        if not (self.is_on and self.power_ok):
            self.heating = self.integral = 0.0
            return
        error = self.setpoint_c - self.temperature_c
        wanted = GAIN_PER_K * error + self.integral
        self.heating = min(max(wanted, 0.0), 1.0)
        if self.heating == wanted:  # hold the integral while the heater is at its limit
            self.integral = min(max(self.integral + GAIN_PER_K * error * dt_s / INTEGRAL_S, 0.0), 1.0)


class BathModel:
    """Bath, sensors and panel."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.bath = WaterBath()
        self.panel = Panel()
        self._sensors = SensorSet(
            {
                "temperature": Sensor(sigma=0.01, correlation_s=60.0, decimals=2),
                "safety_temperature": Sensor(
                    sigma=0.03, correlation_s=60.0, decimals=2, offset=float(rng.uniform(0.0, 0.3))
                ),
            },
            rng,
        )
        self._show(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.bath.step(dt_s)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        bath = self.bath
        true = {"temperature": bath.temperature_c, "safety_temperature": bath.temperature_c}
        shown = self._sensors.read(true, dt_s)
        shown["temperature_setpoint"] = bath.setpoint_c
        shown["heating_power"] = float(round(100.0 * bath.heating))
        self.panel.show(shown, dt_s)
