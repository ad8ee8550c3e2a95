"""What came of one alarm's challenge."""

from __future__ import annotations

from dataclasses import dataclass, field

from cultureops.alarms.rule import Rule
from cultureops.alarms.state import State
from cultureops.challenge.drill import applying
from cultureops.challenge.stimulus import Drill, Excused, Stimulus, Verdict
from cultureops.clock import Instant, iso
from cultureops.ledger.event import JsonValue

__all__ = ["Change", "Result", "Verdict", "excused_row", "result_row"]


@dataclass(frozen=True, slots=True)
class Change:
    """One transition of an alarm, as the ledger has it: ``seen_at`` is when it was there to be read [ms UTC]."""

    rule_id: str
    chamber: str
    from_state: State
    to_state: State
    seen_at: Instant
    position: int


@dataclass(slots=True)
class Result:
    """Instants [ms UTC of lab time], None for what did not happen; ``positions`` are events of the challenge's ledger.

    ``driven_at`` is when the condition was put on the wire, ``shown_at`` the first reading that shows it,
    ``returned_at`` when the wire showed rest again, ``back_at`` the first reading that shows that. ``short_value`` is
    what was read just inside the limit, and ``shown`` are the drills that the alarm went through.
    """

    stimulus: Stimulus
    attempt: int = 1
    driven_at: Instant | None = None
    shown_at: Instant | None = None
    shown_value: float | None = None
    short_value: float | None = None
    raised_at: Instant | None = None
    notified_at: Instant | None = None
    acknowledged_at: Instant | None = None
    held_within_s: float | None = None
    returned_at: Instant | None = None
    back_at: Instant | None = None
    cleared_at: Instant | None = None
    problems: list[str] = field(default_factory=list)
    unreachable: str = ""
    also_raised: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    shown: set[Drill] = field(default_factory=set)

    def note(self, change: Change) -> bool:
        """Take a change of an alarm; return whether it is this one's own."""
        if change.rule_id == self.stimulus.rule.id:
            self.positions.append(change.position)
            return True
        if change.to_state is State.UNACK and change.rule_id not in self.also_raised:
            self.also_raised.append(change.rule_id)
        return False

    @property
    def verdict(self) -> Verdict:
        """Whether the alarm did what its rule says."""
        if self.problems:
            return Verdict.FAIL
        return Verdict.NOT_CHALLENGED if self.unreachable else Verdict.PASS

    @property
    def reason(self) -> str:
        """Why it did not pass; empty when it did."""
        return "; ".join(self.problems) or self.unreachable


def _identity(rule: Rule) -> dict[str, JsonValue]:
    return {
        "rule_id": rule.id,
        "chamber": rule.chamber,
        "channel": rule.channel,
        "device": rule.device,
        "kind": str(rule.kind),
        "level": str(rule.level),
        "priority": str(rule.priority),
        "alarm_class": str(rule.alarm_class),
        "gmp_critical": rule.gmp_critical,
        "limit": rule.limit,
        "unit": rule.unit,
        "deadband": rule.deadband,
        "on_delay_s": rule.on_delay_s,
        "off_delay_s": rule.off_delay_s,
        "misses": rule.misses,
        "latching": rule.latching,
    }


def _moment(instant: Instant | None) -> str | None:
    return None if instant is None else iso(instant)


def _apart_s(start: Instant | None, end: Instant | None) -> float | None:
    return None if start is None or end is None else (end - start) / 1000


def _timing(start: Instant | None, end: Instant | None, allowed_s: tuple[float, float]) -> dict[str, JsonValue]:
    return {"delay_s": _apart_s(start, end), "allowed_s": list(allowed_s)}


def _drills(result: Result) -> dict[str, JsonValue]:
    """Say of each drill whether the alarm went through it."""
    meant = applying(result.stimulus.rule)
    said = {drill: "not shown" if drill in meant else "does not apply" for drill in Drill}
    return {str(drill): "shown" if drill in result.shown else said[drill] for drill in Drill}


def result_row(result: Result) -> dict[str, JsonValue]:
    """Return a result as JSON."""
    stimulus = result.stimulus
    return {
        **_identity(stimulus.rule),
        "verdict": str(result.verdict),
        "reason": result.reason,
        "stimulus": stimulus.text,
        "attempt": result.attempt,
        "value_at_wire": result.shown_value,
        "condition_at_wire": _moment(result.driven_at),
        "first_reading": _moment(result.shown_at),
        "raised": _moment(result.raised_at),
        "raise": _timing(result.shown_at, result.raised_at, stimulus.raise_within_s),
        "notified": _moment(result.notified_at),
        "acknowledged": _moment(result.acknowledged_at),
        "value_just_inside": result.short_value,
        "drills": _drills(result),
        "held_within_deadband_s": result.held_within_s,
        "rest_at_wire": _moment(result.returned_at),
        "first_reading_back": _moment(result.back_at),
        "cleared": _moment(result.cleared_at),
        "clear": _timing(result.back_at, result.cleared_at, stimulus.clear_within_s),
        "also_raised": list(result.also_raised),
        "ledger_positions": list(result.positions),
    }


def excused_row(excused: Excused) -> dict[str, JsonValue]:
    """Return an alarm that was not driven as JSON, with the reason."""
    return {
        **_identity(excused.rule),
        "verdict": str(excused.verdict),
        "why": str(excused.why),
        "reason": excused.reason,
    }
