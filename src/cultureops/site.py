"""A site file, read: what the lab is called, what stands in it, what is watched, and where its pages are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
from cultureops.mqtt import MqttSettings, mqtt_from
from cultureops.notify.settings import NotifySettings, notify_from
from cultureops.self_check import self_check_from
from cultureops.telemetry.mirror_lag import OWN_DEVICE
from cultureops.telemetry.mirror_settings import MirrorSettings, mirror_from
from cultureops.web.settings import WebSettings, web_from

__all__ = ["Site", "equipment_register", "read_site", "site_from"]

LONGEST_ID: Final = 64
LONGEST_TITLE: Final = 200


@dataclass(frozen=True, slots=True)
class Site:
    """A site file, read: everything but the alarm rules, which need the devices' channels first.

    ``notify`` is None where a site tells nobody, ``backup`` where it has no backups made; ``file`` is the one read.
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


def read_site(path: Path) -> Site:
    """Read and check a site file; raise ConfigError with file and line."""
    return site_from(load(path), path)


def site_from(table: Table, path: Path) -> Site:
    """Read and check what a site file holds; names of other files in it count from ``path``. Raises ConfigError."""
    site, web = table.table("site"), web_from(table.optional_table("web"), path.parent)
    name, zone = site.text("name"), _zone(site)
    _check_label(site, "name")
    site.done()
    chambers = chambers_from(table.tables("chamber"), table.tables("room"))
    devices = devices_from(table.tables("device"), chambers)
    alarm_rows = table.tables("alarm")
    _check_names(*table.tables("chamber"), *table.tables("room"), *table.tables("device"))
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
    table.done()
    return Site(
        name, zone, web, chambers, devices, alarm_rows, influxdb, mqtt, recipes, notify, *limits, backup, retention,
        path, access, ledger,
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
        devices=(Declared(row.id, "device", row.id, row.in_service, row.calibrated_until) for row in site.devices),
        chambers=(
            Declared(row.id, row.chamber_class, row.title, row.in_service, row.calibrated_until)
            for row in site.chambers.values()
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
