"""The virtual cryostore on Modbus TCP: unit 1, function 04, input registers 0-11, as its published profile says."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.modbus import MbapDialect
from cultureops_simulators.profile import RegisterBlock, profile_option, read_points
from cultureops_simulators.tank import Tank
from cultureops_simulators.virtual_cryostore.model import VALUES, CryostoreModel

__all__ = ["VirtualCryostore", "build"]

UNIT_ID: Final = 1
READ_INPUT_REGISTERS: Final = 4
REGISTERS: Final = 12


class VirtualCryostore:
    """A liquid nitrogen store of no real make."""

    wires: frozenset[str] = frozenset({"tcp"})

    def __init__(self, name: str, model: CryostoreModel, block: RegisterBlock) -> None:
        self.name = name
        self._model = model
        self._block = block
        self._block.hold(model.registers())

    @property
    def tank(self) -> Tank:
        """The nitrogen store."""
        return self._model.tank

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
            "temp_a_c": tank.temp_a_c,
            "temp_b_c": tank.temp_b_c,
            "level_pct": tank.level_pct,
            "filling": tank.is_filling,
            "lid_open": tank.lid_is_open,
            "battery_pct": self._model.battery_pct,
            "shown": self._model.registers(),
        }


def build(name: str, options: Options, rng: np.random.Generator) -> VirtualCryostore:
    """Build it; option ``profile``: path of its register map. Raises SimulatorError."""
    points = read_points(profile_option(name, options), VALUES)
    return VirtualCryostore(name, CryostoreModel(rng), RegisterBlock(points, REGISTERS))
