"""Alarm transitions as ledger events, and back: the list of alarms is a fold over events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol, TypeAlias

from cultureops.alarms.engine import StoredAlarm, Transition
from cultureops.alarms.rule import BatchRef
from cultureops.alarms.state import State
from cultureops.alarms.text import describe, exposed
from cultureops.clock import Instant, iso, parse_iso
from cultureops.errors import ConfigError, StorageError
from cultureops.ledger.event import JsonValue

__all__ = ["ALARM_EVENT_TYPES", "AlarmEvent", "RecordedEvent", "alarm_event", "replay"]

_RAISED: Final = "alarm_raised"
_RETURNED: Final = "alarm_returned"
_ACKNOWLEDGED: Final = "alarm_acknowledged"
_CLEARED: Final = "alarm_cleared"
ALARM_EVENT_TYPES: Final = (_RAISED, _RETURNED, _ACKNOWLEDGED, _CLEARED)

_TYPES: Final = {
    State.UNACK: _RAISED,
    State.RTN_UNACK: _RETURNED,
    State.ACK: _ACKNOWLEDGED,
    State.NORMAL: _CLEARED,
}

AlarmEvent: TypeAlias = tuple[str, str, dict[str, JsonValue]]
"""Stream, event type, data."""


class RecordedEvent(Protocol):
    """What replay asks of an event."""

    @property
    def type(self) -> str:
        """The event's type."""
        ...

    @property
    def data(self) -> Mapping[str, JsonValue]:
        """The event's data."""
        ...


def alarm_event(transition: Transition, batches: Sequence[BatchRef]) -> AlarmEvent:
    """Write a transition as ``(stream, type, data)``; the stream is ``alarm:<rule id>``, times are ISO 8601
    in UTC.

    Types: alarm_raised, alarm_returned (condition gone, not yet acknowledged), alarm_acknowledged (condition
    still there), alarm_cleared (back to NORMAL, by either way).
    """
    rule = transition.rule
    data: dict[str, JsonValue] = {
        "rule_id": rule.id,
        "chamber": rule.chamber,
        "device": rule.device,
        "channel": rule.channel,
        "kind": rule.kind.value,
        "limit": rule.limit,
        "unit": rule.unit,
        "value": transition.value,
        "priority": rule.priority.value,
        "gmp_critical": rule.gmp_critical,
        "from_state": transition.from_state.value,
        "to_state": transition.to_state.value,
        "at": iso(transition.at),
        "since": iso(transition.since),
        "raised_at": iso(transition.raised_at),
        "batch_ids": list(batches),
        "actor_id": transition.actor_id,
        "reason": transition.reason,
        "cause": transition.cause,
        "text": _text(transition, batches),
    }
    return f"alarm:{rule.id}", _TYPES[transition.to_state], data


def _text(transition: Transition, batches: Sequence[BatchRef]) -> str:
    rule = transition.rule
    if transition.to_state is State.UNACK:
        return describe(rule, transition.value, batches, (transition.at - transition.since) / 1000)
    said = {
        State.RTN_UNACK: f"returned, not yet acknowledged; {transition.cause}",
        State.ACK: transition.cause,
        State.NORMAL: f"cleared; {transition.cause}",
    }[transition.to_state]
    return f"{rule.chamber}: {rule.id} {said}; {exposed(batches)}"


def replay(events: Iterable[RecordedEvent]) -> tuple[StoredAlarm, ...]:
    """Fold ledger events, in ledger order, into the alarms that are not NORMAL, for ``Engine.restore``.

    Events of other types are passed over. Raises StorageError for an alarm event that lacks what it must
    hold, or that speaks of an alarm that was not raised before it.
    """
    alarms: dict[str, StoredAlarm] = {}
    for event in events:
        if event.type not in ALARM_EVENT_TYPES:
            continue
        rule_id = _string(event, "rule_id")
        if event.type == _RAISED:
            alarms[rule_id] = _raised(event, rule_id)
            continue
        if rule_id not in alarms:
            raise StorageError(f"{event.type} of {rule_id}: no alarm_raised before it; replay from the first event on")
        if event.type == _CLEARED:
            del alarms[rule_id]
        elif event.type == _ACKNOWLEDGED:
            actor_id = _string(event, "actor_id")
            alarms[rule_id] = replace(alarms[rule_id], state=State.ACK, acknowledged_by=actor_id)
        else:
            returned_at, value = _instant(event, "at"), _value(event)
            alarms[rule_id] = replace(alarms[rule_id], state=State.RTN_UNACK, returned_at=returned_at, value=value)
    return tuple(alarms.values())


def _raised(event: RecordedEvent, rule_id: str) -> StoredAlarm:
    return StoredAlarm(
        rule_id=rule_id,
        state=State.UNACK,
        since=_instant(event, "since"),
        raised_at=_instant(event, "raised_at"),
        value=_value(event),
        returned_at=None,
        acknowledged_by=None,
    )


def _string(event: RecordedEvent, key: str) -> str:
    found = event.data.get(key)
    if not isinstance(found, str) or not found:
        raise StorageError(f"{event.type} {event.data.get('rule_id')!r}: {key} should be a text, is {found!r}")
    return found


def _instant(event: RecordedEvent, key: str) -> Instant:
    try:
        return parse_iso(_string(event, key))
    except ConfigError as error:
        raise StorageError(f"{event.type} {event.data.get('rule_id')!r}: {key}: {error}") from None


def _value(event: RecordedEvent) -> float | None:
    found = event.data.get("value")
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise StorageError(f"{event.type} {event.data.get('rule_id')!r}: value should be a number, is {found!r}")
    return float(found)
