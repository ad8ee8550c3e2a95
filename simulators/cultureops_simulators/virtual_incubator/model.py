"""The virtual incubator's own view of its chamber: four sensors, and alarms it derives from what they show."""

from __future__ import annotations

from typing import Final

from cultureops_simulators.incubator import ChamberModel
from cultureops_simulators.sensor import Sensor

__all__ = ["VALUES", "IncubatorModel"]

SENSORS: Final = {
    "temperature": Sensor(sigma=0.04, correlation_s=600.0, decimals=2),
    "co2": Sensor(sigma=0.04, correlation_s=400.0, decimals=2, low=0.0, high=20.0),
    "humidity": Sensor(sigma=0.4, correlation_s=900.0, decimals=1, low=0.0, high=100.0),
    "o2": Sensor(sigma=0.03, correlation_s=900.0, decimals=2, low=0.0, high=25.0),
}
SETPOINTS_AND_STATES: Final = (
    "temperature_setpoint",
    "co2_setpoint",
    "door",
    "alarm_bits",
    "map_version",
    "reserved",
)
VALUES: Final = frozenset((*SENSORS, *SETPOINTS_AND_STATES))
MAP_VERSION: Final = 1
TEMPERATURE_BIT, CO2_BIT, DOOR_BIT = 1, 2, 4
ALARM_BAND: Final = 1.0
DOOR_ALARM_S: Final = 300.0


class IncubatorModel(ChamberModel):
    """Chamber, sensors and panel, where the door is shown too."""

    sensors = SENSORS

    def settings(self) -> dict[str, float]:
        """Return what is shown without a sensor, by channel: setpoints and the door."""
        return {**super().settings(), "door": float(self.chamber.door_is_open)}

    def registers(self) -> dict[str, float]:
        """Return all values of the map by name."""
        shown = self.panel.values
        bits = 0
        if abs(shown["temperature"] - shown["temperature_setpoint"]) > ALARM_BAND:
            bits |= TEMPERATURE_BIT
        if abs(shown["co2"] - shown["co2_setpoint"]) > ALARM_BAND:
            bits |= CO2_BIT
        if self.chamber.door_open_since_s > DOOR_ALARM_S:
            bits |= DOOR_BIT
        return {**shown, "alarm_bits": bits, "map_version": MAP_VERSION, "reserved": 0}
