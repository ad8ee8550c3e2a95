"""Where vials stand: the boxes of the cryostores that hold a batch's vials, place by place; others' only as taken.

How many places a box has is on no record, so a map goes as far as places are known and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cultureops.batch.batch import Batch
from cultureops.batch.commands.cryo import Place
from cultureops.batch.events import Frozen, VialsMoved, read_event
from cultureops.batch.lineage import present_data

__all__ = ["Box", "Cell", "Stands", "boxes_of"]

CELL: Final = 44
LEGEND: Final = 24
MOST_COLUMNS: Final = 14
_GRID: Final = re.compile(r"([A-Za-z])(\d{1,2})")


class Stands(StrEnum):
    """What is known of a place."""

    HERE = "here"
    WAS_HERE = "was here"
    TAKEN = "taken"
    NOTHING = "nothing known"


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a box; ``vial`` is the batch's own, empty for others', x and y where it is drawn."""

    position: str
    stands: Stands
    vial: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Box:
    """One box with its places; ``here`` are how many of the batch's vials stand in it now."""

    store: str
    rack: str
    name: str
    cells: tuple[Cell, ...]
    width: float
    height: float
    here: int
    taken: int

    @property
    def label(self) -> str:
        """The box as people read it."""
        return f"{self.store} / {self.rack} / {self.name}"


_Where = tuple[str, str, str]


def boxes_of(batch: Batch, others: Iterable[Batch]) -> tuple[Box, ...]:
    """Return every box in which a vial of the batch stands or stood, those with vials first."""
    now = [(vial.id, vial.place) for vial in batch.vials if vial.place is not None]
    known: dict[_Where, dict[str, tuple[Stands, str]]] = {}
    for vial, place in (*_places_ever(batch), *now):
        known.setdefault(_where(place), {})[place.position] = (Stands.WAS_HERE, vial)
    for other in others:
        if other.id == batch.id:
            continue
        for place in (vial.place for vial in other.vials if vial.place is not None):
            if _where(place) in known:
                known[_where(place)][place.position] = (Stands.TAKEN, "")
    for vial, place in now:
        known[_where(place)][place.position] = (Stands.HERE, vial)
    found = [_box(where, places) for where, places in known.items()]
    return tuple(sorted(found, key=lambda box: (box.here == 0, box.label)))


def _where(place: Place) -> _Where:
    return place.store, place.rack, place.box


def _places_ever(batch: Batch) -> list[tuple[str, Place]]:
    """Return every place that the record has given to a vial, in the order of time."""
    found = []
    for event, data in zip(batch.history, present_data(batch.history), strict=True):
        if event.type in ("frozen", "vials_moved"):
            recorded = read_event(event.type, data)
            assert isinstance(recorded, Frozen | VialsMoved)
            found += [(vial.vial, vial.place) for vial in recorded.vials]
    return found


def _box(where: _Where, places: dict[str, tuple[Stands, str]]) -> Box:
    cells = _on_grid(places) or _in_rows(places)
    here = sum(cell.stands is Stands.HERE for cell in cells)
    taken = sum(cell.stands is Stands.TAKEN for cell in cells)
    width = max(cell.x for cell in cells) + CELL
    height = max(cell.y for cell in cells) + CELL
    return Box(*where, cells, width, height, here, taken)


def _on_grid(places: dict[str, tuple[Stands, str]]) -> tuple[Cell, ...]:
    """Lay places such as A1 to J10 out by letter and number; nothing where some are called otherwise."""
    parsed = {position: _GRID.fullmatch(position) for position in places}
    if not all(parsed.values()):
        return ()
    at = {(match[1].upper(), int(match[2])): position for position, match in parsed.items() if match is not None}
    letters = [chr(code) for code in range(ord("A"), ord(max(letter for letter, _ in at)) + 1)]
    last = max(number for _, number in at)
    if last > MOST_COLUMNS or len(at) < len(places):
        return ()
    return tuple(
        _cell(at.get((letter, number), f"{letter}{number}"), places, LEGEND + (number - 1) * CELL, LEGEND + row * CELL)
        for row, letter in enumerate(letters)
        for number in range(1, last + 1)
    )


def _in_rows(places: dict[str, tuple[Stands, str]]) -> tuple[Cell, ...]:
    """Lay places with other names out one after the other."""
    columns = 10
    return tuple(
        _cell(position, places, LEGEND + index % columns * CELL, LEGEND + index // columns * CELL)
        for index, position in enumerate(sorted(places, key=_natural))
    )


def _natural(position: str) -> tuple[tuple[int, str], ...]:
    """Sort 2 before 10, whatever stands around the digits."""
    parts = (part for part in re.split(r"(\d+)", position) if part)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


def _cell(position: str, places: dict[str, tuple[Stands, str]], x: float, y: float) -> Cell:
    stands, vial = places.get(position, (Stands.NOTHING, ""))
    return Cell(position, stands, vial, x, y)
