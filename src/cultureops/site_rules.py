"""The alarm rules of a site: its rows, met with the channels that its devices deliver."""

from __future__ import annotations

from collections.abc import Mapping

from cultureops.acquisition import MeasuredChannel
from cultureops.alarms import ChamberInfo, Rule, rules_from
from cultureops.clock import SECOND_MS
from cultureops.config import Table
from cultureops.device.channel import Channel
from cultureops.equipment import Chamber, chambers_from
from cultureops.site import Site
from cultureops.telemetry.mirror_lag import LAG, LAG_EVERY_MS, OWN_DEVICE

__all__ = ["rules_in", "rules_of"]


def rules_of(site: Site, channels: Mapping[str, MeasuredChannel]) -> tuple[Rule, ...]:
    """Return every rule of the site file; raises ConfigError with file and line for a wrong row."""
    infos = _chamber_infos(site.chambers, channels, is_mirrored=site.influxdb is not None)
    return rules_from(site.alarm_rows, infos)


def rules_in(table: Table, channels: Mapping[str, MeasuredChannel]) -> tuple[Rule, ...]:
    """Return the rules of a former site file as they read with the channels of today; raises ConfigError."""
    chambers = chambers_from(table.tables("chamber"), table.tables("room"))
    known = {name: row for name, row in channels.items() if row.chamber in chambers}
    is_mirrored = table.optional_table("influxdb") is not None
    return rules_from(table.tables("alarm"), _chamber_infos(chambers, known, is_mirrored=is_mirrored))


def _chamber_infos(
    chambers: Mapping[str, Chamber], channels: Mapping[str, MeasuredChannel], *, is_mirrored: bool
) -> dict[str, ChamberInfo]:
    """Say of each chamber which device delivers which channel; the program counts as one of its own."""
    devices: dict[str, dict[str, dict[str, Channel]]] = {chamber: {} for chamber in chambers}
    periods_s: dict[str, float] = {}
    for row in channels.values():
        if row.chamber is not None:
            devices[row.chamber].setdefault(row.device, {})[row.channel.name] = row.channel
            periods_s[row.device] = row.period_ms / SECOND_MS
    infos = {row.id: ChamberInfo(row.id, row.chamber_class, devices[row.id], periods_s) for row in chambers.values()}
    if is_mirrored:
        periods_s[OWN_DEVICE] = LAG_EVERY_MS / SECOND_MS
        infos[OWN_DEVICE] = ChamberInfo(OWN_DEVICE, OWN_DEVICE, {OWN_DEVICE: {LAG.name: LAG}}, periods_s)
    return infos
