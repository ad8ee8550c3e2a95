"""Decisions: a command on a batch becomes events, or is refused. Pure.

``RULES`` is the transition table: in which states a step is allowed, by whom, with whom, and through which gates.
Every pair that does not stand there is refused (21 CFR 11.10(f)).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from cultureops.batch import commands as asked
from cultureops.batch import steps_culture as culture
from cultureops.batch import steps_product as product
from cultureops.batch import steps_record as record
from cultureops.batch.batch import Batch, State, stream_of
from cultureops.batch.case import Case, Plan
from cultureops.batch.commands import Command, CreateBatch
from cultureops.batch.events import EVENT_TYPES, BatchCreated, Recorded, data_of
from cultureops.batch.facts import Facts
from cultureops.batch.field import Details
from cultureops.batch.gates import pass_gates
from cultureops.clock import MINUTE_MS, Instant, iso
from cultureops.errors import TransitionRefused
from cultureops.ledger.event import NewEvent, Source

__all__ = ["LATE_ENTRY_MS", "RULES", "Role", "Rule", "decide"]

LATE_ENTRY_MS: Final = 5 * MINUTE_MS


class Role(StrEnum):
    """Who may do what; an administrator (AD) may do nothing to a batch."""

    OPERATOR = "OP"
    REVIEWER = "RV"
    QUALITY_CONTROL = "QC"
    QUALITY_ASSURANCE = "QA"
    QUALIFIED_PERSON = "QP"
    STORAGE = "ST"
    CLINIC = "CL"
    DEVICE = "DEV"
    ADMINISTRATOR = "AD"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the transition table; ``witnesses`` are the roles of the second person where one is needed.

    ``in_order`` steps can't have happened before the last change of state, passage or chamber.
    """

    plan: Callable[[Case, Any], Plan]
    states: frozenset[State]
    roles: frozenset[Role]
    gates: tuple[str, ...] = ()
    witnesses: frozenset[Role] = frozenset()
    in_order: bool = True


OP, RV, QC, QA = Role.OPERATOR, Role.REVIEWER, Role.QUALITY_CONTROL, Role.QUALITY_ASSURANCE
QP, ST, CL, DEV = Role.QUALIFIED_PERSON, Role.STORAGE, Role.CLINIC, Role.DEVICE

_COUNTABLE: Final = frozenset(
    {
        State.RECEIVED,
        State.ISOLATED,
        State.CULTURE,
        State.HARVESTED,
        State.RESUSPENDED,
        State.FORMULATED,
        State.REVIEWED,
    }
)
_SAMPLED: Final = _COUNTABLE - {State.RECEIVED, State.ISOLATED}
_READ: Final = _SAMPLED | {State.RELEASED, State.SHIPPED, State.RECEIVED_AT_SITE, State.ADMINISTERED}
_REJECTABLE: Final = frozenset(State) - {State.ADMINISTERED, State.CLOSED, State.REJECTED}
_PEOPLE: Final = frozenset({OP, RV, QC, QA, QP, ST, CL})
_RELEASE_GATES: Final = ("G1", "G5", "G6", "G8", "G9", "G10", "G11", "G12", "G13", "G14", "G15")


def _one(state: State) -> frozenset[State]:
    return frozenset({state})


def _by(*roles: Role) -> frozenset[Role]:
    return frozenset(roles)


_CULTURE: Final = _one(State.CULTURE)

