"""Where cells came from and went: one row for each step that turned some material into other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cultureops.batch import events as happened
from cultureops.batch.events import Recorded, read_event
from cultureops.clock import Instant
from cultureops.ledger.event import Event
from cultureops.material.use import lots_named

__all__ = ["Handling", "lineage", "lots_used", "present_data"]


def lots_used(history: Iterable[Event]) -> tuple[str, ...]:
    """Return the material lots that a batch's events name, each once, in the order of their first use."""
    return tuple(dict.fromkeys(lot for data in present_data(history) for _, lot in lots_named(data)))


def present_data(history: Iterable[Event]) -> list[Mapping[str, Any]]:
    """Return the events' data as they read now: corrections taken in."""
    events = list(history)
    corrected = {str(e.data["event_id"]): e.data["data"] for e in events if e.type == "corrected"}
    return [corrected.get(event.event_id, event.data) for event in events]  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class Handling:
    """One step of the lineage: parents, children, and the cells that went in, came out, were discarded.

    ``cells_in`` and ``cells_out`` are None where nobody counts (marrow); ``lost_cells`` is what neither child nor
    discard explains: counting error, or cells that died.
    """

    at: Instant
    event_id: str
    step: str
    parents: tuple[str, ...]
    children: tuple[str, ...]
    cells_in: int | None = None
    cells_out: int | None = None
    discarded_cells: int = 0

    @property
    def lost_cells(self) -> int | None:
        """Cells in less cells out and discarded; None where one of them is unknown."""
        if self.cells_in is None or self.cells_out is None:
            return None
        return self.cells_in - self.cells_out - self.discarded_cells


def lineage(history: Sequence[Event]) -> tuple[Handling, ...]:
    """Return the steps that turned marrow into vessels, vials and doses, in order, as corrected."""
    found: list[Handling] = []
    present = _Present()
    for event, data in zip(history, present_data(history), strict=True):
        recorded = read_event(event.type, data)
        tell = _HANDLINGS.get(type(recorded))
        if tell is not None:
            found.append(Handling(event.occurred_at, event.event_id, event.type, *tell(recorded, present)))
            present = present.after(recorded)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Present:
    """What the next step finds: the name of the suspension or vessels, and how many cells are known to be in it."""

    name: str = "marrow"
    cells: int | None = None

    def after(self, recorded: Recorded) -> _Present:
        """Return what there is after a step."""
        match recorded:
            case happened.Isolated():
                return _Present("mononuclear cells", recorded.mnc_count)
            case happened.Seeded():
                return _Present(recorded.vessels, recorded.cells_total)
            case happened.Passaged():
                return _Present(recorded.new_vessels, recorded.cells_seeded)
            case happened.Harvested():
                return _Present("harvested suspension", recorded.harvested_viable_cells)
            case happened.Frozen():
                return _Present("vials", recorded.frozen_cells)
            case happened.Thawed():
                return _Present("thawed suspension", recorded.thawed_cells)
            case happened.Resuspended():
                return _Present("product suspension", recorded.viable_cells)
            case _:
                return self


_Row = tuple[tuple[str, ...], tuple[str, ...], int | None, int | None, int]

_HANDLINGS: Final[Mapping[type[Recorded], Callable[[Any, _Present], _Row]]] = {
    happened.MarrowReceived: lambda e, p: ((), ("marrow",), None, None, 0),
    happened.Isolated: lambda e, p: (("marrow",), ("mononuclear cells",), None, e.mnc_count, 0),
    happened.Seeded: lambda e, p: ((p.name,), (e.vessels,), p.cells, e.cells_total, e.discarded_cells),
    happened.VesselsSplit: lambda e, p: ((e.vessels,), tuple(s.vessels for s in e.into), None, None, 0),
    happened.VesselsPooled: lambda e, p: (e.vessels, (e.into,), None, None, 0),
    happened.VesselsDiscarded: lambda e, p: ((e.vessels,), ("discarded",), None, None, 0),
    happened.Passaged: lambda e, p: (
        (e.vessels,),
        (e.new_vessels,),
        e.harvested_viable_cells,
        e.cells_seeded,
        e.discarded_cells,
    ),
    happened.Harvested: lambda e, p: (
        (e.vessels,),
        ("harvested suspension",),
        e.harvested_viable_cells,
        e.harvested_viable_cells,
        0,
    ),
    happened.Frozen: lambda e, p: (
        (p.name,),
        tuple(v.vial for v in e.vials),
        p.cells,
        e.frozen_cells,
        e.discarded_cells,
    ),
    happened.VialsDiscarded: lambda e, p: (e.vials, ("discarded",), None, None, 0),
    happened.Thawed: lambda e, p: (e.vials, ("thawed suspension",), e.thawed_cells, e.thawed_cells, 0),
    happened.Resuspended: lambda e, p: ((p.name,), ("product suspension",), p.cells, e.viable_cells, 0),
    happened.Formulated: lambda e, p: (
        ("product suspension",),
        (*(dose.container for dose in e.doses), "retained"),
        p.cells,
        sum(dose.viable_cells for dose in e.doses) + e.retained_cells,
        0,
    ),
}
