"""Signatures as the access desk would give them, for whoever decides in a test."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from cultureops import conduct
from cultureops.access import Meaning, Role, Shown, Signature
from cultureops.batch import approval
from cultureops.batch.batch import Batch
from cultureops.batch.commands import Command
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.rules import RULES
from cultureops.batch.signed import shown_of
from cultureops.equipment import decide as equipment
from cultureops.equipment.handler import execute as on_equipment
from cultureops.equipment.state import Declared, EquipmentState
from cultureops.ledger import Actor
from cultureops.ledger.store import Ledger
from cultureops.material import decide as lots
from cultureops.material.handler import execute as on_lot
from cultureops.material.lot import LotState

__all__ = ["approve_recipe", "keep_equipment", "keep_lot", "signature", "signatures_for", "signatures_on"]

_NUMBERS = itertools.count(1)
_QA = Actor("qa-1", "QA")


def signature(shown: Shown, actor: Actor, meaning: Meaning, now: int, **changes: Any) -> Signature:
    """Sign what was shown, in a person's name."""
    signed = Signature(
        id=f"S-{next(_NUMBERS)}",
        username=actor.id,
        printed_name=actor.id.replace("-", " ").title(),
        role=Role(actor.role),
        meaning=meaning,
        signed_at=now,
        zone="Europe/Berlin",
        method="password",
        shown=shown,
    )
    return replace(signed, **changes)


def signatures_on(ledger: Ledger, command: conduct.Command, actor: Actor, now: int) -> tuple[Signature, ...]:
    """Return the signature that a command on equipment or on a lot needs, none where it needs none."""
    of_lot = type(command.details) in lots.RULES
    rule = (lots.RULES if of_lot else equipment.RULES).get(type(command.details))
    if rule is None or rule.signed is None or actor.role not in list(Role):
        return ()
    stream = conduct.subject_of("lot:" if of_lot else "equipment:", command.subject_id)
    return (signature(conduct.shown_of(stream, ledger.read(stream), command), actor, rule.signed, now),)


async def keep_equipment(
    ledger: Ledger, declared: Declared | None, command: conduct.Command, now: int, actor: Actor
) -> EquipmentState:
    """Carry out a command on equipment, signed by who gives it where it must be."""
    signed = signatures_on(ledger, command, actor, now)
    return await on_equipment(ledger, declared, command, now, actor, signed)


async def keep_lot(
    ledger: Ledger, command: conduct.Command, now: int, actor: Actor, also: conduct.Also | None = None
) -> LotState:
    """Carry out a command on a lot, signed by who gives it where it must be."""
    return await on_lot(ledger, command, now, actor, also, signatures_on(ledger, command, actor, now))


async def approve_recipe(ledger: Ledger, recipe: Recipe, now: int) -> None:
    """Let quality assurance approve a recipe, where it is not approved yet."""
    command, stream = approval.approving(recipe, "first use"), approval.RECIPES + recipe.name
    events = ledger.read(stream)
    if any(known.sha256 == recipe.sha256 for event in events if (known := approval.approval_in(event))):
        return
    signed = signature(conduct.shown_of(stream, events, command), _QA, Meaning.APPROVED, now)
    await approval.approve(ledger, command, now, _QA, (signed,))


def signatures_for(
    batch: Batch | None, command: Command, actor: Actor, witness: Actor | None, now: int
) -> tuple[Signature, ...]:
    """Return every signature that a command on a batch as it stands needs, none where it needs none."""
    rule = RULES.get(type(command.details))
    if batch is None or rule is None:
        return ()
    asked = ((actor, rule.signed), (witness, rule.countersigned))
    seen = shown_of(batch, command)
    return tuple(
        signature(seen, person, meaning, now)
        for person, meaning in asked
        if person is not None and meaning is not None and person.role in list(Role)
    )
