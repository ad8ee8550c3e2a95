"""Twins: for each device of a site a simulator of the same wire language, on this machine's loopback and nowhere else.

A challenge must never touch an instrument. So every link of the site file is replaced before anything is opened; what
has no twin is left out altogether; a link that leads anywhere but to a simulator just started is refused; and so is
everything the site would send out (mirror, broker, notifications), which the twin of the site does not have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final
from urllib.parse import urlsplit

from cultureops.acquisition import DeviceRow
from cultureops.challenge.loopback import NotLoopback, is_loopback
from cultureops.device.registry import driver_folder
from cultureops.errors import ConfigError
from cultureops.ledger.settings import LedgerSettings
from cultureops.site import Site

__all__ = ["OUTLETS", "REGISTER_MAP", "SHARING", "Twin", "twin_of", "twin_site"]

DEADLINE_S: Final = 1.0
"""Real time, and generous: a busy machine may hold a terminal's bytes up. Only a silenced wire ever takes it."""
KEPT: Final = frozenset(
    {"name", "zone", "web", "chambers", "devices", "alarm_rows", "recipes", "access", "retention", "file"}
    | {"own_limits", "process_limits", "calibration_limits", "is_mirrored"}
)
"""What of a site its twin has."""
OUTLETS: Final[Mapping[str, object]] = {
    **dict.fromkeys(("influxdb", "mqtt", "notify", "backup", "hub", "gateways", "tracing")),
    "gateway_sites": {},  # a gateway's alarms are its own, and challenged by its own site file
    "ledger": LedgerSettings(),  # no anchor, and keys of its own
}
"""What a site sends to others or keeps elsewhere, and what its twin has instead."""

_DEDICATED: Final = {
    "binder_mb1": ("binder_mb1", ("rtu",)),
    "binder_mb2": ("binder_mb2", ("rtu",)),
    "comet_tx5xx": ("comet_tx5xx", ("rtu", "tcp")),
    "cultureops_virtual_bioreactor": ("virtual_bioreactor", ("tcp",)),
    "cultureops_virtual_cryostore": ("virtual_cryostore", ("tcp",)),
    "cultureops_virtual_incubator": ("virtual_incubator", ("tcp",)),
    "eurotherm_3216": ("eurotherm_3216", ("rtu",)),
    "hamilton_ph_arc": ("hamilton_ph_arc", ("rtu",)),
    "hamilton_visiferm_do": ("hamilton_visiferm_do", ("rtu",)),
    "hettich_hettcube": ("hettich_hettcube", ("tcp",)),
    "julabo_magio": ("julabo_magio", ("tcp",)),
    "julabo_presto": ("julabo_magio", ("tcp",)),
    "lighthouse_remote": ("lighthouse_remote", ("ascii", "tcp")),
    "vaisala_gmp252": ("vaisala_gmp252", ("rtu",)),
    "watlow_f4t": ("watlow_f4t", ("tcp", "rtu")),
}
"""Simulators written from the maker's page, not from our profile: by profile, with the framings they speak."""
_ANSWERING: Final = frozenset(
    {"thermo_heracell", "thermo_cytomat", "liconic_stx", "mve_tec3000", "memmert_atmoweb", "thermo_tsx", "ami_185"}
    | {"julabo", "mettler_sics", "hettich_rotanta"}
)
"""Drivers whose simulators answer on a line of their own and are called like them."""
_FRAMINGS: Final = {
    "modbus+tcp": "tcp",
    "modbus+rtu": "rtu",
    "modbus+rtu+tcp": "rtu",
    "modbus+ascii": "ascii",
    "modbus+ascii+tcp": "ascii",
}
_MODBUS: Final = "modbus"
REGISTER_MAP: Final = "register_map"
SHARING: Final = frozenset({REGISTER_MAP, "virtual_bioreactor", "virtual_cryostore", "virtual_incubator"})
"""Simulators that read the same profile as the driver: an error in its map is not found with them."""
_CLOSED_PORT: Final = 9


@dataclass(frozen=True, slots=True)
class Twin:
    """A device's simulator: ``entry`` is its row of the fleet file, ``scheme`` and ``query`` make its link."""

    device: str
    kind: str
    entry: Mapping[str, object]
    scheme: str
    query: str

    def link(self, wires: Mapping[str, str]) -> str:
        """Return the link to the simulator at ``wires``; raises NotLoopback for any other place."""
        if "tcp" in wires:
            host = wires["tcp"].rpartition(":")[0]
            if not is_loopback(host):
                raise NotLoopback(f"{self.device}: {wires['tcp']} is not this machine's loopback; nothing was opened")
            return f"{self.scheme}://{wires['tcp']}"
        if "pty" not in wires:
            raise NotLoopback(f"{self.device}: its simulator has no wire; nothing was opened")
        return f"{self.scheme}://{wires['pty']}" + (f"?{self.query}" if self.query else "")


