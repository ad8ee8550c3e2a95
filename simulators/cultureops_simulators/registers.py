"""Numbers as Modbus registers, and a device that shows a panel of values through them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from cultureops_simulators import device
from cultureops_simulators.chamber import Chamber
from cultureops_simulators.instrument import Dialect, Options, SimulatorError
from cultureops_simulators.modbus import AsciiDialect, MbapDialect, ReadRegisters, RtuDialect, Tables

__all__ = [
    "ChamberRegisters",
    "HasChamber",
    "Model",
    "RegisterDevice",
    "Show",
    "Wiring",
    "float_high_first",
    "float_low_first",
    "int16",
    "lay",
    "uint32_high_first",
    "uint32_low_first",
]

_INT16_LEAST, _INT16_MOST = -0x8000, 0x7FFF
_UINT32_MOST: Final = 0xFFFF_FFFF

_DIALECTS: Final[dict[str, Callable[[int, int, ReadRegisters, Tables], Dialect]]] = {
    "tcp": MbapDialect,
    "rtu": RtuDialect,
    "ascii": AsciiDialect,
}

Registers = Mapping[int, int]
"""Words (0-65535) by 0-based address."""

Show = Callable[[Mapping[str, float]], Mapping[int, Registers]]
"""Turns what a panel shows into registers, by read function."""


def float_high_first(value: float) -> tuple[int, int]:
    """Return the two words of a 32-bit float, the high one first."""
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return high, low


def float_low_first(value: float) -> tuple[int, int]:
    """Return the two words of a 32-bit float, the low one first."""
    high, low = float_high_first(value)
    return low, high


def uint32_high_first(value: float) -> tuple[int, int]:
    """Return the two words of a whole number (0 to 2^32 - 1), the high one first."""
    number = min(max(round(value), 0), _UINT32_MOST)
    return number >> 16, number & 0xFFFF


def uint32_low_first(value: float) -> tuple[int, int]:
    """Return the two words of a whole number (0 to 2^32 - 1), the low one first."""
    high, low = uint32_high_first(value)
    return low, high


def int16(value: float) -> tuple[int]:
    """Return the word of a whole number, two's complement, at the end of its range where it lies beyond."""
    return (min(max(round(value), _INT16_LEAST), _INT16_MOST) & 0xFFFF,)


def lay(words: Mapping[int, tuple[int, ...]]) -> dict[int, int]:
    """Lay words out from each address on."""
    return {start + index: word for start, row in words.items() for index, word in enumerate(row)}


@dataclass(frozen=True, slots=True)
class Wiring:
    """How a device is reached: unit id, and the framings it speaks (``rtu``, ``tcp``, ``ascii``), usual one first."""

    unit_id: int
    framings: tuple[str, ...]


class Model(device.Model, Protocol):
    """The physics behind a device, which knows its own state."""

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        ...


class RegisterDevice(device.Device[Model]):
    """A Modbus device; option ``framing`` chooses another one of those it speaks.

    TCP always, and a terminal for what is spoken over serial lines.
    """

    def __init__(self, name: str, model: Model, show: Show, wiring: Wiring, options: Options) -> None:
        super().__init__(name, model)
        self._show = show
        self._unit_id = wiring.unit_id
        self._framing = str(options.get("framing", wiring.framings[0]))
        if self._framing not in wiring.framings:
            raise SimulatorError(
                f"{name}: option framing must be {' or '.join(wiring.framings)}, got {self._framing!r}"
            )
        self.wires = frozenset({"tcp"} if self._framing == "tcp" else {"tcp", "pty"})

    def _reader(self, function: int) -> ReadRegisters:
        def read(address: int, count: int) -> bytes | None:
            registers = self._show(self.panel.values)[function]
            words = [registers.get(address + index) for index in range(count)]
            if None in words:
                return None
            return b"".join(word.to_bytes(2, "big") for word in words if word is not None)

        return read

    def dialect(self) -> Dialect:
        """Return the wire language for one new connection."""
        (function, read), *more = ((function, self._reader(function)) for function in self._show(self.panel.values))
        return _DIALECTS[self._framing](self._unit_id, function, read, dict(more))

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        return {**super().truth(), **self._model.truth()}


class HasChamber(Model, Protocol):
    """Physics of a chamber that vessels can stand in."""

    @property
    def chamber(self) -> Chamber:
        """The chamber."""
        ...


class ChamberRegisters(RegisterDevice):
    """A Modbus device with a chamber behind it."""

    def __init__(self, name: str, model: HasChamber, show: Show, wiring: Wiring, options: Options) -> None:
        super().__init__(name, model, show, wiring, options)
        self._chamber = model.chamber

    @property
    def chamber(self) -> Chamber:
        """The chamber that vessels stand in."""
        return self._chamber
