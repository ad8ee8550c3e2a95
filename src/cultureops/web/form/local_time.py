"""Times as forms ask for them: in the site's zone, to the minute, as ``datetime-local`` sends and shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cultureops.clock import Instant
from cultureops.errors import ConfigError

__all__ = ["as_typed", "instant_of"]


def instant_of(text: str, zone: ZoneInfo, name: str) -> Instant | None:
    """Return the instant that somebody chose [ms UTC], None where they chose none.

    A time without an offset is the site's; of one that its clocks show twice, the first. Raises ConfigError that names
    the field for anything else, and for times before 1970.
    """
    if not text.strip():
        return None
    try:
        at = datetime.fromisoformat(text.strip())
        seconds = (at.replace(tzinfo=zone) if at.tzinfo is None else at).timestamp()
    except (ValueError, OverflowError):
        raise ConfigError(f"{name}: expected a time such as 2026-01-05T08:00, not {text[:40]!r}") from None
    if seconds < 0:
        raise ConfigError(f"{name}: expected a time from 1970 on, not {text[:40]!r}")
    return round(seconds * 1000)


def as_typed(instant: Instant | None, zone: ZoneInfo) -> str:
    """Write an instant as a field ``datetime-local`` takes it, empty where there is none."""
    if instant is None:
        return ""
    return f"{datetime.fromtimestamp(instant / 1000, UTC).astimezone(zone):%Y-%m-%dT%H:%M}"
