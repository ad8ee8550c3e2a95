"""The demo's lab: what its places and instruments are called, and the simulators behind them.

Four incubators (one a Heracell with a GMP252 inside), a thawing bath and a centrifuge stand in a clean room; there are
a cold room, two cryostores, a cell counter, and two loggers that travel with the shipments.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = [
    "BATH",
    "BATH_TEMPERATURE",
    "BOX_LOGGER",
    "CENTRIFUGE",
    "COLD_ROOM",
    "COLD_ROOM_TEMPERATURE",
    "COUNTER",
    "CRYOSTORE",
    "CRYOSTORE_TEMPERATURE",
    "DRY_ICE_LOGGER",
    "INCUBATOR_DEVICES",
    "LAB_DAY_ONE",
    "TIME_ZONE",
    "fleet_devices",
    "folders",
]

LAB_DAY_ONE: Final = "2026-01-05T08:00:00Z"
INCUBATOR_DEVICES: Final = {
    "incubator_1": "incubator_1",
    "incubator_2": "incubator_2",
    "incubator_3": "incubator_3",
    "incubator_4": "heracell_4",
}
"""Each incubator's device, which is also how the simulated cultures know their place."""
COUNTER: Final = "counter_1"
BATH: Final = "bath_1"
CENTRIFUGE: Final = "centrifuge_1"
COLD_ROOM: Final = "cold_room_1"
CRYOSTORE: Final = "cryostore_1"
BATH_TEMPERATURE: Final = "bath_1/temperature"
COLD_ROOM_TEMPERATURE: Final = "comet_cold_1/temperature"
CRYOSTORE_TEMPERATURE: Final = "mve_1/temp_a"
BOX_LOGGER: Final = "logger_box_1"
DRY_ICE_LOGGER: Final = "logger_dry_1"
FOR_THAWING: Final = frozenset({BATH, CENTRIFUGE, DRY_ICE_LOGGER})
TIME_ZONE: Final = "Europe/Berlin"


def folders(folder: Path) -> tuple[Path, Path]:
    """Return where the counter and the loggers put their files."""
    return folder / "counts", folder / "loggers"


def fleet_devices(profiles: Path, folder: Path, *, thaws: bool = True) -> list[dict[str, object]]:
    """Return the fleet's device list; ``profiles`` holds the maps of our own virtual devices.

    A lab that never ``thaws`` does without the instruments for it: every channel costs a run its time.
    """

    def own_map(name: str) -> dict[str, object]:
        return {"profile": str(profiles / f"cultureops_{name}.toml")}

    counts, loggers = folders(folder)
    tcp, pty = {"tcp": "127.0.0.1:0"}, {"pty": None}

    def logger(name: str) -> dict[str, object]:
        return {"folder": str(loggers / name), "every_s": 300, "report_h": 10_000, "time_zone": TIME_ZONE}

    rows: tuple[tuple[str, str, object, dict[str, object]], ...] = (
        ("incubator_1", "virtual_incubator", tcp, own_map("virtual_incubator")),
        ("incubator_2", "virtual_incubator", tcp, own_map("virtual_incubator")),
        ("incubator_3", "virtual_incubator", tcp, own_map("virtual_incubator")),
        ("heracell_4", "thermo_heracell", pty, {}),
        ("probe_4", "vaisala_gmp252", pty, {"inside": "heracell_4"}),
        ("mve_1", "mve_tec3000", tcp, {}),
        ("cryostore_2", "virtual_cryostore", tcp, own_map("virtual_cryostore")),
        ("comet_clean_1", "comet_tx5xx", tcp, {"framing": "tcp"}),
        ("comet_cold_1", "comet_tx5xx", tcp, {"framing": "tcp", "room_c": 5.0}),
        (BATH, "julabo_magio", tcp, {}),
        (CENTRIFUGE, "hettich_rotanta", tcp, {}),
        (COUNTER, "vicell_blu", None, {"folder": str(counts), "time_zone": TIME_ZONE}),
        (BOX_LOGGER, "elitech_rc5", None, logger(BOX_LOGGER)),
        (DRY_ICE_LOGGER, "elitech_rc5", None, {**logger(DRY_ICE_LOGGER), "packed_c": -78.0}),
    )
    return [
        {"name": name, "kind": kind, "options": options} | ({} if wire is None else {"wire": wire})
        for name, kind, wire, options in rows
        if thaws or name not in FOR_THAWING
    ]
