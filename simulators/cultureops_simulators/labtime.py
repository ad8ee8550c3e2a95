"""Lab time of a simulated lab: where it starts and how an instrument's own clock shows it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from cultureops_simulators.instrument import Options, SimulatorError

__all__ = ["parse_start", "start_option"]

DEFAULT_START: Final = "2026-01-05T08:00:00Z"


def parse_start(text: object) -> datetime:
    """Parse an ISO 8601 time with its zone; raises SimulatorError."""
    try:
        start = datetime.fromisoformat(str(text))
    except ValueError:
        raise SimulatorError(f"start: expected an ISO 8601 time such as {DEFAULT_START}, got {text!r}") from None
    if start.tzinfo is None:
        raise SimulatorError(f"start: {text!r} lacks its time zone; end it with Z for UTC")
    return start.astimezone(UTC)


def start_option(name: str, options: Options) -> datetime:
    """Return option ``start`` in the zone of option ``time_zone`` (an IANA name; UTC when absent)."""
    zone = options.get("time_zone", "UTC")
    try:
        tzinfo = ZoneInfo(str(zone))
    except (ValueError, OSError, LookupError):
        raise SimulatorError(f"{name}: time_zone {zone!r} is no IANA time zone such as Europe/Berlin") from None
    return parse_start(options.get("start", DEFAULT_START)).astimezone(tzinfo)
