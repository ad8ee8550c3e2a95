"""The roles of a site."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["PEOPLE", "Role"]


class Role(StrEnum):
    """Who may do what; an administrator (AD) may do nothing to a record, an instrument (DEV) only report."""

    OPERATOR = "OP"
    REVIEWER = "RV"
    QUALITY_CONTROL = "QC"
    QUALITY_ASSURANCE = "QA"
    QUALIFIED_PERSON = "QP"
    STORAGE = "ST"
    CLINIC = "CL"
    EQUIPMENT = "EQ"
    DEVICE = "DEV"
    ADMINISTRATOR = "AD"


PEOPLE = frozenset(Role) - {Role.DEVICE, Role.ADMINISTRATOR}
"""Everybody who handles what the records are about."""
