"""Decisions: a command on a batch becomes events, or is refused. Pure."""

from __future__ import annotations

from dataclasses import replace

from cultureops.access import Role
from cultureops.batch.batch import Batch, stream_of
from cultureops.batch.case import Case
from cultureops.batch.commands import Command, CreateBatch, ReleaseExceptionally
from cultureops.batch.events import EVENT_TYPES, BatchCreated, Recorded, data_of
from cultureops.batch.facts import Facts
from cultureops.batch.gates import pass_gates
from cultureops.batch.rules import RULES, Rule
from cultureops.batch.state import State
from cultureops.clock import Instant, iso
from cultureops.conduct import LATE_ENTRY_MS
from cultureops.errors import TransitionRefused
from cultureops.ledger.event import NewEvent, Source

__all__ = ["decide"]


def decide(batch: Batch | None, command: Command, facts: Facts) -> tuple[NewEvent, ...]:
    """Return the events that carry out a command.

    Raises TransitionRefused when state, role, time or contents do not allow it, GateFailed when a hard gate holds.
    """
    stream_of(command.batch_id)
    at = facts.now if command.occurred_at is None else command.occurred_at
    _check_time(command, at, facts)
    if isinstance(command.details, CreateBatch):
        return (_new(command, facts, at, _create(batch, command, command.details, facts)),)
    if batch is None:
        raise TransitionRefused(f"batch {command.batch_id}: there is no such batch; create it first")
    rule = RULES.get(type(command.details))
    if rule is None:
        raise TransitionRefused(f"batch {batch.id}: {type(command.details).__name__} is no step of a batch")
    case = Case(batch, command.details, facts, at, command.reason)
    _check_rule(case, rule)
    plan = rule.plan(case, command.details)
    named = command.details.failed_gates if isinstance(command.details, ReleaseExceptionally) else ()
    checks = pass_gates(rule.gates, case, plan, excepted=batch.excepted_gates.union(named))
    witness_id = facts.witness.id if rule.witnesses and facts.witness is not None else None
    fields = {name: getattr(command.details, name) for name in type(command.details).model_fields}
    recorded = plan.event(**fields | dict(plan.derived), checks=checks, warnings=plan.warnings, witness_id=witness_id)
    first = replace(_new(command, facts, at, recorded), claims=plan.claims, releases=plan.releases)
    return (first, *(_new(command, facts, at, following) for following in plan.also))


def _create(batch: Batch | None, command: Command, details: CreateBatch, facts: Facts) -> BatchCreated:
    if batch is not None:
        raise TransitionRefused(f"batch {batch.id}: exists already; choose another id")
    if facts.actor.role not in (Role.OPERATOR, Role.QUALITY_ASSURANCE):
        raise TransitionRefused(f"batch {command.batch_id}: role {facts.actor.role} may not create a batch")
    recipe = facts.recipe
    if details.recipe != recipe.name:
        raise TransitionRefused(f"batch {command.batch_id}: recipe {details.recipe!r} was not looked up")
    return BatchCreated(
        patient_token=details.patient_token,
        recipe=recipe.name,
        recipe_version=recipe.version,
        recipe_sha256=recipe.sha256,
    )


def _check_time(command: Command, at: Instant, facts: Facts) -> None:
    if not 0 <= at <= facts.now:
        raise TransitionRefused(f"batch {command.batch_id}: nothing can be recorded before it happens")
    is_late = facts.now - at > LATE_ENTRY_MS and facts.actor.role != Role.DEVICE
    if is_late and not command.reason:
        raise TransitionRefused(
            f"batch {command.batch_id}: a late entry ({iso(at)}, more than 5 min ago) needs a reason"
        )


def _check_rule(case: Case, rule: Rule) -> None:
    batch, facts, step = case.batch, case.facts, type(case.details).__name__
    if facts.actor.role not in rule.roles:
        allowed = ", ".join(sorted(rule.roles))
        raise TransitionRefused(f"batch {batch.id}: {step} is not for role {facts.actor.role}, only for {allowed}")
    if batch.state not in rule.states:
        expected = ", ".join(state for state in State if state in rule.states)
        raise TransitionRefused(f"batch {batch.id}: {step} is not allowed in {batch.stage}, only in {expected}")
    if rule.witnesses:
        _check_witness(case, rule)
    if rule.now_only and facts.now - case.at > LATE_ENTRY_MS:
        raise TransitionRefused(f"batch {batch.id}: {step} is a decision of now; it can't be entered late")
    earliest = _changed_last(batch) if rule.in_order else batch.created_at
    if case.at < earliest:
        raise TransitionRefused(
            f"batch {batch.id}: {step} at {iso(case.at)} would lie before {iso(earliest)}, when the batch changed last"
        )
    recipe = facts.recipe
    if (recipe.name, recipe.sha256) != (batch.recipe.name, batch.recipe.sha256):
        raise TransitionRefused(f"batch {batch.id}: keeps to {batch.recipe.label}, not to {recipe.label}")


def _changed_last(batch: Batch) -> Instant:
    """Return when state, passage or a place changed last; what stays behind in a store may move at any time."""
    return max(batch.since, *(max(stay.placed, stay.taken or 0) for stay in batch.occupancies), 0)


def _check_witness(case: Case, rule: Rule) -> None:
    witness, step = case.facts.witness, type(case.details).__name__
    if witness is None or witness.id == case.facts.actor.id or witness.role not in rule.witnesses:
        roles = ", ".join(sorted(rule.witnesses))
        raise TransitionRefused(f"batch {case.batch.id}: {step} needs a second person ({roles}) as witness")


def _new(command: Command, facts: Facts, at: Instant, recorded: Recorded) -> NewEvent:
    source = Source.DEVICE if facts.actor.role == Role.DEVICE else Source.HUMAN
    event_type = EVENT_TYPES[type(recorded)]
    return NewEvent(event_type, data_of(recorded), facts.actor, source, at, command.reason)
