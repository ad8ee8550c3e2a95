"""Carries out commands on equipment: read the stream, fold, decide, append."""

from __future__ import annotations

from collections.abc import Sequence

from cultureops.access.signature import Signature
from cultureops.clock import Instant
from cultureops.conduct import Command, carry_out, subject_of
from cultureops.equipment.decide import RULES, decide
from cultureops.equipment.events import PREFIX
from cultureops.equipment.state import Declared, EquipmentState, happening, state_at
from cultureops.ledger.event import Actor, Event, NewEvent
from cultureops.ledger.store import Ledger

__all__ = ["execute"]


async def execute(
    ledger: Ledger,
    declared: Declared | None,
    command: Command,
    now: Instant,
    actor: Actor,
    signatures: Sequence[Signature] = (),
) -> EquipmentState:
    """Carry out one command and return the equipment after it; ``declared`` is what the site file says of it.

    ``signatures`` are those that came with the command; ``RULES`` says which steps need one.
    A refusal is itself recorded, then raised: TransitionRefused. Raises ConcurrencyError when others keep appending.
    """

    def folded(events: Sequence[Event]) -> EquipmentState | None:
        return state_at(command.subject_id, declared, sorted(map(happening, events)), now)

    def decided(events: Sequence[Event]) -> NewEvent:
        return decide(folded(events), command, now, actor)

    stream = subject_of(PREFIX, command.subject_id)
    rule = RULES.get(type(command.details))
    meaning = None if rule is None else rule.signed
    state = folded(
        await carry_out(ledger, stream, decided, command, now, actor, meaning=meaning, signatures=signatures)
    )
    assert state is not None
    return state
