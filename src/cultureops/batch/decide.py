"""Decisions: a command on a batch becomes events, or is refused. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cultureops.access import Role, Signature
from cultureops.access.name import same_person
from cultureops.access.roles import PEOPLE
from cultureops.access.signature import signed
from cultureops.batch.batch import Batch, stream_of
from cultureops.batch.case import Case, Plan
from cultureops.batch.commands import Collected, Command, CreateBatch, ReleaseExceptionally
from cultureops.batch.entry import entry_claim
from cultureops.batch.events import EVENT_TYPES, BatchCreated, Check, DeviationOpened, Recorded, data_of
from cultureops.batch.facts import Facts
from cultureops.batch.gates import pass_gates
from cultureops.batch.rules import RULES, Rule
from cultureops.batch.signed import RELEASES, SILENT, shown_of
from cultureops.batch.state import State
from cultureops.batch.steps.base import deviate
from cultureops.batch.steps.vessels import claims_of
from cultureops.clock import Instant, iso
from cultureops.conduct import LATE_ENTRY_MS
from cultureops.errors import TransitionRefused
from cultureops.ledger.event import NewEvent, Source
from cultureops.signing import Wanted, check_signed

__all__ = ["decide", "rehearse"]

_IDENTITY: Final = "G2"
_ALIKE: Final = str.maketrans("ILO", "110")


def decide(batch: Batch | None, command: Command, facts: Facts) -> tuple[NewEvent, ...]:
    """Return the events that carry out a command.

    Raises TransitionRefused when state, role, time, contents or signatures do not allow it, GateFailed when a hard gate
    holds.
    """
    at = _time_of(command, facts)
    if isinstance(command.details, CreateBatch):
        created = _new(command, facts, at, _create(batch, command, command.details, facts))
        return (replace(created, claims=(*_names_of(command.batch_id), *_entry_claim(command))),)
    case, rule = _ask(batch, command, facts, at)
    if rule.witnesses or facts.witness is not None:  # one who was named is on record, wanted or not
        _check_second(case, rule.witnesses or PEOPLE, type(command.details).__name__)
    plan, checks = _judge(case, rule)
    if plan.doubt:
        _check_second(case, PEOPLE, f"{plan.doubt}; {type(command.details).__name__}")
    signatures = _check_signatures(case, rule, command)
    witness_id = None if facts.witness is None else facts.witness.id
    fields = {name: getattr(command.details, name) for name in type(command.details).model_fields}
    recorded = plan.event(
        **fields | dict(plan.derived),
        checks=checks,
        warnings=plan.warnings,
        witness_id=witness_id,
        collected=_collected(case, command),
    )
    claims = (*plan.claims, *_entry_claim(command))
    first = replace(_new(command, facts, at, recorded), claims=claims, releases=plan.releases)
    return (
        signed(first, stream_of(case.batch.id), signatures),
        *(_new(command, facts, at, following) for following in plan.also),
    )


def rehearse(batch: Batch | None, command: Command, facts: Facts) -> Plan:
    """Return what a command would record, its remarks and doubts; second persons and signatures are not asked for yet.

    Raises as ``decide`` does.
    """
    at = _time_of(command, facts)
    if isinstance(command.details, CreateBatch):
        _create(batch, command, command.details, facts)
        return Plan(BatchCreated)
    case, rule = _ask(batch, command, facts, at)
    plan, _ = _judge(case, rule)
    _collected(case, command)
    return plan


def _time_of(command: Command, facts: Facts) -> Instant:
    stream_of(command.batch_id)
    at = facts.now if command.occurred_at is None else command.occurred_at
    _check_time(command, at, facts)
    return at


def _ask(batch: Batch | None, command: Command, facts: Facts, at: Instant) -> tuple[Case, Rule]:
    """Return the case and the row of the transition table that it falls under; refused where there is none."""
    if batch is None:
        raise TransitionRefused(f"batch {command.batch_id}: there is no such batch; create it first")
    rule = RULES.get(type(command.details))
    if rule is None:
        raise TransitionRefused(f"batch {batch.id}: {type(command.details).__name__} is no step of a batch")
    case = Case(batch, command.details, facts, at, command.reason, command.identified)
    _check_rule(case, rule)
    return case, rule


def _judge(case: Case, rule: Rule) -> tuple[Plan, tuple[Check, ...]]:
    """Return what the step would record with all that follows from it, and the gates that it has passed."""
    plan = rule.plan(case, case.details)
    named = case.details.failed_gates if isinstance(case.details, ReleaseExceptionally) else ()
    gates = rule.gates if case.identified is None or _IDENTITY in rule.gates else (_IDENTITY, *rule.gates)
    checks = pass_gates(gates, case, plan, excepted=case.batch.excepted_gates.union(named))
    also = plan.also + _entered_after_release(case, EVENT_TYPES[plan.event], plan.also)
    return replace(plan, also=also), checks


def _names_of(batch_id: str) -> tuple[str, ...]:
    """Return the names that a new batch takes: what reads like its own, and a group of vessels of that name.

    Else ``b-1`` would stand beside B-1, and vessels of one patient could be called what another's batch is.
    """
    return f"batch:{batch_id.upper().translate(_ALIKE)}", *claims_of(batch_id)


def _entry_claim(command: Command) -> tuple[str, ...]:
    """Return the name under which the ledger takes one entry once."""
    return (entry_claim(command.entry),) if command.entry else ()


def _collected(case: Case, command: Command) -> tuple[Collected, ...]:
    """Return the fields that an instrument gave; refused where one says something else than the step."""
    for taken in command.collected:
        if getattr(case.details, taken.field, None) != taken.value:
            raise TransitionRefused(
                f"batch {case.batch.id}: {taken.field[:40]} is not what {taken.channel[:80]} gave; type it by hand"
            )
    return command.collected


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


def _check_second(case: Case, roles: frozenset[Role], step: str) -> None:
    witness = case.facts.witness
    if witness is None or same_person(witness.id, case.facts.actor.id) or witness.role not in roles:
        raise TransitionRefused(
            f"batch {case.batch.id}: {step} needs a second person ({', '.join(sorted(roles))}) as witness"
        )


def _check_signatures(case: Case, rule: Rule, command: Command) -> tuple[Signature, ...]:
    """Return the signatures that the rule asks for, of those who act; without any, none may come along."""
    facts, wanted = case.facts, list[Wanted]()
    if rule.signed is not None:
        wanted.append((facts.actor, rule.signed))
    if rule.countersigned is not None and facts.witness is not None:
        wanted.append((facts.witness, rule.countersigned))
    if not wanted and not facts.signatures:
        return ()
    return check_signed(f"batch {case.batch.id}", wanted, facts.signatures, shown_of(case.batch, command), facts.now)


def _entered_after_release(case: Case, event_type: str, also: Sequence[Recorded]) -> tuple[Recorded, ...]:
    """Open a deviation for what changes a record that a release has covered, where the step opens none by itself."""
    if case.batch.released_by is None or event_type in SILENT | {"deviation_opened"}:
        return ()
    if any(isinstance(following, DeviationOpened) for following in also):
        return ()
    released_at = next((e.occurred_at for e in reversed(case.batch.history) if e.type in RELEASES), None)
    if event_type != "corrected" and (released_at is None or case.at >= released_at):
        return ()
    how = "was corrected" if event_type == "corrected" else f"was given an entry as of {iso(case.at)}"
    text = f"the record {how} after the release had been signed"
    return (deviate(case, "release", text, "major"),)


def _new(command: Command, facts: Facts, at: Instant, recorded: Recorded) -> NewEvent:
    source = Source.DEVICE if facts.actor.role == Role.DEVICE else Source.HUMAN
    event_type = EVENT_TYPES[type(recorded)]
    return NewEvent(event_type, data_of(recorded), facts.actor, source, at, command.reason)
