"""The virtual bioreactor's own view of its vessel: probes, gas flows, balance and a turbidity sensor."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import Sensor, SensorSet
from cultureops_simulators.vessel import Vessel

__all__ = ["VALUES", "BioreactorModel"]

SENSORS: Final = {
    "temperature": Sensor(sigma=0.03, correlation_s=600.0, decimals=2),
    "ph": Sensor(sigma=0.008, correlation_s=900.0, decimals=3, low=0.0, high=14.0),
    "dissolved_oxygen": Sensor(sigma=0.4, correlation_s=300.0, decimals=1, low=0.0, high=300.0),
    "agitation": Sensor(sigma=0.3, correlation_s=20.0, decimals=1, low=0.0, high=500.0),
    "volume": Sensor(sigma=0.5, correlation_s=60.0, decimals=1, low=0.0, high=2000.0),
    "optical_density": Sensor(sigma=0.0008, correlation_s=120.0, decimals=4, low=0.0, high=10.0),
}
FLOWS: Final = ("air_flow", "o2_flow", "co2_flow", "n2_flow")
SETPOINTS: Final = ("temperature_setpoint", "ph_setpoint", "dissolved_oxygen_setpoint", "agitation_setpoint")
VALUES: Final = frozenset((*SENSORS, *FLOWS, *SETPOINTS, "map_version"))
MAP_VERSION: Final = 1


class BioreactorModel:
    """Vessel, sensors and panel."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.vessel = Vessel()
        self.panel = Panel()
        self._sensors = SensorSet(SENSORS, rng)
        self._show(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.vessel.step(dt_s)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        vessel, flows = self.vessel, self.vessel.flows
        true = {
            "temperature": vessel.temperature_c,
            "ph": vessel.ph,
            "dissolved_oxygen": vessel.oxygen_pct,
            "agitation": vessel.agitation_rpm,
            "volume": vessel.volume_ml,
            "optical_density": vessel.optical_density,
        }
        shown = self._sensors.read(true, dt_s)
        for name, flow in zip(FLOWS, (flows.air, flows.o2, flows.co2, flows.n2), strict=True):
            shown[name] = round(flow, 2)
        shown["temperature_setpoint"] = vessel.temperature_setpoint_c
        shown["ph_setpoint"] = vessel.ph_setpoint
        shown["dissolved_oxygen_setpoint"] = vessel.oxygen_setpoint_pct
        shown["agitation_setpoint"] = vessel.agitation_setpoint_rpm
        self.panel.show(shown, dt_s)

    def registers(self) -> dict[str, float]:
        """Return all values of the map by name."""
        return {**self.panel.values, "map_version": MAP_VERSION}
