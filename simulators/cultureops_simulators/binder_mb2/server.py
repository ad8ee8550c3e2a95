"""A BINDER chamber with the MB2 controller on Modbus RTU: unit 1, functions 03 and 04 alike.

Registers: binder.py (Tobiška); floats have the low word first, program times the high one. No program runs here; what
the source does not tell the type of (door, clock) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cultureops_simulators.climate import ClimateModel, climate_chamber
from cultureops_simulators.instrument import Options
from cultureops_simulators.registers import ChamberRegisters, Wiring, float_low_first, lay, uint32_high_first

__all__ = ["build", "registers"]

WIRING: Final = Wiring(1, ("rtu",))


def registers(shown: Mapping[str, float]) -> dict[int, dict[int, int]]:
    """Return the registers by read function and 0-based address."""
    setpoints = {
        0: float_low_first(shown["temperature_setpoint"]),
        2: float_low_first(shown["humidity_setpoint"]),
    }
    table = lay(
        {
            0x1004: float_low_first(shown["temperature"]),
            0x100A: float_low_first(shown["humidity"]),
            **{0x10B2 + offset: words for offset, words in setpoints.items()},
            **{0x114C + offset: words for offset, words in setpoints.items()},
            0x10D2: float_low_first(shown["temperature"]),
            0x10D6: float_low_first(shown["humidity"]),
            0x10A4: (0,),
            0x10A6: uint32_high_first(0),
            0x10A8: uint32_high_first(0),
            0x1292: (0,),
        }
    )
    return {3: table, 4: table}


def build(name: str, options: Options, rng: np.random.Generator) -> ChamberRegisters:
    """Build it; options ``temperature_c``, ``humidity_pct``: its setpoints. Raises SimulatorError."""
    return ChamberRegisters(name, ClimateModel(climate_chamber(name, options), rng), registers, WIRING, options)
