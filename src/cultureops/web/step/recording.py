"""Recording a step from its form: identified first, asked once where something is off, then carried out."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from cultureops.access.name import same_person
from cultureops.access.roles import Role
from cultureops.batch.batch import Batch
from cultureops.batch.entry import entry_claim
from cultureops.batch.rules import RULES
from cultureops.errors import BatchError
from cultureops.field import Unfit
from cultureops.ledger.event import Actor
from cultureops.web.door.asking import SecondPerson, second_person
from cultureops.web.step.entry import StepEntry
from cultureops.web.step.question import Question, done_then, question_of
from cultureops.web.templating import context_of

__all__ = ["identify", "record", "rehearse"]


async def identify(request: Request, entry: StepEntry, actor: Actor) -> bool:
    """Judge what was scanned; returns whether a pair was. Raises GateFailed for a wrong one, which is on record then.

    Where a scan is missing that is told with all else that is, unless nothing but the scans is to be judged: Unfit.
    """
    try:
        identified = entry.identified
    except Unfit:
        if entry.text("act") == "identify":
            raise
        return False
    if identified is None:
        return False
    await context_of(request).identify(entry.batch, entry.step, identified, entry.named, actor)
    return True


async def rehearse(request: Request, entry: StepEntry, actor: Actor) -> Question | None:
    """Return what is to be asked before the entry is recorded, None where nothing is; raises as recording does."""
    context = context_of(request)
    now = context.clock.now()
    command = done_then(entry.command(), entry.form, now)
    return question_of(await context.rehearse(command, actor), entry.form, now)


async def record(request: Request, entry: StepEntry, actor: Actor) -> int | Question:
    """Return the position at which the step was recorded, or what is to be asked first.

    Raises AlreadyRecorded for an entry that is on record, Unfit, AccessError or BatchError where it was not recorded.
    """
    context = context_of(request)
    command = done_then(entry.command(), entry.form, context.clock.now())
    try:
        if (question := await rehearse(request, entry, actor)) is not None:
            return question
    except BatchError:
        pass  # carried out, it is refused, and the refusal is on record
    witness = await _second(request, entry, actor)
    return _position(await context.execute(command, actor, witness), command.entry)


def _position(batch: Batch, entry: str) -> int:
    claim = entry_claim(entry)
    return next(event.position for event in reversed(batch.history) if claim in event.claims)


async def _second(request: Request, entry: StepEntry, actor: Actor) -> Actor | None:
    """Return the second person once they have proven to be there; raises Unfit or AccessError."""
    wanted, named = RULES[entry.step].witnesses, entry.second
    if named is None:
        if wanted:
            raise Unfit("this step needs a second person", {"witness": "a second person confirms this step"})
        return None
    given: dict[str, Any] = {"username": named.name, "password": named.password, "code": named.code}
    if same_person(named.name, actor.id):
        raise Unfit("nobody is their own second person", {"witness": "somebody else than you confirms this step"})
    if not named.password:
        raise Unfit("the second person's password is missing", {"witness_password": "they type it themselves"})
    if named.role and named.role not in wanted and wanted:
        raise Unfit("that role can't confirm this step", {"witness_role": f"one of {', '.join(sorted(wanted))}"})
    role = next((role for role in Role if role == named.role), None)
    return await second_person(request, SecondPerson(**given, role=role), wanted)
