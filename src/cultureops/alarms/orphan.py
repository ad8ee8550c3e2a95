"""The alarm of a rule that is gone: nobody watches it, and nobody could act on it, so it is closed on record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cultureops.alarms.alarm import StoredAlarm, Transition, What
from cultureops.alarms.recorded import recorded_rule
from cultureops.alarms.rule import AlarmClass, Kind, Level, Rule
from cultureops.alarms.state import State
from cultureops.clock import Instant
from cultureops.ledger.event import JsonValue

__all__ = ["RULE_IS_GONE", "closing", "recorded_as_rule"]

RULE_IS_GONE: Final = "its rule has left the site file"


def closing(alarm: StoredAlarm, said: Mapping[str, JsonValue], now: Instant) -> Transition:
    """Return what closes an alarm whose rule is gone at ``now`` [ms UTC]; ``said`` is the data of its last event.

    Whether its condition is over nobody knows: for the batches in its chamber it counts as having lasted until now.
    """
    lasts = "; its condition was there when it was last heard of" if alarm.is_active else ""
    return Transition(
        rule=recorded_as_rule(alarm.rule_id, said),
        from_state=alarm.state,
        to_state=State.NORMAL,
        at=max(now, alarm.raised_at),
        value=None,
        cause=f"{RULE_IS_GONE}{lasts}",
        since=now,
        raised_at=alarm.raised_at,
        what=What.CLEARED,
        is_active=False,
    )


def recorded_as_rule(rule_id: str, said: Mapping[str, JsonValue]) -> Rule:
    """Make the rule anew as far as its alarm's events repeat it; it is there to be named, never to be watched."""
    known = recorded_rule(said)
    kind, level, alarm_class = _text(said, "kind"), _text(said, "level"), _text(said, "alarm_class")
    return Rule(
        id=rule_id,
        chamber=_text(said, "chamber"),
        channel=known.channel,
        device=_text(said, "device"),
        kind=Kind(kind) if kind in tuple(Kind) else Kind.HIGH,
        limit=known.limit,
        unit=known.unit,
        deadband=0.0,
        on_delay_s=0.0,
        off_delay_s=0.0,
        misses=0,
        priority=known.priority,
        gmp_critical=known.gmp_critical,
        consequence="",
        response="",
        level=Level(level) if level in tuple(Level) else Level.ALARM,
        alarm_class=AlarmClass(alarm_class) if alarm_class in tuple(AlarmClass) else AlarmClass.ENVIRONMENT,
        respond_within_s=known.respond_within_s,
        reference=_text(said, "reference") or None,
        batch=_text(said, "batch") or None,
    )


def _text(said: Mapping[str, JsonValue], key: str) -> str:
    found = said.get(key)
    return found if isinstance(found, str) else ""
