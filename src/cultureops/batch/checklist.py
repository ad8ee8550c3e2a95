"""The release checklist: every hard gate, how it stands, and the facts it was judged by. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from cultureops.batch.batch import Batch
from cultureops.batch.case import Case, Plan
from cultureops.batch.commands import Release
from cultureops.batch.events import Released
from cultureops.batch.facts import Facts
from cultureops.batch.gates import GATES
from cultureops.batch.rules import RULES
from cultureops.batch.signed import RELEASES
from cultureops.clock import Instant
from cultureops.errors import CultureOpsError
from cultureops.ledger.event import Event

__all__ = ["Check", "GateState", "checklist"]


class GateState(StrEnum):
    """How a gate stands."""

    MET = "met"
    NOT_MET = "not met"
    EXCEPTED = "excepted"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class Check:
    """One gate; ``used`` are the facts it looked at, ``at`` is when [ms UTC], ``event_id`` the step that it let pass.

    Without an event it was judged at ``at``, as if the release were asked for then.
    """

    gate: str
    sentence: str
    state: GateState
    problem: str
    used: Mapping[str, Any]
    at: Instant | None = None
    event_id: str = ""

    @property
    def is_not_met(self) -> bool:
        """Whether it would refuse a release now."""
        return self.state is GateState.NOT_MET


_AT_RELEASE: Final = RULES[Release].gates


def checklist(batch: Batch, facts: Facts) -> tuple[Check, ...]:
    """Return all gates: those of a release as it was decided or would be now, the others as steps passed them.

    G14 is judged for somebody who had no hand in the batch; ``used`` says who had one.
    """
    released = next((event for event in reversed(batch.history) if event.type in RELEASES), None)
    return tuple(_check(batch, facts, gate_id, released) for gate_id in GATES)


def _check(batch: Batch, facts: Facts, gate_id: str, released: Event | None) -> Check:
    if released is not None and (decided := _passed(gate_id, released)) is not None:
        return decided
    if released is None and gate_id in _AT_RELEASE:
        return _judged(batch, facts, gate_id)
    passed = (found for event in reversed(batch.history) if (found := _passed(gate_id, event)) is not None)
    return next(passed, Check(gate_id, GATES[gate_id].sentence, GateState.NOT_ASKED, "", {}))


def _passed(gate_id: str, event: Event) -> Check | None:
    """Return how a recorded step passed a gate, None where it did not ask for it."""
    for check in _mappings(event.data.get("checks")):
        if check.get("gate") == gate_id:
            used = dict(check.get("used", {}))
            problem = str(used.pop("problem", ""))
            state = GateState.EXCEPTED if problem else GateState.MET
            return Check(gate_id, GATES[gate_id].sentence, state, problem, used, event.occurred_at, event.event_id)
    return None


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []


def _judged(batch: Batch, facts: Facts, gate_id: str) -> Check:
    gate = GATES[gate_id]
    try:
        verdict = gate.judge(Case(batch, Release(), facts, facts.now), Plan(Released))
    except CultureOpsError as error:  # what can't be judged yet holds a release up like any other problem
        return Check(gate_id, gate.sentence, GateState.NOT_MET, str(error), {}, facts.now)
    used = dict(verdict.used)
    if gate_id == "G14":
        used = {"operators": sorted(batch.operators), "reviewers": sorted(batch.reviewers)}
    state = GateState.NOT_MET if verdict.problem else GateState.MET
    return Check(gate_id, gate.sentence, state, verdict.problem, used, facts.now)
