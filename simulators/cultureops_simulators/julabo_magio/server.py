"""A JULABO MAGIO or PRESTO circulator on Modbus TCP: unit 1, functions 03 (4xxxx) and 04 (3xxxx).

Registers: manualshive 2030735 p104-106, 2030738. Which word of a float comes first can be set on the instrument, hence
the option ``word_order``. Status, alarm and warning read 0 here, since their codes are not in reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.julabo_magio.model import BathModel
from cultureops_simulators.registers import RegisterDevice, Show, Wiring, float_high_first, float_low_first, int16, lay

__all__ = ["build", "registers"]

WIRING: Final = Wiring(1, ("tcp",))
WORD_ORDERS: Final = {"high_first": float_high_first, "low_first": float_low_first}


def registers(word_order: str) -> Show:
    """Return what turns the panel into registers by read function and 0-based address."""
    words = WORD_ORDERS[word_order]

    def show(shown: Mapping[str, float]) -> dict[int, dict[int, int]]:
        holding = {0: (int(shown["running"]),), 2: words(shown["temperature_setpoint"]), 10: (0,)}
        inputs = {
            5: (0, 0, 0),
            10: words(shown["temperature"]),
            12: words(shown["external_temperature"]),
            14: int16(shown["heating_power"]),
            15: words(shown["safety_temperature"]),
        }
        return {3: lay(holding), 4: lay(inputs)}

    return show


def build(name: str, options: Options, rng: np.random.Generator) -> RegisterDevice:
    """Build it; option ``word_order``: ``high_first`` or ``low_first``. Raises SimulatorError."""
    word_order = str(options.get("word_order", "high_first"))
    if word_order not in WORD_ORDERS:
        raise SimulatorError(f"{name}: option word_order must be {' or '.join(WORD_ORDERS)}, got {word_order!r}")
    return RegisterDevice(name, BathModel(rng), registers(word_order), WIRING, options)
