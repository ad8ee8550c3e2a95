"""A site file, read: what the lab is called, what stands in it, what is watched, and where its pages are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cultureops.access.policy import Policy, access_from
from cultureops.acquisition import DeviceRow, devices_from
from cultureops.alarms.own import OwnLimits
from cultureops.backup.settings import BackupSettings, RetentionSettings, backup_from, retention_from
from cultureops.batch.process_alarms import ProcessLimits, process_limits_from
from cultureops.batch.recipe import load_recipe
from cultureops.batch.recipe_schema import Recipe
from cultureops.config import Table, load
from cultureops.equipment import Chamber, Declared, EquipmentRegister, chambers_from
from cultureops.equipment.calibration_alarms import CalibrationLimits, calibration_limits_from
from cultureops.ledger.settings import LedgerSettings, ledger_from
from cultureops.ledger.store import UNNAMED
from cultureops.mqtt import MqttSettings, mqtt_from
from cultureops.notify.settings import NotifySettings, notify_from
from cultureops.self_check import self_check_from
from cultureops.sync import GatewayRow, GatewaysSettings, HubSettings, gateways_from, hub_from
from cultureops.telemetry.mirror_lag import OWN_DEVICE
from cultureops.telemetry.mirror_settings import MirrorSettings, mirror_from
from cultureops.tracing import TracingSettings
from cultureops.tracing_settings import tracing_from
from cultureops.web.settings import WebSettings, web_from

__all__ = ["Site", "equipment_register", "read_site", "site_from"]

LONGEST_ID: Final = 64
LONGEST_TITLE: Final = 200


@dataclass(frozen=True, slots=True)
class Site:
    """A site file, read: everything but the alarm rules, which need the devices' channels first.

    ``notify`` is None where a site tells nobody, ``backup`` where it has no backups made; ``file`` is the one read.
    ``hub`` is a gateway's; ``gateways`` are a hub's, and ``gateway_sites`` by gateway's name what their site files say
    of what stands there.
    """

    name: str
    zone: ZoneInfo
    web: WebSettings
    chambers: Mapping[str, Chamber]
    devices: tuple[DeviceRow, ...]
    alarm_rows: tuple[Table, ...]
    influxdb: MirrorSettings | None = None
    mqtt: MqttSettings | None = None
    recipes: tuple[Recipe, ...] = ()
    notify: NotifySettings | None = None
    own_limits: OwnLimits = field(default_factory=OwnLimits)
    process_limits: ProcessLimits = field(default_factory=ProcessLimits)
    calibration_limits: CalibrationLimits = field(default_factory=CalibrationLimits)
    backup: BackupSettings | None = None
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    file: Path | None = None
    access: Policy = field(default_factory=Policy)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    hub: HubSettings | None = None
    gateways: GatewaysSettings | None = None
    gateway_sites: Mapping[str, Site] = field(default_factory=dict)
    is_mirrored: bool = False
    tracing: TracingSettings | None = None

    @property
    def origin(self) -> str:
        """The name of the node that runs on this file, which its log bears."""
        return UNNAMED if self.hub is None else self.hub.gateway

    @property
    def every_chamber(self) -> Mapping[str, Chamber]:
        """The chambers of this site, then those of its gateways."""
        return dict(self.chambers) | {
            name: chamber for site in self.gateway_sites.values() for name, chamber in site.chambers.items()
        }

    @property
    def every_device(self) -> tuple[DeviceRow, ...]:
        """The devices of this site, then those of its gateways."""
        return (*self.devices, *(device for site in self.gateway_sites.values() for device in site.devices))


def read_site(path: Path) -> Site:
    """Read and check a site file; raise ConfigError with file and line."""
    return site_from(load(path), path)


def site_from(table: Table, path: Path) -> Site:
    """Read and check what a site file holds; names of other files in it count from ``path``. Raises ConfigError."""
    web = web_from(table.optional_table("web"), path.parent)
    name, zone, chambers, devices, alarm_rows = _premises(table)
    influxdb = mirror_from(table.optional_table("influxdb"))
    mqtt = mqtt_from(table.optional_table("mqtt"), name)
    recipes = _recipes(path.parent, table.tables("recipe"))
    notify = notify_from(table, name, zone)
    limits = (
        self_check_from(table.optional_table("self_check")),
        process_limits_from(table.optional_table("process_alarms")),
        calibration_limits_from(table.optional_table("calibration_alarms")),
    )
    backup, retention = (
        backup_from(table.optional_table("backup")), retention_from(table.optional_table("retention"))
    )  # fmt: skip
    access = access_from(table.optional_table("access"), name, zone.key)
    ledger = ledger_from(table.optional_table("ledger"), path.parent)
    tracing = tracing_from(table.optional_table("opentelemetry"), path.parent)
    hub = hub_from(table.optional_table("hub"), path.parent)
    gateways = gateways_from(table.optional_table("gateways"), table.tables("gateway"), path.parent)
    if hub is not None and gateways is not None:
        raise table.error("a hub has no hub itself: a site file holds [hub] or [gateways], not both", "hub")
    table.done()
    site = Site(
        name, zone, web, chambers, devices, alarm_rows, influxdb, mqtt, recipes, notify, *limits, backup, retention,
        path, access, ledger, hub, gateways, is_mirrored=influxdb is not None, tracing=tracing,
    )  # fmt: skip
    return site if gateways is None else replace(site, gateway_sites=_gateway_sites(table, gateways))


def _premises(table: Table) -> tuple[str, ZoneInfo, dict[str, Chamber], tuple[DeviceRow, ...], tuple[Table, ...]]:
    """Read what the site is called and what stands there: name, time zone, chambers, devices, rows of alarms."""
    site = table.table("site")
    name, zone = site.text("name"), _zone(site)
    _check_label(site, "name")
    site.done()
    chambers = chambers_from(table.tables("chamber"), table.tables("room"))
    devices = devices_from(table.tables("device"), chambers)
    _check_names(*_named(table))
    return name, zone, chambers, devices, table.tables("alarm")


def _named(table: Table) -> tuple[Table, ...]:
    return *table.tables("chamber"), *table.tables("room"), *table.tables("device")


def _gateway_sites(table: Table, gateways: GatewaysSettings) -> dict[str, Site]:
    """Read the copies of the gateways' site files; raises ConfigError, also for an id that stands at two sites."""
    sites = dict[str, Site]()
    owners = {row.text("id"): "this hub's own site file" for row in _named(table)}
    for gateway, row in zip(gateways.rows, table.tables("gateway"), strict=True):
        copy = load(gateway.site)
        site = _gateway_site(copy, gateway, row)
        own = dict[str, str]()
        for named in _named(copy):
            name = named.text("id")
            if name in owners:
                raise named.error(f"{name!r} stands in {owners[name]} too; choose another for one of them", "id")
            own[name] = f"the site file of {gateway.name}"
        owners |= own
        sites[gateway.name] = site
    return sites


