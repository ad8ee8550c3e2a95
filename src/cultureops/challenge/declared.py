"""What the site file itself says of an alarm, read apart from the reader of rules, so that a misread rule is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cultureops.alarms.rule import Level, Rule

__all__ = ["Row", "differences"]

Row = Mapping[str, Any]
"""One ``[[alarm]]`` table as TOML has it."""

_FIGURES: Final = ("limit", "deadband", "on_delay_s", "off_delay_s", "misses", "settle_s", "window_s", "realarm_s")
_WORDS: Final = ("priority", "gmp_critical", "latching", "spike_filter")


def differences(rule: Rule, rows: Sequence[Row], class_of: Mapping[str, str]) -> tuple[str, ...]:
    """Return where a rule says other than the row of the site file that speaks of it; ``class_of`` is by chamber.

    What a row leaves out has a default, which this can't judge.
    """
    found = [row for row in rows if _speaks_of(row, rule, class_of)]
    if len(found) != 1:
        return (f"{len(found)} rows of the site file speak of it, not one",)
    (row,) = found
    wrong = [
        f"the site file says {key} = {row[key]}, the rule has {getattr(rule, key):g}"
        for key in _FIGURES
        if key in row and float(row[key]) != getattr(rule, key)
    ]
    wrong += [
        f"the site file says {key} = {row[key]}, the rule has {getattr(rule, key)}"
        for key in _WORDS
        if key in row and row[key] != getattr(rule, key)
    ]
    return tuple(wrong)


def _speaks_of(row: Row, rule: Rule, class_of: Mapping[str, str]) -> bool:
    channel = None if rule.channel is None else rule.channel.rpartition("/")[2]
    return (
        row.get("kind") == rule.kind
        and row.get("level", Level.ALARM) == rule.level
        and row.get("channel", channel) == channel
        and row.get("chamber", rule.chamber) == rule.chamber
        and row.get("class", class_of.get(rule.chamber)) == class_of.get(rule.chamber)
        and row.get("device", rule.device) == rule.device
        and ("unit" not in row or row["unit"] == rule.unit)
    )
