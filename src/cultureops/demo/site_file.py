"""The demo's site file: rooms, chambers, devices on their wires, alarms.

It is written to disk and read by the same reader as any other site's. It states no calibration: that is on record, see
``stock.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cultureops.demo.lab import BATH, CENTRIFUGE, COLD_ROOM, COUNTER, CRYOSTORE, TIME_ZONE, folders

__all__ = ["site_text"]

_POLL_DEADLINE_S: Final = 2.0
"""Generous: the kernel hands over a pseudo-terminal's bytes by a worker that a busy machine may hold up for 0.25 s."""
_SLOW_S: Final = 300
"""How often everything is asked that changes slowly or is rarely used."""

_SITE = """\
# Written by `cultureops demo`: a simulated lab. Every source in it is marked simulated.
[site]
name = "Demo lab"
time_zone = "{time_zone}"

[web]
host = "127.0.0.1"
port = {port}

[access]
argon2_memory_kib = 7168
argon2_passes = 5

[[room]]
id = "clean_room_1"
grade = "B"

[[chamber]]
id = "cold_room_1"
class = "refrigerator"
title = "Cold room 1 (2-8 °C)"
[[chamber]]
id = "incubator_1"
class = "incubator"
room = "clean_room_1"
[[chamber]]
id = "incubator_2"
class = "incubator"
room = "clean_room_1"
[[chamber]]
id = "incubator_3"
class = "incubator"
room = "clean_room_1"
[[chamber]]
id = "incubator_4"
class = "incubator"
room = "clean_room_1"
title = "Incubator 4 (Heracell)"
[[chamber]]
id = "bath_1"
class = "bath"
room = "clean_room_1"
title = "Thawing bath 1"
[[chamber]]
id = "centrifuge_1"
class = "centrifuge"
room = "clean_room_1"
[[chamber]]
id = "cryostore_1"
class = "cryostore"
title = "Cryostore 1 (MVE TEC 3000)"
[[chamber]]
id = "cryostore_2"
class = "cryostore"
"""

_DEVICE = """
[[device]]
id = "{id}"
{chamber}driver = "{driver}"
link = "{link}"
period_s = {period_s}
deadline_s = {deadline_s}
simulated = true
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
suppressed_by = ["door"]
recovery_s = 600
respond_within_s = 1800
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
suppressed_by = ["door"]
recovery_s = 600
respond_within_s = 1800
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
channel = "temperature"
kind = "deviation"
level = "warning"
limit = 0.5
deadband = 0.1
on_delay_s = 1800
off_delay_s = 120
suppressed_by = ["door"]
priority = "low"
consequence = "Growth slows and its rate can no longer be compared."
response = "See that the door is shut and the setpoint right; look again in half an hour."
respond_within_s = 3600
[[alarm]]
class = "incubator"
channel = "door"
kind = "open"
on_delay_s = 240
priority = "medium"
consequence = "The chamber cools and loses its CO2."
response = "Shut the door."
respond_within_s = 300
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
channel = "temp_a"
kind = "high"
level = "critical"
limit = -135.0
deadband = 2.0
priority = "high"
gmp_critical = true
latching = true
realarm_s = 3600
consequence = "Frozen cells begin to degrade: every batch inside is on hold until quality assurance decides."
response = "Carry the racks into another store now, and note the time."
respond_within_s = 600
[[alarm]]
class = "cryostore"
channel = "lid"
kind = "open"
on_delay_s = 600
priority = "medium"
consequence = "Nitrogen boils off and the vials on top warm."
response = "Shut the lid."
respond_within_s = 600
[[alarm]]
class = "cryostore"
kind = "communication"
misses = 3
priority = "medium"
gmp_critical = true
consequence = "Nobody sees this cryostore."
response = "Check cable and power of the controller; read its own display until it is back."
[[alarm]]
chamber = "cold_room_1"
channel = "temperature"
kind = "high"
limit = 8.0
deadband = 0.5
on_delay_s = 600
off_delay_s = 300
priority = "high"
gmp_critical = true
consequence = "Doses and reagents warm."
response = "Close the door, check the compressor; carry the doses into a cooled box."
[[alarm]]
chamber = "cold_room_1"
channel = "temperature"
kind = "low"
limit = 2.0
deadband = 0.5
on_delay_s = 600
off_delay_s = 300
priority = "high"
gmp_critical = true
consequence = "Doses freeze."
response = "Check the controller; carry the doses into a cooled box."
"""


def site_text(
    wires: Mapping[str, Mapping[str, str]], folder: Path, port: int, period_s: int = 60, counter_s: int | None = None
) -> str:
    """Write the site file of the demo lab for a fleet at ``wires``; incubators are asked every ``period_s``.

    So is the counter, unless ``counter_s`` says how often.

    A chamber whose instrument is not in the fleet has none.
    """

    def tcp(name: str) -> str:
        return f"tcp://{wires.get(name, {}).get('tcp')}"

    def modbus(name: str) -> str:
        return f"modbus+{tcp(name)}"

    def profile(name: str) -> str:
        return f'profile = "{name}"'

    probe = f"modbus+rtu://{wires['probe_4']['pty']}?baudrate=19200&stopbits=2"
    counts, _ = folders(folder)
    rows: Sequence[tuple[str, str, str, str, str, int]] = (
        *(
            (name, name, "modbus", modbus(name), profile("cultureops_virtual_incubator"), period_s)
            for name in ("incubator_1", "incubator_2", "incubator_3")
        ),
        ("heracell_4", "incubator_4", "thermo_heracell", f"serial://{wires['heracell_4']['pty']}", "", period_s),
        ("probe_4", "incubator_4", "modbus", probe, profile("vaisala_gmp252"), period_s),
        ("mve_1", CRYOSTORE, "mve_tec3000", tcp("mve_1"), "", _SLOW_S),
        (
            *("cryostore_2", "cryostore_2", "modbus", modbus("cryostore_2")),
            *(profile("cultureops_virtual_cryostore"), _SLOW_S),
        ),
        ("comet_clean_1", "clean_room_1", "modbus", modbus("comet_clean_1"), profile("comet_tx5xx"), _SLOW_S),
        ("comet_cold_1", COLD_ROOM, "modbus", modbus("comet_cold_1"), profile("comet_tx5xx"), _SLOW_S),
        (BATH, BATH, "modbus", modbus(BATH), f'{profile("julabo_magio")}, word_order = "high_first"', _SLOW_S),
        (CENTRIFUGE, CENTRIFUGE, "hettich_rotanta", tcp(CENTRIFUGE), 'address = "T"', _SLOW_S),
        (COUNTER, "", "cell_counter_files", f"folder://{counts}", "atomic = true", counter_s or period_s),
    )
    devices = "".join(
        _DEVICE.format(
            id=device,
            chamber=f'chamber = "{chamber}"\n' if chamber else "",
            driver=driver,
            link=link,
            period_s=every_s,
            deadline_s=_POLL_DEADLINE_S,
            options=options,
        )
        for device, chamber, driver, link, options, every_s in rows
        if device in wires
    )
    return _SITE.format(port=port, time_zone=TIME_ZONE) + devices + _ALARMS
