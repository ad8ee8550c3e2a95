"""Which UTC offset was in force at a site; readings themselves are kept in UTC. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from cultureops.clock import DAY_MS, HOUR_MS
from cultureops.errors import ConfigError
from cultureops.telemetry.month import END_MS, FIRST_MS
from cultureops.telemetry.store import Integers

__all__ = ["is_offset", "offset_text", "utc_offsets_min", "zone_named"]

_OFFSET: Final = re.compile(r"[+-]\d\d:[0-5]\d")


def zone_named(name: str) -> ZoneInfo:
    """Return the time zone of a name such as Europe/Vienna; raise ConfigError for what is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"{name!r} is no time zone; write e.g. Europe/Vienna or UTC") from None


def utc_offsets_min(zone: ZoneInfo, source_ms: Integers) -> NDArray[np.int16]:
    """Return the offset [min] at each time [ms UTC]; seconds, which zones had before 1972, are rounded."""
    hours, row = np.unique(source_ms // HOUR_MS, return_inverse=True)
    begins, ends = (
        np.array([_offset_min(zone, hour * HOUR_MS) for hour in some.tolist()], np.int16) for some in (hours, hours + 1)
    )
    offsets = begins[row]
    for at in np.flatnonzero((begins != ends)[row]).tolist():  # hours in which the clocks were changed
        offsets[at] = _offset_min(zone, int(source_ms[at]))
    return offsets


def _offset_min(zone: ZoneInfo, instant: int) -> int:
    inside = min(max(instant, FIRST_MS + DAY_MS), END_MS - DAY_MS)  # no local time before the year 1 or after 9999
    offset = datetime.fromtimestamp(inside // 1000, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds() / 60)


def offset_text(offset_min: int) -> str:
    """Write an offset as in ISO 8601, e.g. +01:00."""
    hours, minutes = divmod(abs(offset_min), 60)
    return f"{'-' if offset_min < 0 else '+'}{hours:02}:{minutes:02}"


def is_offset(text: str) -> bool:
    """Say whether a text is an offset as ``offset_text`` writes it."""
    return _OFFSET.fullmatch(text) is not None
