"""How events change a batch. Pure: nothing is judged here, what was recorded has happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cultureops.batch import events as happened
from cultureops.batch.batch import Batch, batch_of
from cultureops.batch.changes import CHANGES
from cultureops.batch.events import Recorded, read_event
from cultureops.batch.parts import RecipeRef
from cultureops.batch.signed import SILENT
from cultureops.batch.state import State
from cultureops.errors import BatchError
from cultureops.ledger.event import Event

__all__ = ["evolve", "fold"]

_JUDGEMENTS: Final = frozenset(
    {
        *("reviewed", "released", "conditionally_released", "exceptionally_released", "rejected", "thaw_authorised"),
        *("deviation_opened", "deviation_investigated", "action_planned", "deviation_closed", "held", "resumed"),
        "effectiveness_checked",
        *("recalled", "closed", "alarm_exposed", "deviation_extended", "lot_stopped", "command_refused", "noted"),
    }
)
"""Events by which people judge a batch and have no hand in it."""


def fold(events: Iterable[Event]) -> Batch | None:
    """Return the batch that a stream's events amount to, None for an empty stream; raises BatchError as ``evolve``.

    The history up to the last correction is folded once, with all corrections: as if each had been evolved in turn.
    """
    history = tuple(events)
    refolded = max((number for number, event in enumerate(history, 1) if event.type == "corrected"), default=0)
    batch = _refold(history[:refolded]) if refolded else None
    for event in history[refolded:]:
        batch = evolve(batch, event)
    return batch


def evolve(batch: Batch | None, event: Event) -> Batch:
    """Return the batch after one more event of its stream; raises BatchError for an event not of a batch.

    A correction folds the whole history anew with the corrected event, so that every derived figure follows.
    """
    recorded = read_event(event.type, event.data)
    if isinstance(recorded, happened.Corrected):
        if batch is None:
            raise BatchError(f"{event.stream}: a correction of nothing; the stream's first event is missing")
        return _refold((*batch.history, event))
    return _apply(batch, event, recorded)


def _refold(history: tuple[Event, ...]) -> Batch:
    corrections = (read_event(event.type, event.data) for event in history if event.type == "corrected")
    corrected: dict[str, Mapping[str, Any]] = {
        each.event_id: each.data for each in corrections if isinstance(each, happened.Corrected)
    }
    batch: Batch | None = None
    for event in history:
        batch = _apply(batch, event, read_event(event.type, corrected.get(event.event_id, event.data)))
    assert batch is not None
    return batch


def _apply(batch: Batch | None, event: Event, recorded: Recorded) -> Batch:
    if isinstance(recorded, happened.BatchCreated):
        return _create(event, recorded)
    if batch is None:
        raise BatchError(f"{event.stream}: begins with {event.type!r}, expected batch_created")
    after = CHANGES.get(type(recorded), _unchanged)(batch, recorded, event)
    return after.changed(
        version=event.version,
        history=(*batch.history, event),
        changed_version=batch.changed_version if event.type in SILENT else event.version,
        operators=_operators(batch, event, recorded),
    )


def _operators(batch: Batch, event: Event, recorded: Recorded) -> frozenset[str]:
    """Return who had a hand in the batch: everybody but instruments and those who only judge it."""
    if event.actor.role in ("DEV", "system") or event.type in _JUDGEMENTS:
        return batch.operators
    witness = {recorded.witness_id} if recorded.witness_id else set()
    return batch.operators | {event.actor.id} | witness


def _create(event: Event, recorded: happened.BatchCreated) -> Batch:
    batch_id = batch_of(event.stream)
    if batch_id is None:
        raise BatchError(f"stream {event.stream!r} is not a batch's; expected batch:<id>")
    return Batch(
        id=batch_id,
        patient_token=recorded.patient_token,
        recipe=RecipeRef(recorded.recipe, recorded.recipe_version, recorded.recipe_sha256),
        state=State.CREATED,
        version=event.version,
        created_at=event.occurred_at,
        since=event.occurred_at,
        history=(event,),
        changed_version=event.version,
        operators=frozenset({event.actor.id}) if event.actor.role == "OP" else frozenset(),
    )


def _unchanged(batch: Batch, recorded: Recorded, event: Event) -> Batch:
    return batch
