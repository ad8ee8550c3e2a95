"""The site file that `cultureops init` writes: it runs as it is, on simulators, and says what to change."""

from __future__ import annotations

from collections.abc import Sequence

from cultureops.commissioning.catalog import DriverEntry, ProfileEntry

__all__ = ["site_draft"]

_HEAD = """\
# What stands in the lab, who speaks to it, and what is watched. `cultureops check` reads this file and names every
# mistake with its line; `cultureops devices check` asks every device once; `cultureops run` starts the lab.
# All keys: docs/how-to/run-a-lab.md.

[site]
name = "My lab"
time_zone = "UTC"                    # e.g. "Europe/Berlin": pages show it, everything is stored in UTC

[web]
port = 8080                          # pages for this machine only

# A chamber is what vessels stand in: the inside of an incubator, a cryostore, a bath, a bioreactor.
[[chamber]]
id = "incubator_1"
class = "incubator"
title = "Incubator 1"
# calibrated_until = "2027-03-01T00:00:00Z"   # no batch may be put inside without it

# A device is what speaks a protocol. This one is simulated; start it in another terminal:
#   cultureops simulate virtual_incubator --tcp 127.0.0.1:5020
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:5020"
period_s = 10
deadline_s = 1.0
simulated = true                     # its readings are marked as simulated wherever they are shown
options = { profile = "cultureops_virtual_incubator" }

"""
_ALARM = """\
# Every value that can go wrong wants a rule. This one is an example: your process decides the limits.
[[alarm]]
class = "incubator"                  # every incubator; or chamber = "incubator_1"
channel = "temperature"
kind = "high"                        # low, high or communication
limit = 37.8
deadband = 0.2
on_delay_s = 300
off_delay_s = 60
priority = "high"
gmp_critical = true
consequence = "Cells above 38 degrees suffer."
response = "Check the door and the setpoint; move the vessels if it can't be mended at once."
"""


def site_draft(drivers: Sequence[DriverEntry], profiles: Sequence[ProfileEntry]) -> str:
    """Return the text of a commented site file that names all installed drivers and profiles."""
    lines = [f"#   {row.name:24} {row.summary}" for row in drivers]
    lines += [f"#   modbus, {row.name:40} {row.vendor} {row.model}" for row in profiles if row.driver == "modbus"]
    known = "\n".join(lines)
    return f"{_HEAD}# Drivers installed here (`cultureops devices show NAME` tells more):\n{known}\n\n{_ALARM}"
