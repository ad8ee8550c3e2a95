"""The hard gates: what must hold, whoever asks. ``GATES`` is the registry, G1 to G17."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from cultureops.batch.case import Case, Gate, Plan, Verdict
from cultureops.batch.events import Check
from cultureops.batch.gates import process, product
from cultureops.errors import GateFailed

__all__ = ["GATES", "failing", "pass_gates"]

_RULES: Final = "hard-gate list of cultureops"
GATES: Final[Mapping[str, Gate]] = {
    gate.id: gate
    for gate in (
        Gate("G1", "Consent and eligibility are on record before the intake closes.", _RULES, process.consent),
        Gate("G2", "Two independent scans equal the chain-of-identity token.", _RULES, process.chain_of_identity),
        Gate("G3", "Chamber and device are in service and in calibration at use.", _RULES, process.equipment),
        Gate("G4", "Material lots are released and unexpired.", _RULES, process.lots),
        Gate("G5", "The passage is not beyond the recipe's last.", "T 3.1", process.passage_limit),
        Gate("G6", "Sterility is negative: of each passage, or of the frozen cells.", "T 3.1; K", product.sterility),
        Gate("G7", "Two complete washes since a thaw or a labelling; DMSO is low.", "K", product.washed),
        Gate("G8", "Count and viability are in limits and recent.", "T 2.4; recipe", product.viability, True),
        Gate("G9", "The identity panel is in its limits.", "T 3.1; K; ISCT limits", product.cell_identity, True),
        Gate("G10", "Endotoxin is in its limit for each dose.", "USP <85>: K per kg and hour", product.endotoxin),
        Gate("G11", "Mycoplasma is negative.", "T 2.4: RT-PCR", product.mycoplasma),
        Gate(
            "G12",
            "No major deviation is open, no critical alarm unassessed, no long data gap either.",
            _RULES,
            process.environment,
        ),
        Gate("G13", "The review covers the whole record.", "draft EU GMP Annex 11, 12.8", process.review),
        Gate("G14", "Who decides neither operated nor reviewed.", _RULES, process.four_eyes),
        Gate("G15", "The product is in date.", _RULES, process.in_date),
        Gate(
            "G16", "A pending culture is negative to date, Gram too, and a clinician is told.", _RULES, product.pending
        ),
        Gate("G17", "Time out of controlled storage is in its limits.", _RULES, process.time_out_of_storage),
    )
}


def pass_gates(gate_ids: Sequence[str], case: Case, plan: Plan, excepted: Collection[str] = ()) -> tuple[Check, ...]:
    """Return the checks of gates that are open, or excepted; raise GateFailed naming every other gate."""
    verdicts = _judge(gate_ids, case, plan)
    failed = {gate_id: verdict for gate_id, verdict in verdicts.items() if verdict.problem}
    if holding := {g: verdict for g, verdict in failed.items() if g not in excepted or verdict.is_absolute}:
        said = "; ".join(f"{gate_id}: {verdict.problem}" for gate_id, verdict in holding.items())
        raise GateFailed(f"batch {case.batch.id}: {said}")
    return tuple(Check(gate=gate_id, used=_stored(verdict)) for gate_id, verdict in verdicts.items())


def failing(gate_ids: Sequence[str], case: Case, plan: Plan) -> dict[str, str]:
    """Return the problems of those gates that are not open."""
    return {gate_id: verdict.problem for gate_id, verdict in _judge(gate_ids, case, plan).items() if verdict.problem}


def _judge(gate_ids: Sequence[str], case: Case, plan: Plan) -> dict[str, Verdict]:
    return {gate_id: GATES[gate_id].judge(case, plan) for gate_id in gate_ids}


def _stored(verdict: Verdict) -> dict[str, object]:
    """What a decision keeps of a gate: the facts, and the problem of one that was excepted."""
    return dict(verdict.used) | ({"problem": verdict.problem} if verdict.problem else {})
