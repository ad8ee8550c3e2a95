"""The channels that a site's devices deliver, and its alarm rules: the rows of the site file, met with those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cultureops.acquisition import Acquisition, MeasuredChannel
from cultureops.alarms import ChamberInfo, Rule, rules_from
from cultureops.alarms.gateway import Gateway
from cultureops.clock import SECOND_MS, SystemClock
from cultureops.config import Table
from cultureops.device.channel import Channel
from cultureops.equipment import Chamber, chambers_from
from cultureops.site import Site
from cultureops.telemetry.mirror_lag import LAG, LAG_EVERY_MS, OWN_DEVICE

__all__ = ["channels_of", "channels_of_gateway", "gateways_of", "remote_channels", "rules_in", "rules_of"]


def channels_of(site: Site) -> dict[str, MeasuredChannel]:
    """Return every channel of a site, a hub's gateways' too; touches no device. Raises ConfigError."""
    if site.hub is not None:
        return {row.id: row for row in channels_of_gateway(site)}
    own = Acquisition(site.devices, SystemClock(), lambda _: None).channels
    return {row.id: row for row in (*own, *remote_channels(site))}


def remote_channels(site: Site) -> tuple[MeasuredChannel, ...]:
    """Return the channels that a hub's gateways read, gateway by gateway; raises ConfigError."""
    return tuple(
        replace(row, origin=name)
        for name, gateway in site.gateway_sites.items()
        for row in channels_of_gateway(gateway)
    )


def channels_of_gateway(site: Site) -> tuple[MeasuredChannel, ...]:
    """Return the channels of a gateway's own devices; raises ConfigError, also for a device that can't stand there."""
    acquisition = Acquisition(site.devices, SystemClock(), lambda _: None)
    for device in site.devices:
        if device.id in acquisition.hand_over:
            raise device.row.error(
                f"device {device.id!r} hands over results, which belong into batches, and those are at the hub; "
                "let the hub read it",
                "driver",
            )
    return acquisition.channels


def rules_of(site: Site, channels: Mapping[str, MeasuredChannel]) -> tuple[Rule, ...]:
    """Return every rule of the site file; raises ConfigError with file and line for a wrong row.

    A hub's gateways keep their own: their channels may be among ``channels``.
    """
    known = {name: row for name, row in channels.items() if row.chamber in site.chambers}
    return rules_from(site.alarm_rows, _chamber_infos(site.chambers, known, is_mirrored=site.is_mirrored))


def gateways_of(site: Site, channels: Mapping[str, MeasuredChannel]) -> tuple[Gateway, ...]:
    """Return the gateways whose alarms a hub follows, with the rules of their site files; raises ConfigError."""
    if site.gateways is None:
        return ()
    return tuple(
        Gateway(
            row.name,
            tuple(site.gateway_sites[row.name].chambers),
            tuple(device.id for device in site.gateway_sites[row.name].devices),
            tuple(rule for rule in rules_of(site.gateway_sites[row.name], channels) if rule.device != OWN_DEVICE),
            row.site_sha256(),
        )
        for row in site.gateways.rows
    )


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
