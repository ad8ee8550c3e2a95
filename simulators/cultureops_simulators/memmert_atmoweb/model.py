"""A Memmert chamber's own view of its air, with the sensors that it was ordered with."""

from __future__ import annotations

from typing import Final

from cultureops_simulators.chamber import CLOSED_HUMIDITY_PCT
from cultureops_simulators.incubator import ChamberModel
from cultureops_simulators.sensor import Sensor

__all__ = ["AtmowebModel"]

SENSORS: Final = {
    "temperature": Sensor(sigma=0.04, correlation_s=600.0, decimals=2),
    "co2": Sensor(sigma=0.05, correlation_s=400.0, decimals=2, low=0.0, high=20.0),
    "humidity": Sensor(sigma=0.4, correlation_s=900.0, decimals=1, low=0.0, high=98.0),
    "o2": Sensor(sigma=0.03, correlation_s=900.0, decimals=2, low=0.0, high=25.0),
}
FAN_PCT: Final = 50.0


class AtmowebModel(ChamberModel):
    """Chamber, sensors and panel, where a fan and the door are shown too."""

    sensors = SENSORS

    def settings(self) -> dict[str, float]:
        """Return what is shown without a sensor, by channel: setpoints and states."""
        return {
            **super().settings(),
            "humidity_setpoint": CLOSED_HUMIDITY_PCT,
            "fan": FAN_PCT,
            "door": float(self.chamber.door_is_open),
        }
