"""The outlets that a site file asks for: the InfluxDB mirror and the MQTT publishers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cultureops import __version__
from cultureops.acquisition import MeasuredChannel
from cultureops.alarms.alarms import Alarms
from cultureops.alarms.rule import Exposure
from cultureops.clock import Clock
from cultureops.errors import ConfigError
from cultureops.mqtt import EdgeNode, LabMetrics, Outlet, Outlets, Publisher, SparkplugPublisher, Standing
from cultureops.site import Site
from cultureops.telemetry import EmbeddedStore
from cultureops.telemetry.line_protocol import Labels
from cultureops.telemetry.mirror import Mirror
from cultureops.telemetry.mirror_lag import LAG_ID

__all__ = ["check_topics", "labels_of", "mirror_of", "publisher_of"]


def mirror_of(site: Site, data_dir: Path, clock: Clock, store: EmbeddedStore) -> Mirror | None:
    """Return the mirror of a site that names a server; raises Unreadable for its damaged files."""
    if site.influxdb is None:
        return None
    return Mirror(store, site.influxdb, labels_of(site), data_dir, clock)


def labels_of(site: Site) -> Labels:
    """Return what tells a site's channels apart on a server that others use, too."""
    return Labels(site.name, {device.id: device.chamber for device in site.every_device})


def publisher_of(
    site: Site, channels: Mapping[str, MeasuredChannel], clock: Clock, store: EmbeddedStore, engine: Alarms,
    exposed: Exposure,
) -> Outlet | None:  # fmt: skip
    """Return the publishers of a site that names a broker; raises ConfigError for a name that no topic can bear."""
    if site.mqtt is None:
        return None
    check_topics(site, channels)
    shown = frozenset((*channels, *(() if site.influxdb is None else (LAG_ID,))))
    outlets: list[Outlet] = []
    if site.mqtt.json:
        standing = Standing(site.mqtt.topics, clock, store, engine, exposed, shown)
        outlets.append(Publisher(site.mqtt, standing, clock))
    if (sparkplug := site.mqtt.sparkplug) is not None:
        metrics = LabMetrics(clock, store, engine, exposed, shown)
        facts = (("Properties/Site", site.name), ("Properties/Software", f"cultureops {__version__}"))
        node = EdgeNode(sparkplug.names, metrics, facts)
        outlets.append(SparkplugPublisher(site.mqtt, sparkplug, metrics, node, clock))
    return outlets[0] if len(outlets) == 1 else Outlets(outlets)


def check_topics(site: Site, channels: Mapping[str, MeasuredChannel]) -> None:
    """Refuse a device whose channels can't be told to the broker; raises ConfigError."""
    if site.mqtt is None:
        return
    rows = {device.id: device.row for device in site.every_device}
    for channel in channels.values():
        try:
            site.mqtt.topics.channel(channel.id)
            if site.mqtt.sparkplug is not None:
                site.mqtt.sparkplug.names.device("DBIRTH", channel.device)
        except ConfigError as error:
            raise rows[channel.device].error(f"device {channel.device!r}: {error}", "options") from None
