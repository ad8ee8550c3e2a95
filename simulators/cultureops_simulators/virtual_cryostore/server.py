"""The virtual cryostore on Modbus TCP: unit 1, function 04, input registers 0-11, as its published profile says."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.profile import block_option
from cultureops_simulators.tank import Tank
from cultureops_simulators.virtual import VirtualDevice
from cultureops_simulators.virtual_cryostore.model import VALUES, CryostoreModel

__all__ = ["VirtualCryostore", "build"]

REGISTERS: Final = 12


class VirtualCryostore(VirtualDevice[CryostoreModel]):
    """A liquid nitrogen store of no real make."""

    @property
    def tank(self) -> Tank:
        """The nitrogen store."""
        return self._model.tank

    def upset(self, condition: str, present: bool) -> None:
        """Fail or restore mains power (``mains``) or the nitrogen supply (``ln2_supply``)."""
        if condition == "mains":
            self._model.mains_ok = not present
        elif condition == "ln2_supply":
            self.tank.supply_ok = not present
        else:
            raise SimulatorError(f"{self.name}: a cryostore can lose mains or ln2_supply, not {condition!r}")

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        tank = self.tank
        return {
            **super().truth(),
            "temp_a_c": tank.temp_a_c,
            "temp_b_c": tank.temp_b_c,
            "level_pct": tank.level_pct,
            "filling": tank.is_filling,
            "lid_open": tank.lid_is_open,
            "battery_pct": self._model.battery_pct,
        }


def build(name: str, options: Options, rng: np.random.Generator) -> VirtualCryostore:
    """Build it; option ``profile``: path of its register map. Raises SimulatorError."""
    block = block_option(name, options, VALUES, REGISTERS)
    return VirtualCryostore(name, CryostoreModel(rng), block)
