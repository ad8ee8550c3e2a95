"""The sections ``[backup]`` and ``[retention]`` of a site file; every figure is a proposal of ours that a site sets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Final

from cultureops.config import Table

__all__ = ["BackupSettings", "RetentionSettings", "backup_from", "retention_from"]

_MOST_YEARS: Final = 200


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """When backups are made, where, and how many stay.

    Made daily ``at`` a time of day in the site's zone, or ``every_h`` hours [h]; exactly one is set. ``keep`` counts
    the newest ones that stay, ``keep_d`` [d] keeps younger ones beyond that. What an earlier backup holds is read back
    anew once it was not for ``reread_d`` days [d]. The alarm comes when none succeeded for ``alarm_after_h`` [h].
    """

    folder: Path
    at: time | None = time(2, 0)
    every_h: float | None = None
    keep: int = 30
    keep_d: float = 0.0
    reread_d: float = 30.0
    alarm_after_h: float = 49.0


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """How long things must be kept [years]; nothing is ever deleted by it, it only says what is beyond."""

    records_years: float = 30.0
    telemetry_years: float = 30.0


def backup_from(table: Table | None) -> BackupSettings | None:
    """Read the section; None where there is none. Raises ConfigError with file and line."""
    if table is None:
        return None
    folder = Path(table.text("folder"))
    if not folder.is_absolute():
        raise table.error("must be an absolute path, better on another disk or host", "folder")
    if table.has("at") and table.has("every_h"):
        raise table.error("give either at or every_h, not both", "every_h")
    every_h = table.number("every_h", minimum=0.25, maximum=168) if table.has("every_h") else None
    at = None if every_h is not None else _time_of_day(table)
    usual_h = 2 * (24.0 if every_h is None else every_h) + 1
    settings = BackupSettings(
        folder=folder,
        at=at,
        every_h=every_h,
        keep=table.integer("keep", 30, minimum=2, maximum=100_000),
        keep_d=table.number("keep_d", 0.0, minimum=0, maximum=100 * 366),
        reread_d=table.number("reread_d", 30.0, minimum=0, maximum=366),
        alarm_after_h=table.number("alarm_after_h", usual_h, minimum=0.25, maximum=24 * 31),
    )
    table.done()
    return settings


def retention_from(table: Table | None) -> RetentionSettings:
    """Read the section, or take the defaults where there is none; raises ConfigError with file and line."""
    known = RetentionSettings()
    if table is None:
        return known
    settings = RetentionSettings(
        records_years=table.number("records_years", known.records_years, minimum=1, maximum=_MOST_YEARS),
        telemetry_years=table.number("telemetry_years", known.telemetry_years, minimum=1, maximum=_MOST_YEARS),
    )
    table.done()
    return settings


def _time_of_day(table: Table) -> time:
    text = table.text("at", "02:00")
    try:
        hour, minute = (int(part) for part in text.split(":"))
        return time(hour, minute)
    except ValueError:
        raise table.error(f"expected a time of day such as 02:00, not {text!r}", "at") from None
