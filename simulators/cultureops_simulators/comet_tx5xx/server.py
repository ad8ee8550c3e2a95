"""A COMET Tx5xx transmitter on Modbus RTU or TCP: unit 1, function 03, tenths of a degree and of a percent.

Registers 0x0031 and 0x0032: comet-system.net modbus.txt. They are numbered from 1 and go over the wire as 0x0030 and
0x0031, as two public clients read them (piter2909/comet_T3511, and a minimalmodbus client of a T3311).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cultureops_simulators.chamber import AMBIENT_TEMPERATURE_C, Chamber
from cultureops_simulators.comet_tx5xx.model import AirModel
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.registers import RegisterDevice, Wiring, int16, lay

__all__ = ["build", "registers"]

WIRING: Final = Wiring(1, ("rtu", "tcp"))


def registers(shown: Mapping[str, float]) -> dict[int, dict[int, int]]:
    """Return the registers by read function and 0-based address."""
    return {3: lay({0x0030: int16(shown["temperature"] * 10.0), 0x0031: int16(shown["humidity"] * 10.0)})}


def build(name: str, options: Options, rng: np.random.Generator) -> RegisterDevice:
    """Build it; option ``inside``: the chamber it hangs in (in a fleet file: an incubator's name), or a room.

    Option ``room_c`` is that room's temperature, e.g. 5 for a cold room. Raises SimulatorError.
    """
    inside = options.get("inside")
    if inside is not None and not isinstance(inside, Chamber):
        raise SimulatorError(f"{name}: option inside must name an incubator of the same fleet, got {inside!r}")
    room_c = options.get("room_c", AMBIENT_TEMPERATURE_C)
    if isinstance(room_c, bool) or not isinstance(room_c, int | float) or not -30.0 <= room_c <= 60.0:
        raise SimulatorError(f"{name}: option room_c must be a number -30..60, got {room_c!r}")
    return RegisterDevice(name, AirModel(inside, rng, float(room_c)), registers, WIRING, options)
