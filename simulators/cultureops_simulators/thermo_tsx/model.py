"""An ultra-low freezer: two-point control, a door that lets room air in, slow warming without power.

First-order, with exact exponential updates. Time constants are this project's own: a closed freezer without power
takes some six hours from -80 to -50 degC, an opened door some ten minutes to be made good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import Sensor, SensorSet, relax

__all__ = ["FITTED", "Cabinet", "FreezerModel"]

ROOM_C: Final = 22.0
COLDEST_C: Final = -95.0
HYSTERESIS_C: Final = 1.0
COOLING_TAU_S: Final = 2400.0
WARMING_TAU_S: Final = 18.0 * 3600.0
OPEN_TAU_S: Final = 1500.0
CONDENSER_OVER_ROOM_C: Final = 14.0
CONDENSER_TAU_S: Final = 240.0
LARGEST_STEP_S: Final = 20.0

FITTED: Final = ("tc2", "tc3", "tc4", "tc8", "tc9", "tc10")
"""The thermocouples that are there; 5 and 7 are absent, as in the manual's examples. Where each hangs is our choice."""

_COLD: Final = ("tc2", "tc3", "tc4")


@dataclass(slots=True)
class Cabinet:
    """True state of one freezer [degC]."""

    setpoint_c: float = -80.0
    warm_alarm_c: float = -70.0
    cold_alarm_c: float = -90.0
    temperature_c: float = -80.0
    condenser_c: float = ROOM_C
    is_cooling: bool = False
    power_ok: bool = True
    door_open_left_s: float = 0.0
    was_cold: bool = True

    @property
    def door_is_open(self) -> bool:
        """Whether the outer door stands open."""
        return self.door_open_left_s > 0.0

    def open_door(self, open_s: float) -> None:
        """Open the door for ``open_s`` seconds from now."""
        self.door_open_left_s = max(self.door_open_left_s, open_s)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass, in parts short beside a cooling cycle."""
        while dt_s > 0.0:
            part_s = min(dt_s, LARGEST_STEP_S)
            self._step(part_s)
            dt_s -= part_s

    def _step(self, dt_s: float) -> None:
        if not self.power_ok or self.temperature_c <= self.setpoint_c - HYSTERESIS_C:
            self.is_cooling = False
        elif self.temperature_c >= self.setpoint_c + HYSTERESIS_C:
            self.is_cooling = True
        if self.door_is_open:
            self.temperature_c = relax(self.temperature_c, ROOM_C, dt_s, OPEN_TAU_S)
        if self.is_cooling:
            self.temperature_c = relax(self.temperature_c, COLDEST_C, dt_s, COOLING_TAU_S)
        else:
            self.temperature_c = relax(self.temperature_c, ROOM_C, dt_s, WARMING_TAU_S)
        hot_c = ROOM_C + (CONDENSER_OVER_ROOM_C if self.is_cooling else 0.0)
        self.condenser_c = relax(self.condenser_c, hot_c, dt_s, CONDENSER_TAU_S)
        self.was_cold = self.was_cold or self.temperature_c <= self.setpoint_c + HYSTERESIS_C
        self.door_open_left_s = max(0.0, self.door_open_left_s - dt_s)


class FreezerModel:
    """Cabinet, thermocouples and panel."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.cabinet = Cabinet(temperature_c=float(rng.uniform(-80.8, -79.2)))
        self.panel = Panel()
        offsets = rng.uniform(-0.6, 0.6, len(FITTED))
        self._sensors = SensorSet(
            {
                name: Sensor(sigma=0.08, correlation_s=300.0, decimals=3, offset=float(offset))
                for name, offset in zip(FITTED, offsets, strict=True)
            },
            rng,
        )
        self._show(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.cabinet.step(dt_s)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        cabinet = self.cabinet
        true = {name: cabinet.temperature_c if name in _COLD else cabinet.condenser_c for name in FITTED}
        shown = self._sensors.read(true, dt_s)
        shown["temperature_setpoint"] = cabinet.setpoint_c
        shown["warm_alarm_setpoint"] = cabinet.warm_alarm_c
        shown["cold_alarm_setpoint"] = cabinet.cold_alarm_c
        self.panel.show(shown, dt_s)
