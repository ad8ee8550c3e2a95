"""The virtual incubator on Modbus TCP: unit 1, function 04, input registers 0-15, as its published profile says."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.chamber import Chamber
from cultureops_simulators.faults import Panel
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.modbus import MbapDialect
from cultureops_simulators.profile import RegisterBlock, profile_option, read_points
from cultureops_simulators.virtual_incubator.model import VALUES, IncubatorModel

__all__ = ["VirtualIncubator", "build"]

UNIT_ID: Final = 1
READ_INPUT_REGISTERS: Final = 4
REGISTERS: Final = 16


class VirtualIncubator:
    """A CO2 incubator of no real make."""

    wires: frozenset[str] = frozenset({"tcp"})

    def __init__(self, name: str, model: IncubatorModel, block: RegisterBlock) -> None:
        self.name = name
        self._model = model
        self._block = block
        self._block.hold(model.registers())

    @property
    def chamber(self) -> Chamber:
        """The chamber that vessels stand in."""
        return self._model.chamber

    @property
    def panel(self) -> Panel:
        """What it shows."""
        return self._model.panel

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self._model.step(dt_s)
        self._block.hold(self._model.registers())

    def dialect(self) -> MbapDialect:
        """Return the wire language for one new connection."""
        return MbapDialect(UNIT_ID, READ_INPUT_REGISTERS, self._block.read)

    def upset(self, condition: str, present: bool) -> None:
        """Fail or restore the gas supply (``co2_supply``)."""
        if condition != "co2_supply":
            raise SimulatorError(f"{self.name}: an incubator can only lose its co2_supply, not {condition!r}")
        self.chamber.co2_supply_ok = not present

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        chamber = self.chamber
        return {
            "temperature_c": chamber.temperature_c,
            "co2_pct": chamber.co2_pct,
            "humidity_pct": chamber.humidity_pct,
            "o2_pct": chamber.o2_pct,
            "door_open": chamber.door_is_open,
            "shown": self._model.registers(),
        }


def build(name: str, options: Options, rng: np.random.Generator) -> VirtualIncubator:
    """Build it; option ``profile``: path of its register map. Raises SimulatorError."""
    points = read_points(profile_option(name, options), VALUES)
    return VirtualIncubator(name, IncubatorModel(rng), RegisterBlock(points, REGISTERS))
