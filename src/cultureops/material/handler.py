"""Carries out commands on lots: read the stream, fold, decide, append."""

from __future__ import annotations

from collections.abc import Sequence

from cultureops.access.signature import Signature
from cultureops.clock import Instant
from cultureops.conduct import Also, Command, carry_out, subject_of
from cultureops.ledger.event import Actor, Event, NewEvent
from cultureops.ledger.store import Ledger
from cultureops.material.decide import RULES, decide
from cultureops.material.events import PREFIX
from cultureops.material.lot import LotState, aged, fold, happening

__all__ = ["execute"]


async def execute(
    ledger: Ledger,
    command: Command,
    now: Instant,
    actor: Actor,
    also: Also | None = None,
    signatures: Sequence[Signature] = (),
) -> LotState:
    """Carry out one command and return the lot after it; ``also`` gives what others are told of it in one transaction.

    ``signatures`` are those that came with the command; ``RULES`` says which steps need one.
    A refusal is itself recorded, then raised: TransitionRefused. Raises ConcurrencyError when others keep appending.
    """

    def folded(events: Sequence[Event]) -> LotState | None:
        return fold(command.subject_id, sorted(map(happening, events)), now)

    def decided(events: Sequence[Event]) -> NewEvent:
        return decide(folded(events), command, now, actor)

    stream = subject_of(PREFIX, command.subject_id)
    rule = RULES.get(type(command.details))
    meaning = None if rule is None else rule.signed
    lot = folded(await carry_out(ledger, stream, decided, command, now, actor, also, meaning, signatures))
    assert lot is not None
    return aged(lot, now)
