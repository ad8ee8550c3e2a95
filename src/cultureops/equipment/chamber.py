"""Chambers: the insides in which vessels stand, whatever instruments look into them.

A clean room is a chamber of class ``room`` with a grade: vessels are in it, instruments look into it, alarms name who
was exposed. So rules, occupancy and pages need to know nothing of rooms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.clock import Instant, parse_iso
from cultureops.config import Table
from cultureops.device.channel import STANDARD_NAMES
from cultureops.errors import ConfigError

__all__ = ["CHAMBER_CLASSES", "GRADES", "ROOM", "Chamber", "calibrated_until", "chambers_from"]

CHAMBER_CLASSES = tuple(STANDARD_NAMES)
ROOM: Final = "room"
GRADES: Final = ("A", "B", "C", "D")
"""Of clean rooms (EU GMP Annex 1, section 4)."""


@dataclass(frozen=True, slots=True)
class Chamber:
    """The inside of an incubator or a cryostore, or a room; ``chamber_class`` gives its standard channel names.

    ``calibrated_until`` is None when no calibration is on record, which keeps batches out of it. ``room`` is where a
    chamber stands; ``grade`` is a clean room's, empty where none is kept.
    """

    id: str
    chamber_class: str
    title: str
    in_service: bool = True
    calibrated_until: Instant | None = None
    room: str | None = None
    grade: str = ""


def calibrated_until(row: Table) -> Instant | None:
    """Read until when a chamber's or device's calibration holds; None when the row does not say."""
    if not (text := row.text("calibrated_until", "")):
        return None
    try:
        return parse_iso(text)
    except ConfigError as error:
        raise row.error(str(error), "calibrated_until") from None


def chambers_from(rows: Sequence[Table], room_rows: Sequence[Table] = ()) -> dict[str, Chamber]:
    """Read the ``[[chamber]]`` and ``[[room]]`` rows of a site file, chambers first, each in file order.

    Raises ConfigError with file and line.
    """
    read = [(row, _chamber(row)) for row in rows] + [(row, _room(row)) for row in room_rows]
    rooms = [chamber.id for _, chamber in read if chamber.chamber_class == ROOM]
    chambers: dict[str, Chamber] = {}
    for row, chamber in read:
        row.done()
        if chamber.room is not None and chamber.room not in rooms:
            raise row.error(f"there is no room {chamber.room!r}; known rooms: {', '.join(rooms) or 'none'}", "room")
        if chamber.id in chambers:
            raise row.error(f"{chamber.id!r} stands twice in this file", "id")
        chambers[chamber.id] = chamber
    return chambers


def _chamber(row: Table) -> Chamber:
    chamber_id = row.text("id")
    return Chamber(
        id=chamber_id,
        chamber_class=row.text("class", choices=CHAMBER_CLASSES),
        title=_title(row, chamber_id),
        in_service=row.flag("in_service", True),
        calibrated_until=calibrated_until(row),
        room=row.text("room", "") or None,
    )


def _room(row: Table) -> Chamber:
    room_id = row.text("id")
    return Chamber(
        id=room_id,
        chamber_class=ROOM,
        title=_title(row, room_id),
        in_service=row.flag("in_service", True),
        calibrated_until=calibrated_until(row),
        grade=row.text("grade", "", choices=GRADES),
    )


def _title(row: Table, chamber_id: str) -> str:
    return row.text("title", chamber_id.replace("_", " ").capitalize())
