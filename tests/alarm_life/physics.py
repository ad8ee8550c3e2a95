"""What goes on inside the chambers: the simulators' physics, with what can fail beside a gas supply and a mains plug.

Time constants that the simulators lack are this project's own [OWN]; none is a vendor's figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

from cultureops_simulators.chamber import (
    AMBIENT_CO2_PCT,
    AMBIENT_TEMPERATURE_C,
    GASSING_TAU_S,
    HEATING_TAU_S,
    MOISTENING_TAU_S,
    Chamber,
)
from cultureops_simulators.chamber import LEAK_TAU_S as CO2_LEAK_TAU_S
from cultureops_simulators.sensor import relax
from cultureops_simulators.tank import Tank

__all__ = ["Cold", "Cryostore", "Incubator", "Model"]

WALL_TAU_S: Final = 5400.0
"""How fast an incubator without heat goes to the room's temperature: 37 to 36 degC in 6 minutes."""
WEAK_HEATER_C: Final = 2.5
WEAK_HEATER_TAU_S: Final = 7200.0
RUNAWAY_C: Final = 60.0
RUNAWAY_TAU_S: Final = 14_000.0
STUCK_VALVE_CO2_PCT: Final = 20.0
STUCK_VALVE_TAU_S: Final = 1800.0
DRY_HUMIDITY_PCT: Final = 55.0
DRY_TAU_S: Final = 3 * 3600.0
DECONTAMINATION_C: Final = 90.0
DECONTAMINATION_TAU_S: Final = 1500.0
LARGEST_STEP_S: Final = 60.0


class Model(Protocol):
    """A chamber that lives: time passes, people and faults act on it, and it can be looked into."""

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        ...

    def act(self, verb: str, argument: float) -> None:
        """Let a person or a fault do something to it."""
        ...

    def truth(self) -> tuple[float, ...]:
        """Return the true values, in the order of its kind's quantities."""
        ...


@dataclass(slots=True)
class Incubator(Chamber):
    """An incubator whose heater, gas valve and water pan can fail; quantities as ``truth`` lists them."""

    heater: str = "ok"
    valve_is_stuck: bool = False
    pan_is_dry: bool = False
    powered: bool = True

    def act(self, verb: str, argument: float) -> None:
        """Do one of: door (seconds), temperature_setpoint, co2_setpoint, heater_*, co2_*, pan_dry, power, load."""
        match verb:
            case "door":
                self.open_door(argument)
            case "temperature_setpoint":
                self.temperature_setpoint_c = argument
            case "co2_setpoint":
                self.co2_setpoint_pct = argument
            case "co2_supply":
                self.co2_supply_ok = bool(argument)
            case "co2_valve_stuck":
                self.valve_is_stuck = bool(argument)
            case "pan_dry":
                self.pan_is_dry = bool(argument)
            case "power":
                self.powered = bool(argument)
            case "load":  # cold vessels took heat from the chamber
                self.temperature_c -= argument
            case _:
                self.heater = verb.removeprefix("heater_") if argument else "ok"

    def truth(self) -> tuple[float, ...]:
        """Return temperature, CO2, humidity, both setpoints and the door."""
        return (
            self.temperature_c, self.co2_pct, self.humidity_pct, self.temperature_setpoint_c, self.co2_setpoint_pct,
            1.0 if self.door_open_left_s > 0.0 else 0.0,
        )  # fmt: skip

    def _control(self, dt_s: float) -> None:
        self.temperature_c = self._heated(dt_s)
        self.humidity_pct = (
            relax(self.humidity_pct, DRY_HUMIDITY_PCT, dt_s, DRY_TAU_S)
            if self.pan_is_dry
            else relax(self.humidity_pct, self.humidity_setpoint_pct, dt_s, MOISTENING_TAU_S)
        )
        self.co2_pct = self._gassed(dt_s)

    def _heated(self, dt_s: float) -> float:
        now, setpoint = self.temperature_c, self.temperature_setpoint_c
        if self.heater == "runaway":
            return relax(now, RUNAWAY_C, dt_s, RUNAWAY_TAU_S)
        if self.heater == "decontamination":
            return relax(now, DECONTAMINATION_C, dt_s, DECONTAMINATION_TAU_S)
        if self.heater == "failed" or not self.powered:
            return relax(now, AMBIENT_TEMPERATURE_C, dt_s, WALL_TAU_S)
        if self.heater == "weak":
            return relax(now, setpoint - WEAK_HEATER_C, dt_s, WEAK_HEATER_TAU_S)
        if now > setpoint:  # nothing cools it but the room
            return max(setpoint, relax(now, AMBIENT_TEMPERATURE_C, dt_s, WALL_TAU_S))
        return relax(now, setpoint, dt_s, HEATING_TAU_S)

    def _gassed(self, dt_s: float) -> float:
        now, setpoint = self.co2_pct, self.co2_setpoint_pct
        if self.valve_is_stuck:
            return relax(now, STUCK_VALVE_CO2_PCT, dt_s, STUCK_VALVE_TAU_S)
        leaked = relax(now, AMBIENT_CO2_PCT, dt_s, CO2_LEAK_TAU_S)
        if not self.co2_supply_ok or not self.powered:
            return leaked
        return max(setpoint, leaked) if now > setpoint else relax(now, setpoint, dt_s, GASSING_TAU_S)


