"""The documented rule set, read as a site file's, with a row for each sister probe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.alarm_life.site import Place, chamber_infos

from cultureops.alarms import Rule, rules_from
from cultureops.config import parse

__all__ = ["RECOMMENDED", "rules_for"]

RECOMMENDED: Final = Path(__file__).parents[2] / "docs" / "examples" / "alarm_rules.toml"


def rules_for(places: Sequence[Place]) -> tuple[Rule, ...]:
    """Return the recommended rules for these chambers."""
    text = RECOMMENDED.read_text(encoding="utf-8")
    sister = "".join(line.removeprefix("# ") for line in _sister_row(text))
    rows = [text]
    for place in places:
        if place.sister is not None:
            own = sister.replace("inc_01", place.id).replace("incubator_01", place.device)
            rows.append(own.replace("probe_01", place.sister))
    return rules_from(parse("\n".join(rows), str(RECOMMENDED)).tables("alarm"), chamber_infos(places))


def _sister_row(text: str) -> list[str]:
    """Return the row that stands there commented out."""
    lines = text.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.startswith("# [[alarm]]"))
    return [line for line in lines[first:] if line.startswith("# ")][: _length(lines[first:])]


def _length(lines: Sequence[str]) -> int:
    return next(number for number, line in enumerate(lines) if not line.startswith("# "))
