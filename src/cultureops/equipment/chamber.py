"""Chambers: the insides in which vessels stand, whatever instruments look into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cultureops.clock import Instant, parse_iso
from cultureops.config import Table
from cultureops.device.channel import STANDARD_NAMES
from cultureops.errors import ConfigError

__all__ = ["CHAMBER_CLASSES", "Chamber", "calibrated_until", "chambers_from"]

CHAMBER_CLASSES = tuple(STANDARD_NAMES)


@dataclass(frozen=True, slots=True)
class Chamber:
    """The inside of an incubator or a cryostore; ``chamber_class`` gives its standard channel names.

    ``calibrated_until`` is None when no calibration is on record, which keeps batches out of it.
    """

    id: str
    chamber_class: str
    title: str
    in_service: bool = True
    calibrated_until: Instant | None = None


def calibrated_until(row: Table) -> Instant | None:
    """Read until when a chamber's or device's calibration holds; None when the row does not say."""
    if not (text := row.text("calibrated_until", "")):
        return None
    try:
        return parse_iso(text)
    except ConfigError as error:
        raise row.error(str(error), "calibrated_until") from None


def chambers_from(rows: Sequence[Table]) -> dict[str, Chamber]:
    """Read the ``[[chamber]]`` rows of a site file, in file order; raise ConfigError with file and line."""
    chambers: dict[str, Chamber] = {}
    for row in rows:
        chamber_id = row.text("id")
        chamber_class = row.text("class", choices=CHAMBER_CLASSES)
        chamber = Chamber(
            id=chamber_id,
            chamber_class=chamber_class,
            title=row.text("title", chamber_id.replace("_", " ").capitalize()),
            in_service=row.flag("in_service", True),
            calibrated_until=calibrated_until(row),
        )
        row.done()
        if chamber_id in chambers:
            raise row.error(f"chamber {chamber_id!r} stands twice in this file", "id")
        chambers[chamber_id] = chamber
    return chambers
