"""The virtual bioreactor on Modbus TCP: unit 1, function 04, input registers 0-31, as its published profile says."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.profile import block_option
from cultureops_simulators.vessel import Vessel
from cultureops_simulators.virtual import VirtualDevice
from cultureops_simulators.virtual_bioreactor.model import VALUES, BioreactorModel

__all__ = ["VirtualBioreactor", "build"]

REGISTERS: Final = 32


class VirtualBioreactor(VirtualDevice[BioreactorModel]):
    """A stirred bioreactor of no real make."""

    @property
    def chamber(self) -> Vessel:
        """The liquid that cells live in."""
        return self._model.vessel

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
            **super().truth(),
            "temperature_c": vessel.temperature_c,
            "ph": vessel.ph,
            "oxygen_pct": vessel.oxygen_pct,
            "agitation_rpm": vessel.agitation_rpm,
            "lactate_mm": vessel.lactate_mm,
            "volume_ml": vessel.volume_ml,
            "cells_per_ml": vessel.cells_per_ml,
        }


def build(name: str, options: Options, rng: np.random.Generator) -> VirtualBioreactor:
    """Build it; option ``profile``: path of its register map. Raises SimulatorError."""
    block = block_option(name, options, VALUES, REGISTERS)
    return VirtualBioreactor(name, BioreactorModel(rng), block)
