"""The virtual bioreactor on Modbus TCP: unit 1, function 04, input registers 0-31, as its published profile says."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.modbus import MbapDialect
from cultureops_simulators.profile import RegisterBlock, profile_option, read_points
from cultureops_simulators.vessel import Vessel
from cultureops_simulators.virtual_bioreactor.model import VALUES, BioreactorModel

__all__ = ["VirtualBioreactor", "build"]

UNIT_ID: Final = 1
READ_INPUT_REGISTERS: Final = 4
REGISTERS: Final = 32


class VirtualBioreactor:
    """A stirred bioreactor of no real make."""

    wires: frozenset[str] = frozenset({"tcp"})

    def __init__(self, name: str, model: BioreactorModel, block: RegisterBlock) -> None:
        self.name = name
        self._model = model
        self._block = block
        self._block.hold(model.registers())

    @property
    def chamber(self) -> Vessel:
        """The liquid that cells live in."""
        return self._model.vessel

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
        """Fail or restore the CO2 (``co2_supply``), or heating, stirring and gas together (``mains``)."""
        if condition == "co2_supply":
            self.chamber.co2_supply_ok = not present
        elif condition == "mains":
            self.chamber.has_mains = not present
        else:
            raise SimulatorError(f"{self.name}: a bioreactor can lose its co2_supply or its mains, not {condition!r}")

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        vessel = self.chamber
        return {
            "temperature_c": vessel.temperature_c,
            "ph": vessel.ph,
            "oxygen_pct": vessel.oxygen_pct,
            "agitation_rpm": vessel.agitation_rpm,
            "lactate_mm": vessel.lactate_mm,
            "volume_ml": vessel.volume_ml,
            "cells_per_ml": vessel.cells_per_ml,
            "shown": self._model.registers(),
        }


def build(name: str, options: Options, rng: np.random.Generator) -> VirtualBioreactor:
    """Build it; option ``profile``: path of its register map. Raises SimulatorError."""
    points = read_points(profile_option(name, options), VALUES)
    return VirtualBioreactor(name, BioreactorModel(rng), RegisterBlock(points, REGISTERS))
