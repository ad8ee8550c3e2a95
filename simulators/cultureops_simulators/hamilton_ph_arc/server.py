"""A Hamilton pH Arc sensor on Modbus RTU: unit 1, functions 03 and 04 alike; see `hamilton_arc` for the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cultureops_simulators.hamilton_arc import (
    PMC1,
    PMC6,
    TEMPERATURE_RANGE_C,
    UNIT_CELSIUS,
    UNIT_PH,
    WIRING,
    Drift,
    ProbeModel,
    measurement,
)
from cultureops_simulators.instrument import Options
from cultureops_simulators.registers import RegisterDevice, lay
from cultureops_simulators.sensor import Sensor

__all__ = ["build", "registers"]

PH_RANGE: Final = (0.0, 14.0)
ACIDIFYING: Final = Drift(start=7.40, end=6.95, tau_s=60.0 * 3600.0)
SENSOR: Final = Sensor(sigma=0.01, correlation_s=600.0, decimals=5, low=PH_RANGE[0], high=PH_RANGE[1])


def registers(shown: Mapping[str, float]) -> dict[int, dict[int, int]]:
    """Return the registers by read function and 0-based address."""
    table = lay(
        {
            PMC1: measurement(UNIT_PH, shown["ph"], *PH_RANGE),
            PMC6: measurement(UNIT_CELSIUS, shown["temperature"], *TEMPERATURE_RANGE_C),
        }
    )
    return {3: table, 4: table}


def build(name: str, options: Options, rng: np.random.Generator) -> RegisterDevice:
    """Build it, in a culture that turns acid. Raises SimulatorError."""
    return RegisterDevice(name, ProbeModel("ph", ACIDIFYING, SENSOR, rng), registers, WIRING, options)
