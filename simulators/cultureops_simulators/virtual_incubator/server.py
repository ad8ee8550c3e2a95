"""The virtual incubator on Modbus TCP: unit 1, function 04, input registers 0-15, as its published profile says."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.incubator import Incubator
from cultureops_simulators.instrument import Options
from cultureops_simulators.profile import block_option
from cultureops_simulators.virtual import VirtualDevice
from cultureops_simulators.virtual_incubator.model import VALUES, IncubatorModel

__all__ = ["VirtualIncubator", "build"]

REGISTERS: Final = 16


class VirtualIncubator(VirtualDevice[IncubatorModel], Incubator[IncubatorModel]):
    """A CO2 incubator of no real make."""


def build(name: str, options: Options, rng: np.random.Generator) -> VirtualIncubator:
    """Build it; option ``profile``: path of its register map. Raises SimulatorError."""
    block = block_option(name, options, VALUES, REGISTERS)
    return VirtualIncubator(name, IncubatorModel(rng), block)
