"""The demo's lab: four incubators (one a Heracell with a GMP252 inside), two cryostores, one cell counter.

The site file is written to disk and read by the same reader as any other site's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = ["COUNTER", "INCUBATORS", "LAB_DAY_ONE", "fleet_devices", "site_text"]

LAB_DAY_ONE: Final = "2026-01-05T08:00:00Z"
INCUBATORS: Final = ("incubator_1", "incubator_2", "incubator_3", "heracell_4")
"""The incubators' devices, which are also how the simulated cultures know their place."""
COUNTER: Final = "counter_1"
TIME_ZONE: Final = "Europe/Berlin"
_POLL_DEADLINE_S: Final = 2.0
"""Generous: the kernel hands over a pseudo-terminal's bytes by a worker that a busy machine may hold up for 0.25 s."""


def fleet_devices(profiles: Path, counts_folder: Path) -> list[dict[str, object]]:
    """Return the fleet's device list; ``profiles`` holds the maps of our own virtual devices."""

    def own_map(name: str) -> dict[str, object]:
        return {"profile": str(profiles / f"cultureops_{name}.toml")}

    tcp, pty = {"tcp": "127.0.0.1:0"}, {"pty": None}
    rows: tuple[tuple[str, str, object, dict[str, object]], ...] = (
        ("incubator_1", "virtual_incubator", tcp, own_map("virtual_incubator")),
        ("incubator_2", "virtual_incubator", tcp, own_map("virtual_incubator")),
        ("incubator_3", "virtual_incubator", tcp, own_map("virtual_incubator")),
        ("heracell_4", "thermo_heracell", pty, {}),
        ("probe_4", "vaisala_gmp252", pty, {"inside": "heracell_4"}),
        ("mve_1", "mve_tec3000", tcp, {}),
        ("cryostore_2", "virtual_cryostore", tcp, own_map("virtual_cryostore")),
    )
    wired: list[dict[str, object]] = [
        {"name": name, "kind": kind, "wire": wire, "options": options} for name, kind, wire, options in rows
    ]
    counter = {"folder": str(counts_folder), "time_zone": TIME_ZONE}
    return [*wired, {"name": COUNTER, "kind": "vicell_blu", "options": counter}]


_SITE = """\
# Written by `cultureops demo`: a simulated lab. Every source in it is marked simulated.
[site]
name = "Demo lab"
time_zone = "{time_zone}"

[web]
host = "127.0.0.1"
port = {port}

[[chamber]]
id = "incubator_1"
class = "incubator"
calibrated_until = "2026-12-31T00:00:00Z"
[[chamber]]
id = "incubator_2"
class = "incubator"
calibrated_until = "2026-12-31T00:00:00Z"
[[chamber]]
id = "incubator_3"
class = "incubator"
calibrated_until = "2026-12-31T00:00:00Z"
[[chamber]]
id = "incubator_4"
class = "incubator"
calibrated_until = "2026-12-31T00:00:00Z"
title = "Incubator 4 (Heracell)"
[[chamber]]
id = "cryostore_1"
class = "cryostore"
calibrated_until = "2026-12-31T00:00:00Z"
title = "Cryostore 1 (MVE TEC 3000)"
[[chamber]]
id = "cryostore_2"
class = "cryostore"
calibrated_until = "2026-12-31T00:00:00Z"
"""

_DEVICE = """
[[device]]
id = "{id}"
{chamber}driver = "{driver}"
link = "{link}"
period_s = 60
deadline_s = {deadline_s}
simulated = true
calibrated_until = "2026-12-31T00:00:00Z"
options = {{ {options} }}
"""

_ALARMS = """
# Limits: gxp defaults for incubators (37.0 +/- 1.0 degC, 5.0 +/- 1.0 % CO2, 10 min) and vapour above LN2.
[[alarm]]
class = "incubator"
channel = "temperature"
kind = "low"
limit = 36.0
deadband = 0.2
on_delay_s = 600
off_delay_s = 120
priority = "high"
gmp_critical = true
consequence = "Cultures cool and slow down."
response = "Check door and heater; move the vessels to another incubator if it can't be mended at once."
[[alarm]]
class = "incubator"
channel = "temperature"
kind = "high"
limit = 38.0
deadband = 0.2
on_delay_s = 600
off_delay_s = 120
priority = "high"
gmp_critical = true
consequence = "Cultures overheat and die."
response = "Open the outer door, check the heater; move the vessels to another incubator."
[[alarm]]
class = "incubator"
channel = "co2"
kind = "low"
limit = 4.0
deadband = 0.2
on_delay_s = 600
off_delay_s = 120
priority = "high"
gmp_critical = true
consequence = "The medium turns alkaline."
response = "Check the gas supply and change the cylinder; move the vessels to another incubator."
[[alarm]]
class = "incubator"
channel = "co2"
kind = "high"
limit = 6.0
deadband = 0.2
on_delay_s = 600
off_delay_s = 120
priority = "high"
gmp_critical = true
consequence = "The medium turns acid; the room's air may hold too much CO2."
response = "Close the gas valve, air the room, calibrate the CO2 sensor."
[[alarm]]
class = "incubator"
kind = "communication"
misses = 3
priority = "medium"
gmp_critical = true
consequence = "Nobody sees this chamber."
response = "Check cable and power of the instrument; read its own display until it is back."
[[alarm]]
class = "cryostore"
channel = "temp_a"
kind = "high"
limit = -140.0
deadband = 2.0
on_delay_s = 300
off_delay_s = 300
priority = "high"
gmp_critical = true
consequence = "Vials warm towards the glass transition."
response = "Check lid and nitrogen supply; fill by hand."
[[alarm]]
class = "cryostore"
kind = "communication"
misses = 3
priority = "medium"
gmp_critical = true
consequence = "Nobody sees this cryostore."
response = "Check cable and power of the controller; read its own display until it is back."
"""


def site_text(wires: Mapping[str, Mapping[str, str]], counts_folder: Path, port: int) -> str:
    """Write the site file of the demo lab for a fleet that can be reached at ``wires``."""

    def modbus(name: str) -> str:
        return f"modbus+tcp://{wires[name]['tcp']}"

    def own(profile: str) -> str:
        return f'profile = "cultureops_{profile}"'

    rows: Sequence[tuple[str, str, str, str, str]] = (
        *((name, name, "modbus", modbus(name), own("virtual_incubator")) for name in INCUBATORS[:3]),
        ("heracell_4", "incubator_4", "thermo_heracell", f"serial://{wires['heracell_4']['pty']}", ""),
        (
            "probe_4",
            "incubator_4",
            "modbus",
            f"modbus+rtu://{wires['probe_4']['pty']}?baudrate=19200&stopbits=2",
            'profile = "vaisala_gmp252"',
        ),
        ("mve_1", "cryostore_1", "mve_tec3000", f"tcp://{wires['mve_1']['tcp']}", ""),
        ("cryostore_2", "cryostore_2", "modbus", modbus("cryostore_2"), own("virtual_cryostore")),
        (COUNTER, "", "cell_counter_files", f"folder://{counts_folder}", "atomic = true"),
    )
    devices = "".join(
        _DEVICE.format(
            id=device,
            chamber=f'chamber = "{chamber}"\n' if chamber else "",
            driver=driver,
            link=link,
            deadline_s=_POLL_DEADLINE_S,
            options=options,
        )
        for device, chamber, driver, link, options in rows
    )
    return _SITE.format(port=port, time_zone=TIME_ZONE) + devices + _ALARMS
