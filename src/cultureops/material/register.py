"""All lots as they were at any time: folded from the ledger, kept up with it, never the truth itself."""

from __future__ import annotations

from cultureops.clock import Instant
from cultureops.ledger.event import Event
from cultureops.material.events import PREFIX
from cultureops.material.lot import LotState, aged, happening, timeline_of
from cultureops.timeline import Timeline

__all__ = ["LotRegister"]


class LotRegister:
    """What is known of every lot; answers are as of a time, late entries at their own time."""

    def __init__(self) -> None:
        self._timelines: dict[str, Timeline[LotState | None]] = {}

    def apply(self, event: Event) -> None:
        """Take one more event of the ledger; events of other streams change nothing here.

        Raises BatchError for a lot's event that this program does not know.
        """
        if event.stream.startswith(PREFIX):
            happened, lot_id = happening(event), event.stream.removeprefix(PREFIX)
            if lot_id not in self._timelines:
                self._timelines[lot_id] = timeline_of(lot_id)
            self._timelines[lot_id].add(happened)

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all lots, sorted."""
        return tuple(sorted(self._timelines))

    def fact(self, lot_id: str, at: Instant) -> LotState | None:
        """Return what held of a lot at an instant [ms UTC]; None when it had not been received by then."""
        timeline = self._timelines.get(lot_id)
        lot = None if timeline is None else timeline.at(at)
        return None if lot is None else aged(lot, at)
