"""When the next backup is due. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cultureops.backup.settings import BackupSettings
from cultureops.clock import HOUR_MS, Instant

__all__ = ["next_due"]


def next_due(settings: BackupSettings, zone: ZoneInfo, last: Instant | None, begun: Instant) -> Instant:
    """Return when the next backup is due [ms UTC]; ``last`` is when the last good one was begun.

    A lab that began to run at ``begun`` and never had one makes it at once. One that was missed, as over a night in
    which the machine was off, is due at once too. A time of day that a change to summer time skips is the instant at
    which it would have been; one that comes twice is the first.
    """
    if last is None:
        return begun
    if settings.every_h is not None:
        return last + round(settings.every_h * HOUR_MS)
    assert settings.at is not None
    day = datetime.fromtimestamp(last / 1000, UTC).astimezone(zone).date()
    while True:
        at = datetime.combine(day, settings.at, zone)
        due = round(at.timestamp() * 1000)
        if due > last:
            return due
        day += timedelta(days=1)
