"""What all CO2 incubators share: a chamber with sensors and a panel, and a gas supply that can fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, TypeVar

import numpy as np

from cultureops_simulators.chamber import Chamber
from cultureops_simulators.device import Device
from cultureops_simulators.faults import Panel
from cultureops_simulators.instrument import SimulatorError
from cultureops_simulators.sensor import Sensor, SensorSet

__all__ = ["ChamberModel", "Incubator"]


class ChamberModel:
    """A chamber, settled where none is given, with ``sensors`` by channel, and the panel that shows them."""

    sensors: ClassVar[Mapping[str, Sensor]]

    def __init__(self, rng: np.random.Generator, chamber: Chamber | None = None) -> None:
        self.chamber = Chamber() if chamber is None else chamber
        self.panel = Panel()
        self._sensors = SensorSet(self.sensors, rng)
        self._show(0.0)

    def air(self) -> dict[str, float]:
        """Return the true values that there may be a sensor for, by channel."""
        chamber = self.chamber
        return {
            "temperature": chamber.temperature_c,
            "co2": chamber.co2_pct,
            "humidity": chamber.humidity_pct,
            "o2": chamber.o2_pct,
        }

    def settings(self) -> dict[str, float]:
        """Return what is shown without a sensor, by channel: setpoints and states."""
        return {
            "temperature_setpoint": self.chamber.temperature_setpoint_c,
            "co2_setpoint": self.chamber.co2_setpoint_pct,
        }

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.chamber.step(dt_s)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        self.panel.show({**self._sensors.read(self.air(), dt_s), **self.settings()}, dt_s)


M = TypeVar("M", bound=ChamberModel)


class Incubator(Device[M]):
    """A CO2 incubator but for its wire language."""

    @property
    def chamber(self) -> Chamber:
        """The chamber that vessels stand in."""
        return self._model.chamber

    def upset(self, condition: str, present: bool) -> None:
        """Fail or restore the gas supply (``co2_supply``)."""
        if condition != "co2_supply":
            raise SimulatorError(f"{self.name}: an incubator can only lose its co2_supply, not {condition!r}")
        self.chamber.co2_supply_ok = not present

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        chamber = self.chamber
        return {
            **super().truth(),
            "temperature_c": chamber.temperature_c,
            "co2_pct": chamber.co2_pct,
            "humidity_pct": chamber.humidity_pct,
            "o2_pct": chamber.o2_pct,
            "door_open": chamber.door_is_open,
        }
