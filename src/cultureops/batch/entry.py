"""One entry is recorded once: a form that is sent twice, or again after the link came back, adds nothing."""

from __future__ import annotations

import re
from typing import Final

from cultureops.access.name import same_person
from cultureops.batch.commands import Command
from cultureops.batch.events import EVENTS
from cultureops.errors import AlreadyRecorded, BatchError, TransitionRefused
from cultureops.ledger.event import Actor, Event
from cultureops.ledger.store import Ledger

__all__ = ["entry_claim", "refuse_again"]

_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")


def entry_claim(entry: str) -> str:
    """Return the name under which the ledger takes an entry once; raises BatchError for what is no id of one."""
    if not _ID.fullmatch(entry):
        raise BatchError(f"entry: {entry[:60]!r} is no id; expected 8 to 64 letters, digits and dashes")
    return f"entry:{entry}"


def refuse_again(ledger: Ledger, stream: str, command: Command, actor: Actor) -> None:
    """Raise AlreadyRecorded for an entry that is on record, TransitionRefused where something else has its id.

    That is another batch, another person or another step: theirs is on record, and this one would be lost.
    """
    if not command.entry or (holder := ledger.holder(entry_claim(command.entry))) is None:
        return
    if holder.stream != stream:
        whose = f"this entry was made for {holder.stream}"
        raise TransitionRefused(f"batch {command.batch_id}: {whose}; open the step anew")
    event = next(event for event in ledger.read(stream) if event.position == holder.position)
    if not same_person(event.actor.id, actor.id) or not _is_of(event, command):
        raise TransitionRefused(f"batch {command.batch_id}: this entry was made for something else; open the step anew")
    raise AlreadyRecorded(f"batch {command.batch_id}: this entry is on record already", holder.position)


def _is_of(event: Event, command: Command) -> bool:
    """Whether a step could have recorded an event: it has every field of the step."""
    return type(command.details).model_fields.keys() <= EVENTS[event.type].model_fields.keys()
