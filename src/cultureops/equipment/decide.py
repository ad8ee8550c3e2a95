"""Decisions on equipment: a command becomes an event, or is refused. Pure; ``RULES`` is the transition table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cultureops.access import Meaning
from cultureops.access.roles import PEOPLE, Role
from cultureops.clock import Instant, iso
from cultureops.conduct import ABSENT, Command, Rule, permit
from cultureops.equipment.events import (
    EVENT_TYPES,
    Calibrated,
    Commissioned,
    Retired,
    ReturnedToService,
    TakenOutOfService,
)
from cultureops.equipment.state import EquipmentState, Service
from cultureops.errors import TransitionRefused
from cultureops.field import Details, data_of
from cultureops.ledger.event import Actor, NewEvent, Source

__all__ = ["RULES", "decide"]

_IN, _OUT = Service.IN_SERVICE, Service.OUT_OF_SERVICE
_KEEPERS: Final = frozenset({Role.QUALITY_ASSURANCE, Role.EQUIPMENT})

RULES: Final[Mapping[type[Details], Rule]] = {
    Commissioned: Rule(frozenset({ABSENT, _IN, _OUT}), _KEEPERS, signed=Meaning.APPROVED),
    Calibrated: Rule(
        frozenset({_IN, _OUT}), _KEEPERS | {Role.QUALITY_CONTROL}, in_order=False, signed=Meaning.APPROVED
    ),
    TakenOutOfService: Rule(frozenset({_IN}), PEOPLE, needs_reason=True),  # to stop is for everybody
    ReturnedToService: Rule(frozenset({_OUT}), _KEEPERS, needs_reason=True, signed=Meaning.APPROVED),
    Retired: Rule(frozenset({_IN, _OUT}), _KEEPERS, needs_reason=True),
}


def decide(state: EquipmentState | None, command: Command, now: Instant, actor: Actor) -> NewEvent:
    """Return the event that carries out a command on equipment as it is ``now`` [ms UTC]; None: nothing is on record.

    Raises TransitionRefused when role, state, time or contents do not allow it.
    """
    what, details = f"equipment {command.subject_id}", command.details
    rule = RULES.get(type(details))
    if rule is None:
        raise TransitionRefused(f"{what}: {type(details).__name__} is no step of equipment")
    if state is None and not isinstance(details, Commissioned):
        raise TransitionRefused(f"{what}: nothing is on record; commission it first, or name the site file that has it")
    service = ABSENT if state is None else state.service.value
    since = None if state is None else state.since
    at = permit(rule, command, what=what, state=service, since=since, now=now, actor=actor)
    if isinstance(details, Commissioned) and since is not None:
        raise TransitionRefused(f"{what}: has been on record since {iso(since)}; return it to service instead")
    if isinstance(details, Calibrated) and details.calibrated_at > at:
        raise TransitionRefused(f"{what}: a calibration of {iso(details.calibrated_at)} is not done yet")
    return NewEvent(EVENT_TYPES[type(details)], dict(data_of(details)), actor, Source.HUMAN, at, command.reason)
