"""All batches as they stand: folded from the ledger, kept up with it, never the truth itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cultureops.batch.batch import Batch, batch_of
from cultureops.batch.evolve import evolve
from cultureops.batch.exposure import Occupancies, overlap
from cultureops.batch.guests import Guests
from cultureops.clock import Instant
from cultureops.ledger.event import Event

__all__ = ["BatchRegister"]


class BatchRegister:
    """Every batch of the ledger, and which chambers they stood in.

    ``places`` are names that stand for several chambers. ``guests`` are batches of another ledger that are in this
    one's chambers: at a gateway all of them, by what its hub says.
    """

    def __init__(self, places: Mapping[str, Sequence[str]] | None = None, guests: Guests | None = None) -> None:
        self._batches: dict[str, Batch] = {}
        self._occupancies = Occupancies(places)
        self._guests = guests
        self._unreadable: dict[str, int] = {}

    def apply(self, event: Event) -> None:
        """Take one more event of the ledger, in order; events of other streams change nothing here.

        Raises BatchError for a batch's event that this program does not know. Whoever goes on all the same has a batch
        without what that event says, which ``unreadable`` tells.
        """
        if (batch_id := batch_of(event.stream)) is None:
            return
        before = self._batches.get(batch_id)
        try:
            batch = self._batches[batch_id] = evolve(before, event)
        except Exception:
            self._unreadable.setdefault(batch_id, event.position)
            if before is not None:  # what is appended next has to follow on it all the same
                self._batches[batch_id] = before.changed(version=event.version)
            raise
        if before is None or before.occupancies != batch.occupancies:
            self._occupancies.update(batch)

    def batches(self) -> tuple[Batch, ...]:
        """Return every batch, the one opened last first."""
        return tuple(sorted(self._batches.values(), key=lambda batch: (batch.created_at, batch.id), reverse=True))

    def get(self, batch_id: str) -> Batch | None:
        """Return a batch, or None when there is none of this id."""
        return self._batches.get(batch_id)

    def unreadable(self, batch_id: str) -> int | None:
        """Return the position of the first event of a batch that could not be read; None where all could."""
        return self._unreadable.get(batch_id)

    def exposed(self, chamber: str, start: Instant, end: Instant) -> tuple[str, ...]:
        """Return the batches that stood in the chamber at any time from ``start`` to ``end``, both included."""
        known = self._occupancies.exposed(chamber, start, end)
        return known if self._guests is None else (*known, *self._guests.exposed(chamber, start, end))

    def inside(self, chamber: str, now: Instant) -> tuple[str, ...]:
        """Return the batches that stand in the chamber."""
        return self.exposed(chamber, now, now)

    def is_occupied(self, chamber: str, now: Instant) -> bool:
        """Whether a batch stands in the chamber; one of which nobody knows counts as occupied."""
        return bool(self.inside(chamber, now)) or not self.is_known(now)

    def is_known(self, now: Instant) -> bool:
        """Whether it is known who stands where; a gateway that has not heard of its hub lately does not know it."""
        return self._guests is None or self._guests.is_known(now)

    def remark(self, now: Instant) -> str:
        """Return what is to be said behind the batches in a chamber: how old that knowledge is, empty for fresh."""
        return "" if self._guests is None else self._guests.remark(now)

    def stays(self, batch_id: str, place: str, start: Instant, end: Instant) -> tuple[tuple[Instant, Instant], ...]:
        """Return when a batch stood in a chamber, or a place of several, from ``start`` to ``end``; see ``overlap``."""
        batch = self.get(batch_id)
        return () if batch is None else overlap(batch, self._occupancies.chambers(place), start, end)
