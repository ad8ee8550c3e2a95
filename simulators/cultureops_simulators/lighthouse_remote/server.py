"""A Lighthouse REMOTE particle counter on Modbus ASCII (newer ones: TCP): unit 1, functions 03 (4xxxx) and 04 (3xxxx).

Registers: easymanua remote-3014pn p67 and p70, manualshive 1911952, 1911941 p94-98, 1911954 p66. Whole numbers have the
high word first, counts are cumulative. Texts, limits and analog channels are left out; channels 5 to 8 are not fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cultureops_simulators.instrument import Options
from cultureops_simulators.labtime import DEFAULT_START, parse_start
from cultureops_simulators.lighthouse_remote.model import CHANNELS, CounterModel
from cultureops_simulators.registers import RegisterDevice, Wiring, lay, uint32_high_first

__all__ = ["build", "registers"]

WIRING: Final = Wiring(1, ("ascii", "tcp"))
MAP_VERSION: Final = 135
RUNNING, SAMPLING = 0x0001, 0x0002
FITTED: Final = (1 << CHANNELS) - 1
UNFITTED_CONTENT: Final = 0xDEAD_BEEF


def registers(shown: Mapping[str, float]) -> dict[int, dict[int, int]]:
    """Return the registers by read function and 0-based address (30001 is 0 of function 04, 40001 is 0 of 03)."""
    counts = [shown[f"particles_{number}"] for number in range(1, CHANNELS + 1)]
    counts += [UNFITTED_CONTENT] * (8 - CHANNELS)
    inputs = {
        0: uint32_high_first(shown["record_time"]),
        4: uint32_high_first(1),
        6: uint32_high_first(0),
        **{8 + 2 * index: uint32_high_first(count) for index, count in enumerate(counts)},
        72: (0, FITTED, 0, int(shown["particle_alarms"])),
    }
    holding = {0: (MAP_VERSION, 0, RUNNING | SAMPLING)}
    return {3: lay(holding), 4: lay(inputs)}


def build(name: str, options: Options, rng: np.random.Generator) -> RegisterDevice:
    """Build it; option ``start`` (given by the fleet): when it is switched on. Raises SimulatorError."""
    started = parse_start(options.get("start", DEFAULT_START))
    return RegisterDevice(name, CounterModel(started.timestamp(), rng), registers, WIRING, options)
