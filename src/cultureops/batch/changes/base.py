"""What the changes share: entering a state, taking vessels out of chambers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, TypeAlias

from cultureops.batch.batch import Batch
from cultureops.batch.events import Recorded
from cultureops.batch.parts import VIALS, Occupancy
from cultureops.batch.state import State
from cultureops.clock import Instant
from cultureops.ledger.event import Event

__all__ = ["Change", "enter", "take_out"]

Change: TypeAlias = Callable[[Batch, Any, Event], Batch]


def take_out(
    stays: tuple[Occupancy, ...], at: Instant, vessels: Collection[str] | None = None
) -> tuple[Occupancy, ...]:
    """End the stays that last, of the named vessels or of all."""
    return tuple(
        replace(stay, taken=at) if stay.taken is None and (vessels is None or stay.vessels in vessels) else stay
        for stay in stays
    )


def enter(state: State, *, ends: bool = False) -> Change:
    """Return the change of an event that brings a new state; one that ``ends`` the batch empties its chambers.

    Vials stay where they stand until somebody takes them out.
    """

    def change(batch: Batch, recorded: Recorded, event: Event) -> Batch:
        at = event.occurred_at
        gone = {stay.vessels for stay in batch.occupancies if not stay.vessels.endswith(VIALS)}
        stays = take_out(batch.occupancies, at, gone) if ends else batch.occupancies
        return batch.changed(
            state=state, since=at, occupancies=stays, ended_at=at if ends else batch.ended_at, held_from=None
        )

    return change
