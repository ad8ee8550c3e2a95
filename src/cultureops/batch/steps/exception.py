"""The exceptional release: one signed step of its own that names the gates a product fails."""

from __future__ import annotations

from cultureops.batch import events as happened
from cultureops.batch.case import Case, Plan
from cultureops.batch.commands.product import ReleaseExceptionally
from cultureops.batch.gates import GATES, failing
from cultureops.batch.steps.base import refused

__all__ = ["release_exceptionally"]


def release_exceptionally(case: Case, details: ReleaseExceptionally) -> Plan:
    """Release in spite of named gates; only gates that fail, and that may be excepted at all.

    Meant for a product out of specification whose use averts an immediate significant hazard to its patient (EU GMP
    Part IV, 11.5; the text was not seen). What keeps the product safe in itself can't be excepted.
    """
    if not details.patient_informed:
        raise refused(case, "the patient must be informed of what the product fails")
    if not case.reason:
        raise refused(case, "an exceptional release needs its reason")
    for gate_id in details.failed_gates:
        gate = GATES.get(gate_id)
        if gate is None or not gate.may_be_excepted:
            allowed = ", ".join(known.id for known in GATES.values() if known.may_be_excepted)
            raise refused(case, f"{gate_id} can't be excepted, only {allowed}")
    plan = Plan(happened.ExceptionallyReleased, passage=case.batch.passage or 0)
    problems = failing(details.failed_gates, case, plan)
    open_gates = [gate_id for gate_id in details.failed_gates if gate_id not in problems]
    if open_gates:
        raise refused(case, f"{' and '.join(open_gates)} would hold nothing up; name only gates that fail")
    said = tuple(f"{gate_id}: {problem}" for gate_id, problem in problems.items())
    return Plan(happened.ExceptionallyReleased, {"problems": said}, said, passage=case.batch.passage or 0)
