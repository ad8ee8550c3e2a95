"""What was changed or entered late in a batch's record: every correction and every late entry, for whoever judges it.

Nothing is ever overwritten: a correction is an event of its own, and the event that it corrects still says the old
value (EU GMP Annex 11, clauses 8.2 and 9).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cultureops.clock import Instant
from cultureops.conduct import is_late
from cultureops.ledger.event import Event, JsonValue

__all__ = ["Amendment", "amendments", "late_entries"]


@dataclass(frozen=True, slots=True)
class Amendment:
    """One changed value: of which event, from what to what, by whom, when [ms UTC] and why.

    ``position`` is that of the correction, ``event_position`` that of the event which it corrects, None where the
    stream does not hold it.
    """

    position: int
    event_id: str
    event_type: str
    event_position: int | None
    field: str
    old: JsonValue
    new: JsonValue
    actor_id: str
    role: str
    at: Instant
    reason: str


def amendments(history: Iterable[Event]) -> tuple[Amendment, ...]:
    """Return every changed value in the order in which it was changed; of one field changed twice both."""
    found, positions = [], dict[str, int]()
    for event in history:
        positions[event.event_id] = event.position
        if event.type == "corrected":
            data, event_id = event.data, str(event.data["event_id"])
            found.append(
                Amendment(
                    event.position,
                    event_id,
                    str(data["event_type"]),
                    positions.get(event_id),
                    str(data["field"]),
                    data["old_value"],
                    data["value"],
                    event.actor.id,
                    event.actor.role,
                    event.recorded_at,
                    event.reason,
                )
            )
    return tuple(found)


def late_entries(history: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events that people entered late, in the order of the record."""
    return tuple(event for event in history if is_late(event))
