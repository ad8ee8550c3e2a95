"""A BINDER chamber with the MB1 controller (MK, MKFT) on Modbus RTU: unit 1, functions 03 and 04 alike.

Registers: basil binder_mk53.py, ovenctl, binder.py (Tobiška); floats have the low word first. Door 0x1007, alarm 0x123D
and note 0x123E are second-hand (ovenctl). Setpoints are not writable here, texts and the control tracks are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cultureops_simulators.climate import ClimateModel, climate_chamber
from cultureops_simulators.instrument import Options
from cultureops_simulators.registers import ChamberRegisters, Wiring, float_low_first, lay

__all__ = ["build", "registers"]

WIRING: Final = Wiring(1, ("rtu",))
MANUAL_MODE: Final = 0x0800


def registers(shown: Mapping[str, float]) -> dict[int, dict[int, int]]:
    """Return the registers by read function and 0-based address."""
    temperature_setpoint = float_low_first(shown["temperature_setpoint"])
    humidity_setpoint = float_low_first(shown["humidity_setpoint"])
    table = lay(
        {
            0x11A9: float_low_first(shown["temperature"]),
            0x11CD: float_low_first(shown["humidity"]),
            0x1077: temperature_setpoint,
            0x1079: humidity_setpoint,
            0x1581: temperature_setpoint,
            0x1583: humidity_setpoint,
            0x156F: temperature_setpoint,
            0x1571: humidity_setpoint,
            0x1A22: (MANUAL_MODE, 0),
            0x1007: (int(shown["door"]),),
            0x123D: (0, 0),
        }
    )
    return {3: table, 4: table}


def build(name: str, options: Options, rng: np.random.Generator) -> ChamberRegisters:
    """Build it; options ``temperature_c``, ``humidity_pct``: its setpoints. Raises SimulatorError."""
    return ChamberRegisters(name, ClimateModel(climate_chamber(name, options), rng), registers, WIRING, options)
