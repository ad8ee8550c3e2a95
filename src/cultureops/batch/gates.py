"""The hard gates: what must hold, whoever asks.

``GATES`` is the registry. G4 (material lots), G7 (washes), G16 (conditional release) and G17 (time out of storage)
need records that do not exist yet; their places are between these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cultureops.batch import gates_process, gates_product
from cultureops.batch.case import Case, Gate, Plan
from cultureops.batch.events import Check
from cultureops.errors import GateFailed

__all__ = ["GATES", "pass_gates"]

_RULES: Final = "hard-gate list of cultureops"
GATES: Final[Mapping[str, Gate]] = {
    gate.id: gate
    for gate in (
        Gate(
            "G1",
            "Consent and eligibility are on record before the intake closes.",
            _RULES,
            gates_process.consent,
        ),
        Gate(
            "G2",
            "Two independent scans equal the chain-of-identity token.",
            _RULES,
            gates_process.chain_of_identity,
        ),
        Gate(
            "G3",
            "Chamber and device are in service and in calibration at use.",
            _RULES,
            gates_process.equipment,
        ),
        Gate("G5", "The passage is not beyond the recipe's last.", "T 3.1", gates_process.passage_limit),
        Gate(
            "G6",
            "Each passage tested negative.",
            "T 3.1: after each passage",
            gates_product.passages_negative,
        ),
        Gate("G8", "Count and viability are in limits and recent.", "T 2.4; recipe", gates_product.viability),
        Gate("G9", "The identity panel is in its limits.", "T 3.1; ISCT limits", gates_product.cell_identity),
        Gate(
            "G10",
            "Endotoxin is in its limit for each dose.",
            "USP <85>: K per kg and hour",
            gates_product.endotoxin,
        ),
        Gate("G11", "Mycoplasma is negative.", "T 2.4: RT-PCR", gates_product.mycoplasma),
        Gate(
            "G12",
            "No critical alarm is open or unassessed, no long data gap either.",
            _RULES,
            gates_process.environment,
        ),
        Gate("G13", "The review covers the whole record.", "draft EU GMP Annex 11, 12.8", gates_process.review),
        Gate("G14", "Who decides neither operated nor reviewed.", _RULES, gates_process.four_eyes),
        Gate("G15", "The product is in date.", _RULES, gates_process.in_date),
    )
}


def pass_gates(gate_ids: Sequence[str], case: Case, plan: Plan) -> tuple[Check, ...]:
    """Return the checks of gates that are all open; raise GateFailed naming every gate that is not."""
    verdicts = [(GATES[gate_id], GATES[gate_id].judge(case, plan)) for gate_id in gate_ids]
    if failed := [(gate, verdict) for gate, verdict in verdicts if verdict.problem]:
        said = "; ".join(f"{gate.id}: {verdict.problem}" for gate, verdict in failed)
        raise GateFailed(f"batch {case.batch.id}: {said}")
    return tuple(Check(gate=gate.id, used=dict(verdict.used)) for gate, verdict in verdicts)
