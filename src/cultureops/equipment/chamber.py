"""Chambers: the insides in which vessels stand, whatever instruments look into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cultureops.config import Table
from cultureops.device.channel import STANDARD_NAMES

__all__ = ["CHAMBER_CLASSES", "Chamber", "chambers_from"]

CHAMBER_CLASSES = tuple(STANDARD_NAMES)


@dataclass(frozen=True, slots=True)
class Chamber:
    """The inside of an incubator or a cryostore; ``chamber_class`` gives its standard channel names."""

    id: str
    chamber_class: str
    title: str


def chambers_from(rows: Sequence[Table]) -> dict[str, Chamber]:
    """Read the ``[[chamber]]`` rows of a site file, in file order; raise ConfigError with file and line."""
    chambers: dict[str, Chamber] = {}
    for row in rows:
        chamber_id = row.text("id")
        chamber_class = row.text("class", choices=CHAMBER_CLASSES)
        chamber = Chamber(chamber_id, chamber_class, row.text("title", chamber_id.replace("_", " ").capitalize()))
        row.done()
        if chamber_id in chambers:
            raise row.error(f"chamber {chamber_id!r} stands twice in this file", "id")
        chambers[chamber_id] = chamber
    return chambers
