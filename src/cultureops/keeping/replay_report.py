"""What a replay came to: how often each alarm was raised, as one JSON object or as lines for a person."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cultureops.alarms.alarm import Transition, What
from cultureops.alarms.rehearsal import Refused
from cultureops.alarms.rule import Rule
from cultureops.alarms.text import duration
from cultureops.clock import DAY_MS, Instant, iso
from cultureops.field import printable
from cultureops.keeping.entry import print_grid
from cultureops.logger_file.columns import ColumnTrace

__all__ = ["JsonPrinter", "Tally", "TextPrinter", "about"]

_WEEK_MS: Final = 7 * DAY_MS
_LEAST_WEEKS: Final = 1 / 7
"""A rate per week is shown to people from a day on."""
_STATES_WIDTH: Final = 30


@dataclass(slots=True)
class _Count:
    """What one rule came to."""

    rule: Rule
    raised: int = 0
    realarmed: int = 0
    in_alarm_ms: int = 0
    active_since: Instant | None = None


@dataclass(slots=True)
class Tally:
    """How often each alarm was raised, and for how long its condition was there."""

    rules: Sequence[Rule]
    counts: dict[str, _Count] = field(init=False)
    refused: list[Refused] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = {rule.id: _Count(rule) for rule in self.rules}

    def take(self, found: Transition | Refused) -> None:
        """Count it."""
        if isinstance(found, Refused):
            self.refused.append(found)
            return
        count = self.counts[found.rule.id]
        count.raised += found.what is What.RAISED
        count.realarmed += found.what is What.REALARMED
        if found.is_active and count.active_since is None:
            count.active_since = found.at
        elif not found.is_active:
            self._close(count, found.at)

    def end(self, at: Instant) -> None:
        """Take note that the trace is over."""
        for count in self.counts.values():
            self._close(count, at)

    @staticmethod
    def _close(count: _Count, at: Instant) -> None:
        if count.active_since is not None:
            count.in_alarm_ms += at - count.active_since
            count.active_since = None


def about(
    source: Path, rules_file: Path, trace: ColumnTrace, period_ms: int, gap_rows: list[dict[str, Any]], tally: Tally
) -> dict[str, Any]:
    """Say everything that is known once the trace is over."""
    first, last = int(trace.times_ms[0]), int(trace.times_ms[-1])
    weeks = (last - first) / _WEEK_MS
    raised = sum(count.raised for count in tally.counts.values())
    return {
        "gaps": gap_rows,
        "file": source.name,
        "rules_file": rules_file.name,
        "from": iso(first),
        "to": iso(last),
        "weeks": round(weeks, 4),
        "period_s": period_ms / 1000,
        "rows": trace.rows,
        "rows_replayed": int(trace.times_ms.size),
        "duplicates": trace.duplicates,
        "identical": trace.identical,
        "out_of_order": trace.out_of_order,
        "skipped": [{"line": row.line, "why": row.why} for row in trace.skipped],
        "alarms": raised,
        "alarms_per_week": _rate(raised, weeks),
        "rules": [
            {
                "alarm_id": count.rule.id,
                "kind": count.rule.kind.value,
                "level": count.rule.level.value,
                "limit": count.rule.limit,
                "unit": count.rule.unit,
                "raised": count.raised,
                "realarmed": count.realarmed,
                "alarms_per_week": _rate(count.raised, weeks),
                "in_alarm_s": count.in_alarm_ms / 1000,
            }
            for count in tally.counts.values()
        ],
        "refused": [
            {
                "time": iso(refused.command.at),
                "alarm_id": refused.command.rule_id,
                "order": refused.command.order.value,
                "why": refused.why,
            }
            for refused in tally.refused
        ],
    }


def _rate(count: int, weeks: float) -> float | None:
    return round(count / weeks, 4) if weeks else None


def _shown_rate(rate: float | None, weeks: float) -> str:
    return "" if rate is None or weeks < _LEAST_WEEKS else f"{rate:,.{0 if rate >= 100 else 2}f}"


class JsonPrinter:
    """One JSON object; its transitions are written as they come, the rest after them."""

    def __init__(self) -> None:
        self._conditions: list[dict[str, Any]] = []
        self._separator = '{"transitions": [\n '

    def take(self, found: Transition | Refused) -> None:
        """Write it, unless nothing changed."""
        if isinstance(found, Refused):
            return
        row = {
            "time": iso(found.at),
            "alarm_id": found.rule.id,
            "from": found.from_state.value,
            "to": found.to_state.value,
            "value": found.value if found.value is not None and math.isfinite(found.value) else None,
            "what": found.what.value,
            "since": iso(found.since),
            "is_active": found.is_active,
            "cause": found.cause,
        }
        if found.what is What.CONDITION:
            self._conditions.append(row)
            return
        print(self._separator + json.dumps(row, ensure_ascii=False), end="")
        self._separator = ",\n "

    def end(self, told: dict[str, Any]) -> None:
        """Write the rest of the object."""
        begun = "],\n" if self._separator.startswith(",") else '{"transitions": [],\n'
        rest = json.dumps({**told, "conditions": self._conditions}, ensure_ascii=False, indent=1)
        print(begun + rest.removeprefix("{\n"))


class TextPrinter:
    """Lines for a person: transitions as they come, then gaps and the summary."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._width = max(len(rule.id) for rule in rules)
        self._has_any = False

    def take(self, found: Transition | Refused) -> None:
        """Print its line."""
        if isinstance(found, Refused):
            name, states, value, cause = found.command.rule_id, f"{found.command.order} refused", "", found.why
            at = found.command.at
        else:
            name, cause, at = found.rule.id, found.cause, found.at
            is_change = found.what is not What.CONDITION
            states = f"{found.from_state} -> {found.to_state}" if is_change else f"({found.to_state})"
            value = "" if found.value is None else f"{found.value:.6g}"
        if not self._has_any:
            print(f"{'time':<24}  {'alarm':<{self._width}}  {'from -> to':<{_STATES_WIDTH}}  {'value':>10}  cause")
            self._has_any = True
        print(printable(f"{iso(at)}  {name:<{self._width}}  {states:<{_STATES_WIDTH}}  {value:>10}  {cause}"))

    def end(self, told: dict[str, Any]) -> None:
        """Print gaps and summary."""
        if not self._has_any:
            print("no alarm was raised")
        print()
        print_grid(
            ("gap in", "from", "to", "lasted", "reason"),
            [
                (row["channel"], row["from"], row["to"], duration(row["seconds"]), row["reason"])
                for row in told["gaps"]
            ],
            "no gap",
        )  # fmt: skip
        print()
        print_grid(
            ("alarm", "raised", "re-alarmed", "a week", "in alarm"),
            [
                (
                    row["alarm_id"],
                    str(row["raised"]),
                    str(row["realarmed"]),
                    _shown_rate(row["alarms_per_week"], told["weeks"]) or "-",
                    duration(row["in_alarm_s"]),
                )
                for row in told["rules"]
            ],
            "no rule",
        )
        rate = _shown_rate(told["alarms_per_week"], told["weeks"])
        alarms = f"{told['alarms']} {'alarm' if told['alarms'] == 1 else 'alarms'}{rate and f', {rate} a week'}"
        gaps = f"{len(told['gaps'])} {'gap' if len(told['gaps']) == 1 else 'gaps'}"
        print(
            f"{told['from']} to {told['to']}: {told['rows_replayed']:,} rows, one every {told['period_s']:g} s; "
            f"{alarms}; {gaps}"
        )
