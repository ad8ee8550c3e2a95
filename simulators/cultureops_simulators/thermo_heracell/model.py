"""A Heracell's own view of its chamber: temperature and CO2 sensors, a gas guard with one cylinder."""

from __future__ import annotations

from typing import Final

from cultureops_simulators.incubator import ChamberModel
from cultureops_simulators.sensor import Sensor

__all__ = ["HeracellModel"]

SENSORS: Final = {
    "temperature": Sensor(sigma=0.04, correlation_s=600.0, decimals=2),
    "co2": Sensor(sigma=0.05, correlation_s=400.0, decimals=2, low=0.0, high=20.0),
}
SUPPLY_A_ACTIVE: Final = 0x01
SUPPLY_A_PRESSURE_OK: Final = 0x10


class HeracellModel(ChamberModel):
    """Chamber, sensors and panel."""

    sensors = SENSORS

    @property
    def gas_guard(self) -> int:
        """Status bits of the gas guard: A active, A's pressure ok."""
        return SUPPLY_A_ACTIVE | (SUPPLY_A_PRESSURE_OK if self.chamber.co2_supply_ok else 0)