RULES: Final[Mapping[type[Details], Rule]] = {
    asked.RecordConsent: Rule(record.record_consent, _one(State.CREATED), _by(OP, CL)),
    asked.ReceiveMarrow: Rule(culture.receive_marrow, _one(State.CREATED), _by(OP), ("G1", "G2"), witnesses=_PEOPLE),
    asked.Isolate: Rule(culture.isolate, _one(State.RECEIVED), _by(OP)),
    asked.Seed: Rule(culture.seed, _one(State.ISOLATED), _by(OP), ("G3",)),
    asked.ChangeMedium: Rule(culture.change_medium, _CULTURE, _by(OP), ("G3",)),
    asked.ObserveConfluence: Rule(culture.observe_confluence, _CULTURE, _by(OP)),
    asked.Move: Rule(culture.move, _CULTURE, _by(OP), ("G3",)),
    asked.Passage: Rule(culture.passage, _CULTURE, _by(OP), ("G3", "G5")),
    asked.Harvest: Rule(culture.harvest, _CULTURE, _by(OP), ("G5",)),
    asked.Count: Rule(record.count, _COUNTABLE, _by(OP, QC, DEV), ("G3",), in_order=False),
    asked.HoldCount: Rule(record.hold_count, _COUNTABLE, _by(OP, QC, DEV), in_order=False),
    asked.AcceptCount: Rule(record.accept_count, _COUNTABLE, _by(OP, QC), in_order=False),
    asked.RejectResultFile: Rule(record.reject_result_file, frozenset(State), _by(OP, QC, DEV), in_order=False),
    asked.SampleQc: Rule(record.sample_qc, _SAMPLED, _by(OP, QC)),
    asked.RecordQcResult: Rule(record.record_qc_result, _READ, _by(QC), in_order=False),
    asked.Resuspend: Rule(product.resuspend, _one(State.HARVESTED), _by(OP), ("G8",)),
    asked.Formulate: Rule(product.formulate, _one(State.RESUSPENDED), _by(OP), witnesses=_PEOPLE),
    asked.Review: Rule(product.review, frozenset({State.FORMULATED, State.REVIEWED}), _by(RV)),
    asked.Release: Rule(product.release, _one(State.REVIEWED), _by(QP), _RELEASE_GATES),
    asked.Reject: Rule(product.reject, _REJECTABLE, _by(QP, QA)),
    asked.Ship: Rule(product.ship, _one(State.RELEASED), _by(ST), ("G2", "G15")),
    asked.ReceiveAtSite: Rule(product.receive_at_site, _one(State.SHIPPED), _by(CL, ST), ("G2",)),
    asked.Administer: Rule(
        product.administer,
        frozenset({State.RECEIVED_AT_SITE, State.ADMINISTERED}),
        _by(CL),
        ("G2", "G15"),
        witnesses=_by(CL),
    ),
    asked.Close: Rule(product.close, _one(State.ADMINISTERED), _by(QA)),
    asked.Note: Rule(record.note, frozenset(State), _PEOPLE, in_order=False),
    asked.Correct: Rule(record.correct, frozenset(State) - {State.CLOSED, State.REJECTED}, _PEOPLE, in_order=False),
}


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
    checks = pass_gates(rule.gates, case, plan)
    witness_id = facts.witness.id if rule.witnesses and facts.witness is not None else None
    fields = {name: getattr(command.details, name) for name in type(command.details).model_fields}
    recorded = plan.event(**fields | dict(plan.derived), checks=checks, warnings=plan.warnings, witness_id=witness_id)
    return (_new(command, facts, at, recorded),)


def _create(batch: Batch | None, command: Command, details: CreateBatch, facts: Facts) -> BatchCreated:
    if batch is not None:
        raise TransitionRefused(f"batch {batch.id}: exists already; choose another id")
    if facts.actor.role not in (OP, QA):
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
    earliest = batch.since if rule.in_order else batch.created_at
    if case.at < earliest:
        raise TransitionRefused(
            f"batch {batch.id}: {step} at {iso(case.at)} would lie before {iso(earliest)}, when the batch changed last"
        )
    recipe = facts.recipe
    if (recipe.name, recipe.sha256) != (batch.recipe.name, batch.recipe.sha256):
        raise TransitionRefused(f"batch {batch.id}: keeps to {batch.recipe.label}, not to {recipe.label}")


def _check_witness(case: Case, rule: Rule) -> None:
    witness, step = case.facts.witness, type(case.details).__name__
    if witness is None or witness.id == case.facts.actor.id or witness.role not in rule.witnesses:
        roles = ", ".join(sorted(rule.witnesses))
        raise TransitionRefused(f"batch {case.batch.id}: {step} needs a second person ({roles}) as witness")


def _new(command: Command, facts: Facts, at: Instant, recorded: Recorded) -> NewEvent:
    source = Source.DEVICE if facts.actor.role == Role.DEVICE else Source.HUMAN
    event_type = EVENT_TYPES[type(recorded)]
    return NewEvent(event_type, data_of(recorded), facts.actor, source, at, command.reason)
