"""Carries out commands: read the stream, fold, decide, append. The thin shell around pure decisions."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final, TypeAlias

from cultureops.access.signature import CLAIM
from cultureops.batch.approval import RECIPES
from cultureops.batch.batch import Batch, stream_of
from cultureops.batch.case import Plan
from cultureops.batch.commands import Command, CreateBatch, Identified
from cultureops.batch.decide import decide, rehearse
from cultureops.batch.entry import refuse_again
from cultureops.batch.events import CommandRefused, data_of
from cultureops.batch.evolve import evolve, fold
from cultureops.batch.facts import Facts
from cultureops.batch.field import Details
from cultureops.batch.identification import STOP, misidentified
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.rules import RULES
from cultureops.conduct import REFUSALS
from cultureops.errors import (
    AccessError,
    BatchError,
    ClaimTaken,
    ConcurrencyError,
    CultureOpsError,
    GateFailed,
    TransitionRefused,
)
from cultureops.field import check_reason, printable
from cultureops.ledger.event import JsonValue, NewEvent, Source
from cultureops.ledger.store import Group, Ledger

__all__ = ["RecipeLookup", "execute", "identify", "record_refusal", "rehearsed"]

RecipeLookup: TypeAlias = Callable[[str, str | None], Recipe]
"""``lookup(name, sha256)``: the recipe, exactly that version where ``sha256`` is given; raises ConfigError."""

_GATE: Final = re.compile(r"\bG[0-9]{1,2}(?=: )")


async def execute(ledger: Ledger, recipe_lookup: RecipeLookup, command: Command, facts: Facts) -> Batch:
    """Carry out one command and return the batch after it.

    ``facts.recipe`` is replaced by the recipe that the batch pins. A refusal is itself recorded, then raised:
    TransitionRefused, GateFailed or BatchError. An entry that is on record already is none, and raises AlreadyRecorded.
    When somebody else appended first, the command is decided anew, once; a second time raises ConcurrencyError. What is
    signed is not: somebody has to read what came in between.
    """
    stream = stream_of(command.batch_id)
    try:
        return await _attempt(ledger, recipe_lookup, stream, command, facts)
    except ConcurrencyError:
        if (rule := RULES.get(type(command.details))) is not None and rule.signed is not None:
            refusal = _overtaken(command)
            await record_refusal(ledger, command, facts, refusal)
            raise refusal from None
        return await _attempt(ledger, recipe_lookup, stream, command, facts)


async def identify(
    ledger: Ledger, batch: Batch, step: type[Details], scanned: Identified, named: Collection[str], facts: Facts
) -> None:
    """Judge what was scanned before a step of which nothing else is known; raises GateFailed, which is on record."""
    if not (problem := misidentified(batch, scanned, named)):
        return
    refusal = GateFailed(f"batch {batch.id}: G2: {problem}; {STOP}")
    await record_refusal(ledger, Command(batch.id, step.model_construct()), facts, refusal)
    raise refusal


def rehearsed(ledger: Ledger, recipe_lookup: RecipeLookup, command: Command, facts: Facts) -> Plan:
    """Return what a command would record; nothing is recorded, and a refusal is only raised."""
    batch = fold(ledger.read(stream_of(command.batch_id)))
    check_reason(command.reason)
    return rehearse(batch, command, replace(facts, recipe=_recipe(recipe_lookup, batch, command, facts)))


async def _attempt(ledger: Ledger, recipe_lookup: RecipeLookup, stream: str, command: Command, facts: Facts) -> Batch:
    refuse_again(ledger, stream, command, facts.actor)
    batch = fold(ledger.read(stream))
    if command.if_version not in (None, 0 if batch is None else batch.version):
        raise ConcurrencyError(f"batch {command.batch_id}: the record has changed since it was read; read it again")
    try:
        facts = replace(facts, recipe=_recipe(recipe_lookup, batch, command, facts))
        check_reason(command.reason)
        events = decide(batch, command, facts)
        adopted = _adoption(ledger, facts) if batch is None else []
        appended = await ledger.append_many([*adopted, (stream, events, 0 if batch is None else batch.version)])
    except ConcurrencyError:
        raise
    except (BatchError, ClaimTaken) as problem:
        refuse_again(ledger, stream, command, facts.actor)
        refusal = problem if isinstance(problem, BatchError) else _taken(command, problem)
        await record_refusal(ledger, command, facts, refusal)
        raise refusal from None
    for event in appended:
        if event.stream == stream:
            batch = evolve(batch, event)
    assert batch is not None
    return batch


async def record_refusal(ledger: Ledger, command: Command, facts: Facts, refusal: CultureOpsError) -> None:
    """Record that a command was refused: in its batch's stream, or among all refusals where there is no such batch."""
    stream = stream_of(command.batch_id)
    where = stream if ledger.version(stream) else REFUSALS
    await ledger.append(where, [_refusal(command, facts, refusal)], None)


def _overtaken(command: Command) -> TransitionRefused:
    return TransitionRefused(
        f"batch {command.batch_id}: the record has changed while {type(command.details).__name__} was being signed; "
        "read it again and sign anew"
    )


def _taken(command: Command, problem: ClaimTaken) -> TransitionRefused:
    """Say of a vial, place or container that somebody else has it."""
    kind, _, name = problem.claim.partition(":")
    if problem.claim.startswith(CLAIM):
        return TransitionRefused(f"batch {command.batch_id}: this signature was used already; sign anew")
    whose = "" if problem.stream is None else f" by {problem.stream}"
    return TransitionRefused(f"batch {command.batch_id}: {kind} {name} is taken{whose}; choose another one")


def _adoption(ledger: Ledger, facts: Facts) -> list[Group]:
    """Keep a recipe's whole text in the ledger with the first batch that follows it: limits outlive installations."""
    recipe, stream = facts.recipe, RECIPES + facts.recipe.name
    if any(event.data["sha256"] == recipe.sha256 for event in ledger.read(stream)):
        return []
    data: dict[str, JsonValue] = {
        "name": recipe.name,
        "version": recipe.version,
        "sha256": recipe.sha256,
        "text": recipe.text,
    }
    return [(stream, [NewEvent("recipe_adopted", data, facts.actor, Source.SYSTEM, facts.now)], None)]


def _recipe(lookup: RecipeLookup, batch: Batch | None, command: Command, facts: Facts) -> Recipe:
    if batch is not None:
        return lookup(batch.recipe.name, batch.recipe.sha256)
    return lookup(command.details.recipe, None) if isinstance(command.details, CreateBatch) else facts.recipe


def _refusal(command: Command, facts: Facts, refusal: CultureOpsError) -> NewEvent:
    known = isinstance(refusal, TransitionRefused | GateFailed | AccessError)
    refused = CommandRefused.model_validate(
        {
            "command": type(command.details).__name__,
            "error": type(refusal).__name__ if known else "BatchError",
            "gates": tuple(_GATE.findall(str(refusal))) if isinstance(refusal, GateFailed) else (),
            "message": printable(str(refusal))[:2_000],
        }
    )
    source = Source.DEVICE if facts.actor.role == "DEV" else Source.HUMAN
    return NewEvent(
        "command_refused", data_of(refused), facts.actor, source, facts.now, printable(command.reason, "\n\t")[:2_000]
    )
