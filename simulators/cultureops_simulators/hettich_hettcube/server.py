"""A Hettich HettCube incubator on Modbus TCP: unit 1, function 04, temperature in tenths.

Registers and alarm bits: manualslib 741476 p151. The band of its temperature alarm is this project's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cultureops_simulators.climate import ClimateModel, climate_chamber
from cultureops_simulators.instrument import Options
from cultureops_simulators.registers import ChamberRegisters, Wiring, int16, lay

__all__ = ["build", "registers"]

WIRING: Final = Wiring(1, ("tcp",))
DOOR, UPPER, LOWER = 0x0001, 0x0002, 0x0004
ALARM_BAND_C: Final = 2.0


def registers(shown: Mapping[str, float]) -> dict[int, dict[int, int]]:
    """Return the registers by read function and 0-based address."""
    above_c = shown["temperature"] - shown["temperature_setpoint"]
    alarms = DOOR * bool(shown["door"]) | UPPER * (above_c > ALARM_BAND_C) | LOWER * (above_c < -ALARM_BAND_C)
    return {4: lay({0: int16(shown["temperature"] * 10.0), 3: (int(shown["door"]),), 4: (alarms,)})}


def build(name: str, options: Options, rng: np.random.Generator) -> ChamberRegisters:
    """Build it; options ``temperature_c``, ``humidity_pct``: its setpoints. Raises SimulatorError."""
    return ChamberRegisters(name, ClimateModel(climate_chamber(name, options), rng), registers, WIRING, options)
