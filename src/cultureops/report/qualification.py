"""The qualification report: what its JSON holds and its template ``qualification.typ`` sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cultureops.ledger.event import JsonValue
from cultureops.report.document import Imprint

__all__ = ["TEMPLATE", "TITLE", "qualification_report"]

TEMPLATE: Final = "qualification"
TITLE: Final = "Installation and operational qualification"


def qualification_report(
    imprint: Imprint,
    installation: Sequence[Mapping[str, JsonValue]],
    operation: Sequence[Mapping[str, JsonValue]],
    facts: Mapping[str, str] | None = None,
) -> dict[str, JsonValue]:
    """Return the report as JSON values; rows are those of ``Row.data``, ``facts`` are shown by name."""
    rows = (*installation, *operation)
    outcomes = [str(row["outcome"]) for row in rows]
    return imprint.data() | {
        "facts": [{"name": name, "value": value} for name, value in (facts or {}).items()],
        "installation": list(installation),
        "operation": list(operation),
        "passed": outcomes.count("pass"),
        "failed": outcomes.count("fail"),
        "not_applicable": outcomes.count("not applicable"),
    }