@dataclass(slots=True)
class Cryostore(Tank):
    """A nitrogen store that can leak and whose supply can fail."""

    leak_pct_per_h: float = 0.0

    def act(self, verb: str, argument: float) -> None:
        """Do one of: lid (seconds), fill, supply, leak (% per hour), power."""
        match verb:
            case "lid":
                self.open_lid(argument)
            case "fill":
                self.fill_time_alarm = False
                self.start_fill()
            case "supply":
                self.supply_ok = bool(argument)
            case "leak":
                self.leak_pct_per_h = argument
            case "power":
                pass  # the battery carries it
            case _:
                raise ValueError(verb)

    def truth(self) -> tuple[float, ...]:
        """Return both temperatures, level, fill and lid."""
        return self.temp_a_c, self.temp_b_c, self.level_pct, float(self.is_filling), float(self.lid_is_open)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.level_pct = max(0.0, self.level_pct - self.leak_pct_per_h * dt_s / 3600.0)
        Tank.step(self, dt_s)


@dataclass(slots=True)
class Cold:
    """A refrigerator or freezer: a compressor between two temperatures, a door, a probe that lags behind the air."""

    starts_c: float
    stops_c: float
    cooling_c_per_min: float
    warming_c_per_min: float
    insulation_tau_s: float
    open_tau_s: float = 1500.0
    probe_tau_s: float = 600.0
    air_c: float = math.nan
    probe_c: float = math.nan
    is_cooling: bool = False
    compressor_ok: bool = True
    powered: bool = True
    door_open_left_s: float = 0.0

    def __post_init__(self) -> None:
        """Stand in the middle."""
        self.air_c = self.probe_c = (self.starts_c + self.stops_c) / 2

    def act(self, verb: str, argument: float) -> None:
        """Do one of: door (seconds), compressor, power."""
        match verb:
            case "door":
                self.door_open_left_s = max(self.door_open_left_s, argument)
            case "compressor":
                self.compressor_ok = bool(argument)
            case "power":
                self.powered = bool(argument)
            case _:
                raise ValueError(verb)

    def truth(self) -> tuple[float, ...]:
        """Return what the probe feels, and the door."""
        return self.probe_c, 1.0 if self.door_open_left_s > 0.0 else 0.0

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        while dt_s > 0.0:
            part_s = min(dt_s, LARGEST_STEP_S, self.door_open_left_s or LARGEST_STEP_S)
            self._step(part_s)
            dt_s -= part_s

    def _step(self, dt_s: float) -> None:
        if self.door_open_left_s > 0.0:
            self.air_c = relax(self.air_c, AMBIENT_TEMPERATURE_C, dt_s, self.open_tau_s)
            self.door_open_left_s = max(0.0, self.door_open_left_s - dt_s)
        elif self.compressor_ok and self.powered:
            self.is_cooling = self.air_c > self.stops_c if self.is_cooling else self.air_c >= self.starts_c
            rate = -self.cooling_c_per_min if self.is_cooling else self.warming_c_per_min
            self.air_c += rate * dt_s / 60.0
        else:
            self.air_c = relax(self.air_c, AMBIENT_TEMPERATURE_C, dt_s, self.insulation_tau_s)
        self.probe_c = relax(self.probe_c, self.air_c, dt_s, self.probe_tau_s)
