"""InfluxQL, written so that no name can be read as anything but a name. Pure.

Source: https://docs.influxdata.com/influxdb/v1/query_language/spec/ (identifiers, string and duration literals).
"""

from __future__ import annotations

from typing import Final

from cultureops.clock import Instant
from cultureops.telemetry.series_address import Address, carried

__all__ = ["EARLIEST_MS", "LATEST_MS", "identifier", "literal", "of_series", "of_site", "within"]

EARLIEST_MS: Final = -9_223_372_036_854
"""The first whole millisecond that a server's times, nanoseconds in 64 bits, can name."""
LATEST_MS: Final = 9_223_372_036_854

_IN_NAMES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_IN_TEXTS: Final = str.maketrans({"\\": r"\\", "'": r"\'", "\n": r"\n"})


def identifier(name: str) -> str:
    """Quote the name of a measurement, a field or a tag."""
    return f'"{name.translate(_IN_NAMES)}"'


def literal(text: str) -> str:
    """Quote a text that is compared with a tag."""
    return f"'{text.translate(_IN_TEXTS)}'"


def of_site(site: str) -> str:
    """Say that a point is one of this site."""
    return f'"site" = {literal(carried(site))}'


def of_series(address: Address, site: str) -> str:
    """Return the clauses from FROM on that name one channel's points of a site."""
    tag = f"{identifier(address.key)} = {literal(address.owner)}"
    return f"FROM {identifier(address.measurement)} WHERE {of_site(site)} AND {tag}"


def within(start: Instant, end: Instant) -> str:
    """Say that ``start <= time < end`` [ms UTC], as far as a server can name such times."""
    first, last = (min(max(at, EARLIEST_MS), LATEST_MS) for at in (start, end))
    return f"time >= {first}ms AND time < {last}ms"