def _gateway_site(copy: Table, gateway: GatewayRow, row: Table) -> Site:
    """Read what a hub needs of a gateway's site file; its passwords and certificates lie at the gateway alone."""
    hub = hub_from(copy.optional_table("hub"), gateway.site.parent)
    if hub is None:
        raise row.error(f"{gateway.site} has no [hub] section, so it is no gateway's site file", "site")
    if hub.gateway != gateway.name:
        raise row.error(f"{gateway.site} is the site file of {hub.gateway!r}", "site")
    name, zone, chambers, devices, alarm_rows = _premises(copy)
    return Site(
        name, zone, WebSettings(), chambers, devices, alarm_rows, file=gateway.site, hub=hub,
        own_limits=self_check_from(copy.optional_table("self_check")), is_mirrored=copy.has("influxdb"),
    )  # fmt: skip


def _recipes(folder: Path, rows: tuple[Table, ...]) -> tuple[Recipe, ...]:
    """Read the site's own recipes, ``[[recipe]] file = "..."`` beside the site file."""
    found: dict[str, Recipe] = {}
    for row in rows:
        recipe = load_recipe(folder / row.text("file"))
        if recipe.name in found:
            raise row.error(f"two files hold a recipe named {recipe.name}; new batches follow one", "file")
        found[recipe.name] = recipe
        row.done()
    return tuple(found.values())


def equipment_register(site: Site) -> EquipmentRegister:
    """Return a register that knows what the site file declares, and no event yet."""
    return EquipmentRegister(
        devices=(Declared(row.id, "device", row.id, row.in_service, row.calibrated_until) for row in site.every_device),
        chambers=(
            Declared(row.id, row.chamber_class, row.title, row.in_service, row.calibrated_until)
            for row in site.every_chamber.values()
        ),
    )


def _check_names(*rows: Table) -> None:
    for row in rows:
        row_id = row.text("id")
        if row_id == OWN_DEVICE:
            raise row.error(f"{OWN_DEVICE!r} is this program itself; choose another name", "id")
        if not _is_label(row_id, LONGEST_ID) or "/" in row_id:
            raise row.error(f"expected 1 to {LONGEST_ID} printable characters, without a slash or blanks around", "id")
        if row.has("title"):
            _check_label(row, "title")


def _check_label(row: Table, key: str) -> None:
    if not _is_label(row.text(key), LONGEST_TITLE):
        raise row.error(f"expected 1 to {LONGEST_TITLE} printable characters, without blanks around", key)


def _is_label(text: str, longest: int) -> bool:
    """Whether a text can stand in an address, on a page and in a terminal: it holds nothing that they would obey."""
    return 0 < len(text) <= longest and text.isprintable() and text == text.strip()


def _zone(site: Table) -> ZoneInfo:
    name = site.text("time_zone", "UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise site.error(f"{name!r} is no time zone; write e.g. Europe/Berlin", "time_zone") from None
