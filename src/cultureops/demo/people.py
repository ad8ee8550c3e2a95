"""Who works in the demo's lab, each in one role."""

from __future__ import annotations

from typing import Final

from cultureops.ledger.event import Actor

__all__ = [
    "CLINIC",
    "CLINIC_WITNESS",
    "ENGINEER",
    "LABORATORY",
    "LOGISTICS",
    "OPERATOR",
    "QUALIFIED_PERSON",
    "QUALITY_ASSURANCE",
    "REVIEWER",
    "STORES",
    "WITNESS",
]

OPERATOR: Final = Actor("operator-1", "OP")
WITNESS: Final = Actor("operator-2", "OP")
LABORATORY: Final = Actor("quality-control-1", "QC")
REVIEWER: Final = Actor("reviewer-1", "RV")
QUALIFIED_PERSON: Final = Actor("qualified-person-1", "QP")
QUALITY_ASSURANCE: Final = Actor("quality-assurance-1", "QA")
ENGINEER: Final = Actor("engineer-1", "EQ")
STORES: Final = Actor("storage-1", "ST")
LOGISTICS: Final = Actor("logistics-1", "ST")
CLINIC: Final = Actor("clinic-1", "CL")
CLINIC_WITNESS: Final = Actor("clinic-2", "CL")
