"""What devices of our own make share: Modbus TCP, unit 1, function 04, registers as their published profile says."""

from __future__ import annotations

from typing import Final, Protocol, TypeVar

from cultureops_simulators.device import Device, Model
from cultureops_simulators.modbus import MbapDialect
from cultureops_simulators.profile import RegisterBlock

__all__ = ["MappedModel", "VirtualDevice"]

UNIT_ID: Final = 1
READ_INPUT_REGISTERS: Final = 4


class MappedModel(Model, Protocol):
    """Physics that gives every value of a register map."""

    def registers(self) -> dict[str, float]:
        """Return all values of the map by name."""
        ...


M = TypeVar("M", bound=MappedModel)


class VirtualDevice(Device[M]):
    """A device of no real make."""

    wires: frozenset[str] = frozenset({"tcp"})

    def __init__(self, name: str, model: M, block: RegisterBlock) -> None:
        super().__init__(name, model)
        self._block = block
        self._block.hold(model.registers())

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        super().step(dt_s)
        self._block.hold(self._model.registers())

    def dialect(self) -> MbapDialect:
        """Return the wire language for one new connection."""
        return MbapDialect(UNIT_ID, READ_INPUT_REGISTERS, self._block.read)

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only; here all values of the map."""
        return {**super().truth(), "shown": self._model.registers()}