def twin_of(row: DeviceRow, *, by_map: bool = False) -> Twin | str:
    """Return how a device is twinned, or why no simulator can stand in for it.

    ``by_map`` takes a Modbus device's own register map for its twin where a simulator was written for it, too.
    """
    parts = urlsplit(row.link)
    scheme = parts.scheme
    if row.driver == _MODBUS:
        framing = _FRAMINGS.get(scheme, "tcp")
        kind, options = _modbus_kind(row, framing, by_map=by_map)
        serial = scheme in ("modbus+rtu", "modbus+ascii")
        return _twin(row, kind, scheme if scheme in _FRAMINGS else "modbus+tcp", parts.query if serial else "", options)
    if row.driver not in _ANSWERING:
        return f"no simulator speaks {row.driver} on a line of its own"
    if scheme == "serial":
        return _twin(row, row.driver, scheme, parts.query, row.options)
    if scheme == "http":
        return _twin(row, row.driver, scheme, "", row.options)
    if scheme in ("tcp", "replay"):
        return _twin(row, row.driver, "tcp", "", row.options)
    return f"no simulator of {row.driver} is reached by {scheme}"


def _twin(row: DeviceRow, kind: str, scheme: str, query: str, options: Mapping[str, object]) -> Twin:
    is_terminal = scheme in ("serial", "modbus+rtu", "modbus+ascii")
    wire: dict[str, object] = {"pty": None} if is_terminal else {"tcp": "127.0.0.1:0"}
    entry = {"name": row.id, "kind": kind, "wire": wire, "options": dict(options)}
    return Twin(row.id, kind, entry, scheme, query)


def _modbus_kind(row: DeviceRow, framing: str, *, by_map: bool) -> tuple[str, dict[str, object]]:
    """Return the simulator written for the device where it can be set as the site says, else one of its map."""
    profile = str(row.options.get("profile", ""))
    path = profile if profile.endswith(".toml") else str(driver_folder(_MODBUS) / "profiles" / f"{profile}.toml")
    kind, framings = _DEDICATED.get(profile, ("", ()))
    if not by_map and framing in framings and not {"unit_id", "decimals"} & set(row.options):
        options = {key: value for key, value in row.options.items() if key != "profile"}
        if kind.startswith("virtual_"):
            return kind, {"profile": path}
        return kind, options if kind.startswith("vaisala") else {**options, "framing": framing}
    return REGISTER_MAP, {**row.options, "profile": path, "framing": framing}


def _nowhere(row: DeviceRow) -> str:
    """Return a link of the same kind behind which nobody is: a device without a twin keeps its rules, and is lost."""
    scheme = urlsplit(row.link).scheme
    if scheme in ("serial", "modbus+rtu", "modbus+ascii", "listen+serial", "folder", "replay"):
        return f"{scheme}:///dev/null/{row.id}"
    return f"{scheme}://127.0.0.1:{_CLOSED_PORT}"


def twin_site(
    site: Site, twins: Mapping[str, Twin], wires: Mapping[str, Mapping[str, str]], measuring: Collection[str]
) -> Site:
    """Return the site with each device at its simulator and without anything that sends.

    Devices of ``measuring`` without a simulator keep their rules and are lost; others without one are left out. Raises
    NotLoopback, and ConfigError for a part of a site nobody has judged yet.
    """
    replaced: dict[str, Any] = {}
    for part in fields(site):
        if part.name in OUTLETS:
            replaced[part.name] = OUTLETS[part.name]
        elif part.name not in KEPT:
            raise ConfigError(f"a challenge does not know whether {part.name!r} of a site file sends something out")
    devices = tuple(
        replace(
            row,
            link=twins[row.id].link(wires.get(row.id, {})) if row.id in twins else _nowhere(row),
            deadline_s=DEADLINE_S,
            simulated=True,
            in_service=True,
            calibrated_until=None,
        )
        for row in site.devices
        if row.id in twins or row.id in measuring
    )
    return replace(site, devices=devices, **replaced)
