"""A Eurotherm 3216 in an oven, on Modbus RTU: unit 1, function 03, whole numbers with one decimal.

Registers: ACS/Carbolite manual p24 (manualsdir 373422). Alarm setpoints are this project's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cultureops_simulators.climate import ClimateModel, climate_chamber
from cultureops_simulators.instrument import Options
from cultureops_simulators.registers import ChamberRegisters, Wiring, int16, lay

__all__ = ["build", "registers"]

WIRING: Final = Wiring(1, ("rtu",))
TENTHS: Final = 10.0
ALARM_BAND_C: Final = 2.0


def registers(shown: Mapping[str, float]) -> dict[int, dict[int, int]]:
    """Return the registers by read function and 0-based address."""
    setpoint_c = shown["temperature_setpoint"]
    table = lay(
        {
            1: int16(shown["temperature"] * TENTHS),
            2: int16(setpoint_c * TENTHS),
            5: int16(setpoint_c * TENTHS),
            13: int16((setpoint_c + ALARM_BAND_C) * TENTHS),
            14: int16((setpoint_c - ALARM_BAND_C) * TENTHS),
            24: int16(setpoint_c * TENTHS),
            25: int16(setpoint_c * TENTHS),
            26: int16(setpoint_c * TENTHS),
        }
    )
    return {3: table}


def build(name: str, options: Options, rng: np.random.Generator) -> ChamberRegisters:
    """Build it; options ``temperature_c``, ``humidity_pct``: its setpoints. Raises SimulatorError."""
    return ChamberRegisters(name, ClimateModel(climate_chamber(name, options), rng), registers, WIRING, options)
