"""Which fields of a step an instrument can fill in: channels by class and standard name, never by vendor.

A value counts as taken from an instrument while it is exactly what the store holds; one that was edited was typed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cultureops.batch import commands as asked
from cultureops.batch.field import Details
from cultureops.clock import MINUTE_MS

__all__ = ["COLLECTED_WITHIN_MS", "SOURCES", "ChannelSource", "places_in"]

COLLECTED_WITHIN_MS: Final = 30 * MINUTE_MS
"""How much older than its step a value that was taken may be; a form is filled in, and may wait ten minutes offline."""


@dataclass(frozen=True, slots=True)
class ChannelSource:
    """What may fill in a field: channels of a class of chamber, in a unit; ``place`` is the field that names it."""

    chamber_class: str
    channels: frozenset[str]
    unit: str
    place: str


_THERMOCOUPLES: Final = frozenset(f"tc{number}" for number in range(1, 11))
_COLD: Final = frozenset({"temp_a", "temp_b"})

SOURCES: Final[Mapping[tuple[type[Details], str], tuple[ChannelSource, ...]]] = {
    (asked.Thaw, "bath_temperature_c"): (ChannelSource("bath", frozenset({"temperature"}), "Cel", "bath"),),
    (asked.CheckStorage, "temperature_c"): (
        ChannelSource("cryostore", _COLD, "Cel", "store"),
        ChannelSource("freezer", _THERMOCOUPLES, "Cel", "store"),
    ),
    (asked.CheckStorage, "level_pct"): (ChannelSource("cryostore", frozenset({"level"}), "%", "store"),),
    (asked.Freeze, "store_temperature_c"): (
        ChannelSource("cryostore", _COLD, "Cel", "vials"),
        ChannelSource("freezer", _THERMOCOUPLES, "Cel", "vials"),
    ),
}
"""Where a field's value may come from; what does not stand here is typed, or comes by itself as counts do."""


def places_in(details: Details, source: ChannelSource) -> Iterator[str]:
    """Yield the chambers that a step names where the source has to be."""
    named: Any = getattr(details, source.place)
    if isinstance(named, str):
        yield named
    else:
        yield from (vial.place.store for vial in named)
