"""Steps of quality assurance: deviations, holds, the end of what must not be used."""

from __future__ import annotations

from cultureops.batch import events as happened
from cultureops.batch.case import Case, Plan
from cultureops.batch.commands.quality import (
    CheckEffectiveness,
    CloseDeviation,
    Destroy,
    HandOver,
    Hold,
    InvestigateDeviation,
    OpenDeviation,
    PlanAction,
    Recall,
    Resume,
)
from cultureops.batch.parts import Deviation
from cultureops.batch.steps.base import deviate, refused
from cultureops.clock import iso

__all__ = [
    "check_effectiveness",
    "close_deviation",
    "destroy",
    "hand_over",
    "hold",
    "investigate_deviation",
    "open_deviation",
    "plan_action",
    "recall",
    "resume",
]


def open_deviation(case: Case, details: OpenDeviation) -> Plan:
    """Open a deviation under a name of its own."""
    if any(known.id == details.deviation_id for known in case.batch.deviations):
        raise refused(case, f"deviation {details.deviation_id} exists; give the new one its own name")
    return Plan(happened.DeviationOpened)


def _open(case: Case, deviation_id: str) -> Deviation:
    found = next((known for known in case.batch.deviations if known.id == deviation_id), None)
    if found is None:
        raise refused(case, f"no deviation {deviation_id} in this batch")
    if found.closed_at is not None:
        raise refused(case, f"deviation {deviation_id} is closed; open a new one")
    return found


def investigate_deviation(case: Case, details: InvestigateDeviation) -> Plan:
    """Record cause and impact of an open deviation; who operated on the batch does not grade it anew."""
    deviation = _open(case, details.deviation_id)
    if not details.root_cause.strip() or not details.impact.strip():
        raise refused(case, f"deviation {deviation.id}: say what the root cause was, and what it means for the batch")
    if details.severity is None or details.severity == deviation.severity:
        return Plan(happened.DeviationInvestigated)
    if not details.severity_reason:
        regraded = f"deviation {deviation.id} is {deviation.severity}; say why it becomes {details.severity}"
        raise refused(case, regraded)
    if case.batch.was_handled_by(case.facts.actor.id):
        raise refused(case, f"{case.facts.actor.id} operated on this batch; somebody else must grade the deviation")
    return Plan(happened.DeviationInvestigated, {"severity_before": deviation.severity})


def plan_action(case: Case, details: PlanAction) -> Plan:
    """Plan an action under a name of its own, due later than now."""
    _open(case, details.deviation_id)
    if any(details.action_id == action.id for known in case.batch.deviations for action in known.actions):
        raise refused(case, f"action {details.action_id} exists; give the new one its own name")
    if details.due_at <= case.at:
        raise refused(case, f"action {details.action_id} is due {iso(details.due_at)}, which is over")
    return Plan(happened.ActionPlanned)


def check_effectiveness(case: Case, details: CheckEffectiveness) -> Plan:
    """Say of a planned action whether it works; one that does not, of a closed deviation, opens a new one."""
    deviation = next((known for known in case.batch.deviations if known.id == details.deviation_id), None)
    if deviation is None or all(action.id != details.action_id for action in deviation.actions):
        raise refused(case, f"no action {details.action_id} of deviation {details.deviation_id} in this batch")
    text = f"action {details.action_id} of {deviation.id} does not work: {details.evidence}"[:2_000]
    opens = deviation.closed_at is not None and not details.is_effective
    return Plan(happened.EffectivenessChecked, also=(deviate(case, deviation.id, text, "major"),) if opens else ())


def close_deviation(case: Case, details: CloseDeviation) -> Plan:
    """Close a deviation that was investigated, by somebody who has not worked on the batch."""
    deviation = _open(case, details.deviation_id)
    wants_cause = deviation.drafted or deviation.kind == "oos" or deviation.severity != "minor"
    if deviation.investigated_at is None and wants_cause:
        raise refused(case, f"deviation {deviation.id} was not investigated; record its cause and impact first")
    if failed := [action.id for action in deviation.actions if action.is_effective is False]:
        raise refused(case, f"action {failed[0]} does not work; mend it, and check it again")
    if any(action.is_effective is None for action in deviation.actions) and not details.effectiveness.strip():
        raise refused(case, f"deviation {deviation.id} has actions; say how they are known to work")
    if case.batch.was_handled_by(case.facts.actor.id):
        raise refused(case, f"{case.facts.actor.id} operated on this batch; somebody else must close the deviation")
    return Plan(happened.DeviationClosed)


def hold(case: Case, details: Hold) -> Plan:
    """Stop the batch, with a reason."""
    if not case.reason:
        raise refused(case, "a hold needs its reason")
    return Plan(happened.Held)


def resume(case: Case, details: Resume) -> Plan:
    """Let a held batch go on, with a reason."""
    if not case.reason:
        raise refused(case, "letting a batch go on needs its reason")
    return Plan(happened.Resumed)


def destroy(case: Case, details: Destroy) -> Plan:
    """Destroy everything that is left; its vials leave their places."""
    if not details.everything_destroyed:
        raise refused(case, "everything that is left must be destroyed; discard single vessels or vials instead")
    places = tuple(vial.place.claim for vial in case.batch.vials if vial.place is not None)
    return Plan(happened.Destroyed, releases=places)


def recall(case: Case, details: Recall) -> Plan:
    """Call a released product back, with a reason."""
    if case.batch.held_from is not None and case.batch.released_by is None:
        raise refused(case, "the product was never released; reject it instead")
    if not case.reason:
        raise refused(case, "a recall needs its reason")
    return Plan(happened.Recalled)


def hand_over(case: Case, details: HandOver) -> Plan:
    """Hand the material over; the scans are the gate's to judge."""
    return Plan(happened.HandedOver)
