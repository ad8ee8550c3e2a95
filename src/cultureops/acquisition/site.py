"""The ``[[device]]`` rows of a site file."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cultureops.clock import Instant
from cultureops.config import Table
from cultureops.equipment.chamber import calibrated_until

__all__ = ["DeviceRow", "devices_from"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One device as the site file describes it.

    ``deadline_s`` is the real time an answer may take; ``period_ms`` is lab time between polls; ``max_rates`` are the
    fastest believable changes by channel name [unit per minute].
    """

    id: str
    chamber: str | None
    driver: str
    link: str
    period_ms: int
    deadline_s: float
    simulated: bool
    in_service: bool
    calibrated_until: Instant | None
    options: Mapping[str, object]
    max_rates: Mapping[str, float]
    row: Table


def devices_from(rows: Sequence[Table], chambers: Collection[str]) -> tuple[DeviceRow, ...]:
    """Read the device rows in file order; raise ConfigError with file and line for what can't be."""
    devices: dict[str, DeviceRow] = {}
    for row in rows:
        device = _device(row, chambers)
        if device.id in devices:
            raise row.error(f"device {device.id!r} stands twice in this file", "id")
        devices[device.id] = device
    return tuple(devices.values())


def _device(row: Table, chambers: Collection[str]) -> DeviceRow:
    device_id = row.text("id")
    if not _NAME.fullmatch(device_id):
        raise row.error(f"{device_id!r} is no device name; use small letters, digits and underscores", "id")
    chamber = row.text("chamber", "") or None
    if chamber is not None and chamber not in chambers:
        known = ", ".join(chambers) or "none"
        raise row.error(f"there is no chamber {chamber!r}; known chambers: {known}", "chamber")
    simulated = row.flag("simulated", False)
    if row.text("link").startswith("replay:") and not simulated:
        raise row.error("a dialogue played back is no device; write simulated = true", "link")
    options = row.optional_table("options")
    device = DeviceRow(
        id=device_id,
        chamber=chamber,
        driver=row.text("driver"),
        link=row.text("link"),
        period_ms=round(row.number("period_s", 60.0, minimum=0.01, maximum=86_400) * 1000),
        deadline_s=row.number("deadline_s", 1.0, minimum=0.01, maximum=60),
        simulated=simulated,
        in_service=row.flag("in_service", True),
        calibrated_until=calibrated_until(row),
        options=options.raw() if options else {},
        max_rates=_max_rates(row),
        row=row,
    )
    row.done()
    return device


def _max_rates(row: Table) -> Mapping[str, float]:
    table = row.optional_table("max_rate_per_min")
    if table is None:
        return {}
    rates = {name: table.number(name, minimum=0) for name in tuple(table.keys())}
    table.done()
    return rates
