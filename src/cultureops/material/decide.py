"""Decisions on lots: a command becomes an event, or is refused. Pure; ``RULES`` is the transition table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cultureops.access import Meaning
from cultureops.access.roles import PEOPLE, Role
from cultureops.clock import Instant, iso
from cultureops.conduct import ABSENT, Command, Rule, permit
from cultureops.errors import TransitionRefused
from cultureops.field import Details, data_of
from cultureops.ledger.event import Actor, NewEvent, Source
from cultureops.material.events import (
    EVENT_TYPES,
    LotQuarantined,
    LotRecalled,
    LotReceived,
    LotRejected,
    LotReleased,
)
from cultureops.material.lot import LotState, Status, aged

__all__ = ["RULES", "decide"]

_QUALITY: Final = frozenset({Role.QUALITY_ASSURANCE, Role.QUALITY_CONTROL})
_STORES: Final = frozenset({Role.OPERATOR, Role.STORAGE})


def _when(*states: str) -> frozenset[str]:
    return frozenset(states)


RULES: Final[Mapping[type[Details], Rule]] = {
    LotReceived: Rule(_when(ABSENT), _STORES),
    LotReleased: Rule(_when(Status.QUARANTINED), _QUALITY, signed=Meaning.APPROVED),
    # To stop is for everybody, also what has expired: batches that used it wait then.
    LotQuarantined: Rule(_when(Status.RELEASED, Status.EXPIRED), PEOPLE, needs_reason=True),
    LotRejected: Rule(_when(Status.QUARANTINED, Status.EXPIRED), _QUALITY, needs_reason=True, signed=Meaning.REJECTED),
    # What must not be used any more may have been used before: a recall looks for whom it touched.
    LotRecalled: Rule(
        _when(Status.QUARANTINED, Status.RELEASED, Status.EXPIRED, Status.REJECTED),
        frozenset({Role.QUALITY_ASSURANCE}),
        needs_reason=True,
        signed=Meaning.APPROVED,
    ),
}


def decide(lot: LotState | None, command: Command, now: Instant, actor: Actor) -> NewEvent:
    """Return the event that carries out a command on a lot as people left it (see ``fold``); None: nobody received it.

    Whether it had expired is judged at the command's own time. Raises TransitionRefused when role, state, time or
    contents do not allow it.
    """
    what, details = f"lot {command.subject_id}", command.details
    rule = RULES.get(type(details))
    if rule is None:
        raise TransitionRefused(f"{what}: {type(details).__name__} is no step of a lot")
    at = now if command.occurred_at is None else command.occurred_at
    status = ABSENT if lot is None else aged(lot, at).status.value
    permit(rule, command, what=what, state=status, since=None if lot is None else lot.since, now=now, actor=actor)
    if isinstance(details, LotReleased) and lot is not None:
        _check_release(what, lot, details, at)
    return NewEvent(EVENT_TYPES[type(details)], dict(data_of(details)), actor, Source.HUMAN, at, command.reason)


def _check_release(what: str, lot: LotState, details: LotReleased, at: Instant) -> None:
    """Refuse a lot without certificate, and an expired one unless a quarantine is lifted: it stays expired then."""
    if not (details.certificate or lot.certificate).strip():
        raise TransitionRefused(f"{what}: no certificate is on record; give the one that it is released on")
    if at >= lot.expires_at and lot.released_at is None:
        raise TransitionRefused(f"{what}: expired {iso(lot.expires_at)}, before it was ever released; reject it")
