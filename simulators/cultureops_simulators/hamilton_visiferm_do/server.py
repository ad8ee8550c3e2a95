"""A Hamilton VisiFerm DO sensor on Modbus RTU: unit 1, functions 03 and 04 alike; see `hamilton_arc` for the source.

The codes of its oxygen units are not in reach: option ``unit_code`` is what it answers, by default a number of our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cultureops_simulators.hamilton_arc import (
    PMC1,
    PMC6,
    TEMPERATURE_RANGE_C,
    UNIT_CELSIUS,
    WIRING,
    Drift,
    ProbeModel,
    measurement,
)
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.registers import RegisterDevice, Show, lay
from cultureops_simulators.sensor import Sensor

__all__ = ["build", "registers"]

OUR_UNIT_CODE: Final = 1
SATURATION_RANGE_PCT: Final = (0.0, 300.0)
CONSUMING: Final = Drift(start=98.0, end=40.0, tau_s=24.0 * 3600.0)
SENSOR: Final = Sensor(sigma=0.3, correlation_s=300.0, decimals=3, low=0.0, high=SATURATION_RANGE_PCT[1])


def registers(unit_code: int) -> Show:
    """Return what turns the panel into registers by read function and 0-based address."""

    def show(shown: Mapping[str, float]) -> dict[int, dict[int, int]]:
        table = lay(
            {
                PMC1: measurement(unit_code, shown["dissolved_oxygen"], *SATURATION_RANGE_PCT),
                PMC6: measurement(UNIT_CELSIUS, shown["temperature"], *TEMPERATURE_RANGE_C),
            }
        )
        return {3: table, 4: table}

    return show


def build(name: str, options: Options, rng: np.random.Generator) -> RegisterDevice:
    """Build it, in a culture that consumes oxygen; option ``unit_code`` (1 to 2^32 - 1). Raises SimulatorError."""
    given = str(options.get("unit_code", OUR_UNIT_CODE))
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) < 2**32:
        raise SimulatorError(f"{name}: option unit_code must be a whole number from 1 to 2^32 - 1, got {given!r}")
    model = ProbeModel("dissolved_oxygen", CONSUMING, SENSOR, rng)
    return RegisterDevice(name, model, registers(int(given)), WIRING, options)
