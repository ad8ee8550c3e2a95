"""What people read about an alarm: one line each, for pages, messages and the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from cultureops.alarms.rule import PLACE_PREFIX, BatchRef, Kind, Level, Rule
from cultureops.device.reading import Reason
from cultureops.units import label

__all__ = ["amount", "begun", "describe", "developed", "duration", "ended", "exposed", "fault", "lost", "place"]


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
    """Say why an alarm was raised: what its condition is, and for how long [s] it had been there."""
    return _there(rule, value, lasted_s)


def ended(rule: Rule, value: float | None, lasted_s: float) -> str:
    """Say why an alarm returned: how its condition ended, and for how long [s] it had been gone."""
    lasting = f" for {duration(lasted_s)}"
    inside = f", deadband {_number(rule, rule.deadband)}" if rule.deadband else ""
    match rule.kind:
        case Kind.HIGH:
            return f"{amount(value, rule.unit)} below the {_limit(rule)}{inside}{lasting}"
        case Kind.LOW:
            return f"{amount(value, rule.unit)} above the {_limit(rule)}{inside}{lasting}"
        case Kind.STUCK:
            return "moves again"
        case Kind.OPEN:
            return f"closed{lasting}"
        case Kind.FILL_TIME if not value:
            return "filling has ended"
        case Kind.NO_DATA:
            return f"usable values again{lasting}"
        case Kind.COMMUNICATION:
            return f"{rule.device} answered again"
        case _:
            back = "above" if rule.kind is Kind.DAYS_LEFT else "below"
            return f"{_measured(rule, value)}, {back} the {_limit(rule)}{inside},{lasting}"


def lost(missed: int, reason: Reason) -> str:
    """Say why communication counts as lost."""
    return f"{missed} {'poll' if missed == 1 else 'polls'} missed in a row: {reason.text}"


def describe(rule: Rule, value: float | None, batches: Sequence[BatchRef], lasted_s: float | None = None) -> str:
    """Say in one line what is wrong where, for how long [s] if known, and whose cells are in it.

    ``value`` is the number that the rule judges: for DEVIATION the distance to the setpoint, for RATE the change a
    minute, and so on as its Kind says.
    """
    if rule.batch is not None:
        return fault(rule, _there(rule, value, lasted_s))
    return f"{place(rule) or rule.device}: {fault(rule, _there(rule, value, lasted_s))}; {exposed(batches)}"


def place(rule: Rule) -> str:
    """Return where an alarm is: its chamber, or the gateway all of whose chambers it concerns; empty for nowhere."""
    name = rule.chamber.removeprefix(PLACE_PREFIX)
    return rule.chamber if name == rule.chamber else f"gateway {name}"


def fault(rule: Rule, condition: str) -> str:
    """Say in one line what a condition is the condition of: a batch, a channel, or what it names itself."""
    if rule.batch is not None:
        return f"{rule.cause.rstrip('.') or f'batch {rule.batch}'} ({condition})"
    if rule.channel is None or rule.kind is Kind.COMMUNICATION:
        return condition
    return f"{rule.channel}{':' if rule.kind in _SENTENCES else ''} {condition}"


def developed(rule: Rule, raised: float | None, other: float | None, when: str = "now") -> str:
    """Say the condition with its value when it was raised, and the one that it had at another time, if it has changed.

    ``when`` says at what time, e.g. ``now`` or ``when it returned``.
    """
    if rule.kind in _WITHOUT_VALUE or other is None or _number(rule, other) == _number(rule, raised):
        return _there(rule, raised, None)
    is_now = when == "now"
    present = f"now {_measured(rule, other)}" if is_now else f"{_measured(rule, other)} {when}"
    return f"{present}, {_number(rule, raised)} when raised; {_limit(rule)}"


def exposed(batches: Sequence[BatchRef]) -> str:
    """Say whose cells stand in the chamber."""
    if not batches:
        return "no batch inside"
    return f"{'batch' if len(batches) == 1 else 'batches'} inside: {', '.join(batches)}"


_SENTENCES = frozenset({Kind.DAYS_LEFT, Kind.FILL_TIME, Kind.NO_DATA})
"""Kinds whose condition is not said of the channel itself."""

_WITHOUT_VALUE = frozenset({Kind.COMMUNICATION, Kind.NO_DATA, Kind.OPEN, Kind.STUCK})
"""Kinds whose condition has no value that could be told beside a limit."""


def _there(rule: Rule, value: float | None, lasted_s: float | None) -> str:
    """Say the condition, without what it is the condition of."""
    lasting = "" if lasted_s is None else f" for {duration(lasted_s)}"
    level = "" if rule.level is Level.ALARM else f" ({rule.level})"
    match rule.kind:
        case Kind.HIGH:
            return f"{amount(value, rule.unit)} at or above the {_limit(rule)}{lasting}"
        case Kind.LOW:
            return f"{amount(value, rule.unit)} at or below the {_limit(rule)}{lasting}"
        case Kind.STUCK:
            why = "the door was opened" if rule.reference_limit is None else f"{rule.reference} did"
            still = duration(rule.window_s + (lasted_s or 0.0))
            return f"does not move although {why}: less than {amount(rule.limit, rule.unit)} in {still}{level}"
        case Kind.OPEN:
            return f"open{lasting}{level}"
        case Kind.NO_DATA:
            return f"no usable value{lasting}: no data{level}"
        case Kind.COMMUNICATION:
            return f"no communication with {rule.device}{lasting}{level}"
        case Kind.DAYS_LEFT:
            return f"{_measured(rule, value)} ({_limit(rule)}){lasting and ', seen'}{lasting}"
        case _:
            return f"{_measured(rule, value)} ({_limit(rule)}){lasting}"


def _measured(rule: Rule, value: float | None) -> str:
    """Say the number that a measure came to."""
    said = _number(rule, value)
    match rule.kind:
        case _ if value is None:
            return said
        case Kind.HIGH | Kind.LOW:
            return said
        case Kind.DEVIATION:
            return f"{said} away from its setpoint"
        case Kind.DISAGREEMENT:
            return f"{said} away from {rule.reference}"
        case Kind.RATE:
            return f"changes by {said}"
        case Kind.DAYS_LEFT:
            return f"nitrogen for {said}"
        case _:
            return f"filling takes {said} as long as usual"


def _number(rule: Rule, value: float | None) -> str:
    """Write a number of the rule in the unit that its Kind judges."""
    match rule.kind:
        case _ if value is None:
            return "no value"
        case Kind.RATE:
            return f"{amount(value, rule.unit)}/min"
        case Kind.DAYS_LEFT:
            return amount(value, "d")
        case Kind.FILL_TIME:
            return f"{amount(value, '1')} times"
        case _:
            return amount(value, rule.unit)


def _limit(rule: Rule) -> str:
    """Name the limit with its level, unless that is the alarm itself."""
    level = "" if rule.level is Level.ALARM else f"{rule.level} "
    kind = f"{rule.kind} " if rule.kind in (Kind.HIGH, Kind.LOW) else ""
    return f"{level}{kind}limit {_number(rule, rule.limit)}"
