"""One row per claim: what was measured, beside which peer, and whether it is what was promised."""

from __future__ import annotations

import json
import operator
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

__all__ = ["Row", "row", "show", "write"]

_TESTS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Row:
    """``ratio`` is value / peer_value; ``target`` and ``ok`` are None where the row only informs."""

    name: str
    value: float
    unit: str
    peer: str | None
    peer_value: float | None
    ratio: float | None
    target: str | None
    ok: bool | None


def row(
    name: str,
    values: Sequence[float],
    unit: str,
    peer: str | None = None,
    peer_values: Sequence[float] = (),
    target: str | None = None,
) -> Row:
    """Build a row of medians; ``target`` reads "ratio >= 2" or "value < 10"."""
    value = statistics.median(values)
    peer_value = statistics.median(peer_values) if peer_values else None
    ratio = value / peer_value if peer_value else None
    return Row(name, value, unit, peer, peer_value, ratio, target, _holds(target, value, ratio) if target else None)


def _holds(target: str, value: float, ratio: float | None) -> bool:
    subject, test, limit = target.split()
    measured = {"value": value, "ratio": ratio}[subject]
    return measured is not None and _TESTS[test](measured, float(limit))


def write(rows: Iterable[dict[str, Any]], path: Path) -> None:
    """Write the rows as a JSON list."""
    path.write_text(json.dumps(list(rows), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def show(rows: Iterable[dict[str, Any]], console: Console) -> None:
    """Print the rows as a table."""
    table = Table("claim", "cultureops", "unit", "peer", "its value", "ratio", "target", "")
    for column in (1, 4, 5):
        table.columns[column].justify = "right"
    for entry in rows:
        verdict = {None: "", True: "ok", False: "[bold red]MISSED"}[entry["ok"]]
        table.add_row(
            entry["name"], _number(entry["value"]), entry["unit"], entry["peer"] or "", _number(entry["peer_value"]),
            _number(entry["ratio"]), "" if entry["target"] is None else str(entry["target"]), verdict,
        )  # fmt: skip
    console.print(table)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def as_dict(entry: Row | dict[str, Any]) -> dict[str, Any]:
    """Return a row as it stands in bench.json."""
    return asdict(entry) if isinstance(entry, Row) else entry
