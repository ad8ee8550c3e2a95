"""A Vaisala GMP252 on Modbus RTU: address 240, function 03.

Registers, their word order (least significant word first) and status values: GMP252 user guide, easymanua gmp252
p116-120. Read-only here: compensation and address settings are left out, and so is function 43.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

import numpy as np

from cultureops_simulators.device import Device
from cultureops_simulators.instrument import Atmosphere, Options, SimulatorError
from cultureops_simulators.modbus import RtuDialect
from cultureops_simulators.vaisala_gmp252.model import ProbeModel

__all__ = ["Gmp252", "build", "registers"]

UNIT_ID: Final = 240
READ_HOLDING_REGISTERS: Final = 3
CO2_PPM: Final = 0x0000
COMPENSATION_TEMPERATURE: Final = 0x0002
MEASURED_TEMPERATURE: Final = 0x0004
CO2_INT_PPM: Final = 0x0100
CO2_INT_TENTH: Final = 0x0101
DEVICE_STATUS: Final = 0x0800
CO2_STATUS: Final = 0x0801
_INT16_LEAST, _INT16_MOST = -0x8000, 0x7FFF


def _float_words(value: float) -> tuple[int, int]:
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return low, high


def _int16(value: float) -> int:
    return min(max(round(value), _INT16_LEAST), _INT16_MOST) & 0xFFFF


def registers(co2_ppm: float, temperature_c: float) -> dict[int, int]:
    """Return the register table by 0-based address."""
    table = {
        CO2_INT_PPM: _int16(co2_ppm),
        CO2_INT_TENTH: _int16(co2_ppm / 10.0),
        DEVICE_STATUS: 0,
        CO2_STATUS: 0,
    }
    floats = {
        CO2_PPM: co2_ppm,
        COMPENSATION_TEMPERATURE: temperature_c,
        MEASURED_TEMPERATURE: temperature_c,
    }
    for address, value in floats.items():
        table[address], table[address + 1] = _float_words(value)
    return table


class Gmp252(Device[ProbeModel]):
    """A CO2 probe; its panel shows ``co2_ppm`` and ``temperature``."""

    def _read(self, address: int, count: int) -> bytes | None:
        shown: Mapping[str, float] = self.panel.values
        table = registers(shown["co2_ppm"], shown["temperature"])
        words = [table.get(address + index) for index in range(count)]
        if None in words:
            return None
        return b"".join(word.to_bytes(2, "big") for word in words if word is not None)

    def dialect(self) -> RtuDialect:
        """Return the wire language for one new connection."""
        return RtuDialect(UNIT_ID, READ_HOLDING_REGISTERS, self._read)

    def upset(self, condition: str, present: bool) -> None:
        """Refuse: nothing stands behind a probe."""
        raise SimulatorError(f"{self.name}: a probe has no supply that could fail, got {condition!r}")

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        model = self._model
        return {
            **super().truth(),
            "co2_ppm": model.co2_ppm,
            "temperature_c": model.temperature_c,
        }


def build(name: str, options: Options, rng: np.random.Generator) -> Gmp252:
    """Build it; option ``inside``: the Atmosphere it measures (in a fleet file: an incubator's name), or its own."""
    air = options.get("inside")
    if air is not None and not isinstance(air, Atmosphere):
        raise SimulatorError(f"{name}: option inside must name an incubator of the same fleet, got {air!r}")
    return Gmp252(name, ProbeModel(air, rng))
