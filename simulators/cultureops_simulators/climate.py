"""An incubation or test chamber without CO2: temperature and, where fitted, humidity under control, and a door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cultureops_simulators.chamber import AMBIENT_CO2_PCT, Chamber
from cultureops_simulators.incubator import ChamberModel
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.sensor import Sensor

__all__ = ["ClimateModel", "SetpointRange", "climate_chamber"]

SENSORS: Final = {
    "temperature": Sensor(sigma=0.04, correlation_s=600.0, decimals=2),
    "humidity": Sensor(sigma=0.4, correlation_s=900.0, decimals=1, low=0.0, high=100.0),
}
SetpointRange = tuple[float, float]
TEMPERATURE_SETPOINTS_C: Final[SetpointRange] = (-40.0, 180.0)
HUMIDITY_SETPOINTS_PCT: Final[SetpointRange] = (10.0, 98.0)


class ClimateModel(ChamberModel):
    """Chamber, sensors and panel: temperature, humidity, both setpoints and the door."""

    sensors = SENSORS

    def __init__(self, chamber: Chamber, rng: np.random.Generator) -> None:
        super().__init__(rng, chamber)

    def settings(self) -> dict[str, float]:
        """Return what is shown without a sensor, by channel: setpoints and the door."""
        chamber = self.chamber
        return {
            "temperature_setpoint": chamber.temperature_setpoint_c,
            "humidity_setpoint": chamber.humidity_setpoint_pct,
            "door": float(chamber.door_is_open),
        }

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        chamber = self.chamber
        return {
            "temperature_c": chamber.temperature_c,
            "humidity_pct": chamber.humidity_pct,
            "door_open": chamber.door_is_open,
        }


def climate_chamber(name: str, options: Options) -> Chamber:
    """Return a settled chamber; options ``temperature_c`` (37) and ``humidity_pct`` (60). Raises SimulatorError."""
    temperature_c = _number(name, options, "temperature_c", 37.0, TEMPERATURE_SETPOINTS_C)
    humidity_pct = _number(name, options, "humidity_pct", 60.0, HUMIDITY_SETPOINTS_PCT)
    return Chamber(
        temperature_setpoint_c=temperature_c,
        co2_setpoint_pct=AMBIENT_CO2_PCT,
        humidity_setpoint_pct=humidity_pct,
        temperature_c=temperature_c,
        co2_pct=AMBIENT_CO2_PCT,
        humidity_pct=humidity_pct,
    )


def _number(name: str, options: Mapping[str, object], key: str, default: float, bounds: SetpointRange) -> float:
    given = options.get(key, default)
    try:
        value = float(str(given))
    except ValueError:
        raise SimulatorError(f"{name}: option {key} must be a number, got {given!r}") from None
    if not bounds[0] <= value <= bounds[1]:
        raise SimulatorError(f"{name}: option {key} must lie from {bounds[0]:g} to {bounds[1]:g}, got {value:g}")
    return value
