"""A Watlow F4T as wired in TestEquity chambers, on Modbus TCP or RTU: unit 1, function 03.

Registers: TestEquity F4T manual p46, Watlow F4T manual p226 and p234; floats have the low word first (factory setting).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cultureops_simulators.climate import ClimateModel, climate_chamber
from cultureops_simulators.instrument import Options
from cultureops_simulators.registers import ChamberRegisters, Wiring, float_low_first, lay

__all__ = ["build", "registers"]

WIRING: Final = Wiring(1, ("tcp", "rtu"))
EVENT_OFF: Final = 62


def registers(shown: Mapping[str, float]) -> dict[int, dict[int, int]]:
    """Return the registers by read function and 0-based address."""
    table = lay(
        {
            2782: float_low_first(shown["temperature_setpoint"]),
            2810: float_low_first(shown["temperature_setpoint"]),
            2942: float_low_first(shown["humidity_setpoint"]),
            27586: float_low_first(shown["temperature"]),
            28906: float_low_first(shown["humidity"]),
            16558: (0,),
            **{16594 + 2 * event: (EVENT_OFF,) for event in range(4)},
        }
    )
    return {3: table}


def build(name: str, options: Options, rng: np.random.Generator) -> ChamberRegisters:
    """Build it; options ``temperature_c``, ``humidity_pct``: its setpoints. Raises SimulatorError."""
    return ChamberRegisters(name, ClimateModel(climate_chamber(name, options), rng), registers, WIRING, options)
