"""The kinds of simulated instruments: those of this package and those other packages bring as entry points."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final, cast

import numpy as np

from cultureops_simulators.instrument import Options, Simulator, SimulatorError

__all__ = ["BUILT_IN", "ENTRY_POINT_GROUP", "Build", "find_build", "known_kinds"]

Build = Callable[[str, Options, np.random.Generator], Simulator]

ENTRY_POINT_GROUP: Final = "cultureops.simulators"
BUILT_IN: Final = {
    "virtual_incubator": "CO2 incubator of our own make, Modbus TCP",
    "virtual_cryostore": "liquid nitrogen store of our own make, Modbus TCP",
    "thermo_heracell": "Thermo Heracell CO2 incubator, RS-232 ASCII",
    "vaisala_gmp252": "Vaisala GMP252 CO2 probe, Modbus RTU",
    "mve_tec3000": "Chart MVE TEC 3000 nitrogen store controller, ASCII",
    "vicell_blu": "Beckman Coulter Vi-CELL BLU cell counter, CSV files",
}


def known_kinds() -> dict[str, str]:
    """Return every kind with what it is."""
    others = {entry.name: entry.value for entry in entry_points(group=ENTRY_POINT_GROUP)}
    return {**others, **BUILT_IN}


def find_build(kind: str) -> Build:
    """Return the function that builds a simulator of this kind; raises SimulatorError naming the known kinds."""
    if kind in BUILT_IN:
        return cast(Build, import_module(f"cultureops_simulators.{kind}").build)
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=kind):
        return cast(Build, entry.load())
    raise SimulatorError(f"kind {kind!r} is unknown; expected one of {', '.join(sorted(known_kinds()))}")
