"""The air inside a CO2 incubator: heating and gas control, an opened door, a failed gas supply.

First-order loops with exact exponential updates. The time constants are this project's own, chosen so that an
incubator recovers within 10 to 20 minutes from a door opened for a minute; no vendor's figures are behind them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from cultureops_simulators.sensor import relax

__all__ = ["AMBIENT_CO2_PCT", "AMBIENT_TEMPERATURE_C", "Chamber"]

AMBIENT_TEMPERATURE_C: Final = 22.0
AMBIENT_CO2_PCT: Final = 0.04
AMBIENT_HUMIDITY_PCT: Final = 35.0
CLOSED_HUMIDITY_PCT: Final = 94.0
DRY_AIR_O2_PCT: Final = 20.95
STANDARD_PRESSURE_HPA: Final = 1013.25

HEATING_TAU_S: Final = 300.0
GASSING_TAU_S: Final = 220.0
MOISTENING_TAU_S: Final = 400.0
OPEN_COOLING_TAU_S: Final = 360.0
OPEN_CO2_TAU_S: Final = 50.0
OPEN_DRYING_TAU_S: Final = 90.0
LEAK_TAU_S: Final = 5400.0


@dataclass(slots=True)
class Chamber:
    """True state of one chamber; setpoints in degC and volume %."""

    temperature_setpoint_c: float = 37.0
    co2_setpoint_pct: float = 5.0
    humidity_setpoint_pct: float = CLOSED_HUMIDITY_PCT
    temperature_c: float = 37.0
    co2_pct: float = 5.0
    humidity_pct: float = CLOSED_HUMIDITY_PCT
    co2_supply_ok: bool = True
    door_open_left_s: float = 0.0
    door_open_since_s: float = 0.0

    @property
    def door_is_open(self) -> bool:
        """Whether the door stands open."""
        return self.door_open_left_s > 0.0

    @property
    def o2_pct(self) -> float:
        """O2 [volume %] of air thinned by CO2 and water vapour (saturation pressure: Magnus formula over water)."""
        saturation_hpa = 6.112 * math.exp(17.62 * self.temperature_c / (243.12 + self.temperature_c))
        vapour = self.humidity_pct / 100.0 * saturation_hpa / STANDARD_PRESSURE_HPA
        return DRY_AIR_O2_PCT * (1.0 - self.co2_pct / 100.0 - vapour)

    def open_door(self, open_s: float) -> None:
        """Open the door for ``open_s`` seconds from now."""
        self.door_open_left_s = max(self.door_open_left_s, open_s)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass; a door that shuts in between splits the step."""
        open_s = min(dt_s, self.door_open_left_s)
        if open_s > 0.0:
            self._exchange(open_s)
            self.door_open_left_s -= open_s
            self.door_open_since_s = self.door_open_since_s + open_s if self.door_is_open else 0.0
        if dt_s > open_s:
            self._control(dt_s - open_s)

    def _exchange(self, dt_s: float) -> None:
        self.temperature_c = relax(self.temperature_c, AMBIENT_TEMPERATURE_C, dt_s, OPEN_COOLING_TAU_S)
        self.co2_pct = relax(self.co2_pct, AMBIENT_CO2_PCT, dt_s, OPEN_CO2_TAU_S)
        self.humidity_pct = relax(self.humidity_pct, AMBIENT_HUMIDITY_PCT, dt_s, OPEN_DRYING_TAU_S)

    def _control(self, dt_s: float) -> None:
        self.temperature_c = relax(self.temperature_c, self.temperature_setpoint_c, dt_s, HEATING_TAU_S)
        self.humidity_pct = relax(self.humidity_pct, self.humidity_setpoint_pct, dt_s, MOISTENING_TAU_S)
        if self.co2_supply_ok:
            self.co2_pct = relax(self.co2_pct, self.co2_setpoint_pct, dt_s, GASSING_TAU_S)
        else:
            self.co2_pct = relax(self.co2_pct, AMBIENT_CO2_PCT, dt_s, LEAK_TAU_S)
