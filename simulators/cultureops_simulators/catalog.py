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
    "virtual_bioreactor": "stirred bioreactor of our own make, Modbus TCP",
    "thermo_heracell": "Thermo Heracell CO2 incubator, RS-232 ASCII",
    "thermo_cytomat": "Thermo Cytomat automated incubator, RS-232 ASCII",
    "liconic_stx": "LiCONiC STX automated incubator, Keyence host link",
    "vaisala_gmp252": "Vaisala GMP252 CO2 probe, Modbus RTU",
    "mve_tec3000": "Chart MVE TEC 3000 nitrogen store controller, ASCII",
    "vicell_blu": "Beckman Coulter Vi-CELL BLU cell counter, CSV files",
    "astm_counter": "cell counter of no maker that sends ASTM E1394 messages",
    "incucyte": "Sartorius Incucyte live-cell imager, metric text exports",
    "elitech_rc5": "Elitech RC-5+ temperature logger, report workbooks",
    "thermo_tsx": "Thermo TSX ultra-low freezer, Modbus ASCII of its own kind",
    "ami_185": "AMI 185/186 nitrogen level controller, ASCII",
    "julabo": "JULABO thawing bath, RS-232 ASCII",
    "mettler_sics": "Mettler Toledo balance, MT-SICS",
    "hettich_rotanta": "Hettich Rotanta robotic centrifuge, ISO 1745 like",
    "binder_mb1": "BINDER chamber with MB1 controller, Modbus RTU",
    "binder_mb2": "BINDER chamber with MB2 controller, Modbus RTU",
    "watlow_f4t": "Watlow F4T in a test chamber, Modbus TCP or RTU",
    "eurotherm_3216": "Eurotherm 3216 in an oven, Modbus RTU",
    "hettich_hettcube": "Hettich HettCube incubator, Modbus TCP",
    "comet_tx5xx": "COMET room transmitter, Modbus RTU or TCP",
    "julabo_magio": "JULABO MAGIO or PRESTO circulator, Modbus TCP",
    "lighthouse_remote": "Lighthouse REMOTE particle counter, Modbus ASCII or TCP",
    "hamilton_ph_arc": "Hamilton pH Arc sensor, Modbus RTU",
    "hamilton_visiferm_do": "Hamilton VisiFerm DO sensor, Modbus RTU",
    "register_map": "Modbus device of any make, as its profile describes it",
    "memmert_atmoweb": "Memmert CO2 incubator with AtmoWEB, HTTP",
    "pioreactor": "Pioreactor bioreactor, publishing to an MQTT broker",
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
