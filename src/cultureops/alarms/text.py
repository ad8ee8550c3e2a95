"""What people read about an alarm: one line each, for pages, messages and the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from cultureops.alarms.rule import BatchRef, Kind, Rule
from cultureops.device.reading import Reason
from cultureops.units import label

__all__ = ["amount", "begun", "describe", "duration", "ended", "exposed", "lost"]

_COMPARISONS = {Kind.HIGH: ("at or above", "below"), Kind.LOW: ("at or below", "above")}


def amount(value: float | None, unit: str) -> str:
    """Write a value with its unit (UCUM code), at most two decimals; None is ``no value``."""
    if value is None:
        return "no value"
    return f"{round(value, 2) + 0.0:.12g} {label(unit)}".rstrip()


def duration(seconds: float) -> str:
    """Write a duration in its largest two units, e.g. ``1 h 5 min``."""
    whole = max(0, round(seconds))
    parts = (
        (whole // 86_400, "d"),
        (whole % 86_400 // 3600, "h"),
        (whole % 3600 // 60, "min"),
        (whole % 60, "s"),
    )
    said = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(said[:2]) or "0 s"


def begun(rule: Rule, value: float | None, lasted_s: float) -> str:
    """Say why a limit alarm was raised."""
    return f"{amount(value, rule.unit)} {_limit(rule, _COMPARISONS[rule.kind][0])} for {duration(lasted_s)}"


def ended(rule: Rule, value: float | None, lasted_s: float) -> str:
    """Say why a limit alarm returned."""
    inside = f", deadband {amount(rule.deadband, rule.unit)}" if rule.deadband else ""
    compared = _limit(rule, _COMPARISONS[rule.kind][1])
    return f"{amount(value, rule.unit)} {compared}{inside} for {duration(lasted_s)}"


def lost(missed: int, reason: Reason) -> str:
    """Say why communication counts as lost."""
    return f"{missed} {'poll' if missed == 1 else 'polls'} missed in a row: {reason.text}"


def describe(rule: Rule, value: float | None, batches: Sequence[BatchRef], lasted_s: float | None = None) -> str:
    """Say in one line what is wrong where, for how long [s] if known, and whose cells are in it."""
    if rule.kind is Kind.COMMUNICATION:
        fault = f"no communication with {rule.device}"
    else:
        fault = f"{rule.channel} {amount(value, rule.unit)} {_limit(rule, _COMPARISONS[rule.kind][0])}"
    lasting = "" if lasted_s is None else f" for {duration(lasted_s)}"
    return f"{rule.chamber}: {fault}{lasting}; {exposed(batches)}"


def exposed(batches: Sequence[BatchRef]) -> str:
    """Say whose cells stand in the chamber."""
    if not batches:
        return "no batch inside"
    return f"{'batch' if len(batches) == 1 else 'batches'} inside: {', '.join(batches)}"


def _limit(rule: Rule, comparison: str) -> str:
    return f"{comparison} the {rule.kind} limit {amount(rule.limit, rule.unit)}"
