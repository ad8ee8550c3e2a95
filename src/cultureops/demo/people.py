"""Who works in the demo's lab, each in one role."""

from __future__ import annotations

from typing import Final

from cultureops.ledger.event import Actor

__all__ = [
    "ADMINISTRATOR",
    "CLINIC",
    "CLINIC_WITNESS",
    "ENGINEER",
    "EVERYBODY",
    "LABORATORY",
    "LOGISTICS",
    "OPERATOR",
    "QUALIFIED_PERSON",
    "QUALITY_ASSURANCE",
    "REVIEWER",
    "STORES",
    "WITNESS",
    "printed_name",
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
ADMINISTRATOR: Final = Actor("administrator-1", "AD")

EVERYBODY: Final = (
    *(QUALITY_ASSURANCE, OPERATOR, WITNESS, LABORATORY, REVIEWER, QUALIFIED_PERSON, ENGINEER, STORES, LOGISTICS),
    *(CLINIC, CLINIC_WITNESS),
)
"""All but the administrator."""
_NUMBERS: Final = {"1": "One", "2": "Two"}


def printed_name(person: Actor) -> str:
    """Return the name that stands beside a signature, e.g. Operator One."""
    *words, number = person.id.split("-")
    return " ".join((*(word.capitalize() for word in words), _NUMBERS[number]))
