"""Alarm transitions as ledger events, and back: the list of alarms is a fold over events."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from cultureops.alarms.alarm import Act, Shelf, What
from cultureops.alarms.engine import StoredAlarm, Transition
from cultureops.alarms.recorded import recorded_rule
from cultureops.alarms.rule import BatchRef
from cultureops.alarms.state import State
from cultureops.alarms.text import describe, exposed
from cultureops.clock import Instant, iso, parse_iso
from cultureops.errors import ConfigError, StorageError
from cultureops.ledger.event import JsonValue

__all__ = [
    "ALARM_EVENT_TYPES",
    "AlarmEvent",
    "RecordedEvent",
    "StandingAlarms",
    "alarm_event",
    "alarm_stream",
    "read_shelf",
    "replay",
]

ALARM_EVENT_TYPES: Final = tuple(f"alarm_{what}" for what in What)
"""One for each transition; other events of an alarm's stream change nothing of where it stands."""

_AFTERWARDS: Final = frozenset(
    f"alarm_{what}" for what in (What.RETURNED, What.ACKNOWLEDGED, What.REALARMED, What.LATCHED, What.CLEARED)
)

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


def alarm_stream(rule_id: str) -> str:
    """Return the stream of a rule's alarm."""
    return f"alarm:{rule_id}"


def alarm_event(transition: Transition, batches: Sequence[BatchRef]) -> AlarmEvent:
    """Write a transition as ``(stream, type, data)``; the stream is ``alarm:<rule id>``, times are ISO 8601
    in UTC. The type is ``alarm_`` and what happened, see ``What``.
    """
    rule, act = transition.rule, transition.act
    data: dict[str, JsonValue] = {
        "rule_id": rule.id,
        "chamber": rule.chamber,
        "device": rule.device,
        "channel": rule.channel,
        "kind": rule.kind.value,
        "level": rule.level.value,
        "alarm_class": rule.alarm_class.value,
        "limit": rule.limit,
        "unit": rule.unit,
        "value": _finite(transition.value),
        "priority": rule.priority.value,
        "gmp_critical": rule.gmp_critical,
        "respond_within_s": rule.respond_within_s,
        "from_state": transition.from_state.value,
        "to_state": transition.to_state.value,
        "is_active": transition.is_active,
        "at": iso(transition.at),
        "since": iso(transition.since),
        "raised_at": iso(transition.raised_at),
        "batch_ids": list(batches),
        "actor_id": "" if act is None else act.actor_id,
        "role": "" if act is None else act.role,
        "reason": "" if act is None else act.reason,
        "witness_id": "" if act is None else act.witness_id,
        "command_id": "" if act is None else act.command_id,
        "latched": transition.is_latched,
        "shelf": None if transition.shelf is None else _shelf(transition.shelf),
        "cause": transition.cause,
        "text": _text(transition, batches) + _unrecorded(transition.value),
    }
    return alarm_stream(rule.id), f"alarm_{transition.what}", data


def _shelf(shelf: Shelf) -> dict[str, JsonValue]:
    return {
        "since": iso(shelf.since),
        "until": None if shelf.until is None else iso(shelf.until),
        "one_shot": shelf.one_shot,
        "actor_id": shelf.act.actor_id,
        "role": shelf.act.role,
        "reason": shelf.act.reason,
        "witness_id": shelf.act.witness_id,
    }


def _unrecorded(value: float | None) -> str:
    """Say of a value that no record can hold what it was."""
    return "" if value is None or math.isfinite(value) else f"; its value, {value}, is no finite number"


def _text(transition: Transition, batches: Sequence[BatchRef]) -> str:
    rule = transition.rule
    if transition.what is What.RAISED:
        return describe(rule, transition.value, batches, (transition.at - transition.since) / 1000)
    match transition.what:
        case What.RETURNED:
            said = f"returned, not yet acknowledged; {transition.cause}"
        case What.CLEARED:
            said = f"cleared; {transition.cause}"
        case What.CONDITION:
            said = f"while {transition.to_state.text}: {transition.cause}"
        case _:
            said = transition.cause
    return f"{rule.chamber or rule.device}: {rule.id} {said}; {exposed(batches)}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def replay(events: Iterable[RecordedEvent]) -> tuple[StoredAlarm, ...]:
    """Fold ledger events, in ledger order, into the alarms that are not NORMAL, for ``Engine.restore``.

    Events of other types are passed over. Raises StorageError for an alarm event that lacks what it must hold, or that
    speaks of an alarm that was not raised before it.
    """
    standing = StandingAlarms()
    for event in events:
        standing.apply(event)
    return standing.alarms


class StandingAlarms:
    """The alarms that are not NORMAL; fed with the ledger's events in order."""

    def __init__(self) -> None:
        self._alarms: dict[str, StoredAlarm] = {}
        self._said: dict[str, Mapping[str, JsonValue]] = {}

    def apply(self, event: RecordedEvent) -> None:
        """Take one more event; raises StorageError as ``replay`` does, and is as it was before then."""
        if event.type not in ALARM_EVENT_TYPES:
            return
        rule_id = _string(event, "rule_id")
        if event.type in _AFTERWARDS and rule_id not in self._alarms:
            raise StorageError(f"{event.type} of {rule_id}: no alarm_raised before it; replay from the first event on")
        stored = _stored(event, rule_id, self._alarms.get(rule_id))
        if stored.state is State.NORMAL:
            self._alarms.pop(rule_id, None)
            self._said.pop(rule_id, None)
        else:
            self._alarms[rule_id] = stored
            self._said[rule_id] = event.data

    @property
    def alarms(self) -> tuple[StoredAlarm, ...]:
        """Each of them as the ledger says."""
        return tuple(self._alarms.values())

    def get(self, rule_id: str) -> StoredAlarm | None:
        """Return one of them; None for an alarm that is NORMAL."""
        return self._alarms.get(rule_id)

    def said(self, rule_id: str) -> Mapping[str, JsonValue]:
        """Return the data of the last event of one of them."""
        return self._said[rule_id]


def _stored(event: RecordedEvent, rule_id: str, before: StoredAlarm | None) -> StoredAlarm:
    state, at, shelf = _state(event), _instant(event, "at"), read_shelf(event)
    is_active = event.data.get("is_active", state.is_active) is True
    is_raised = event.type == "alarm_raised"
    kept = None if is_raised else before
    is_acknowledged = state in (State.ACK, State.LATCH_ACK)
    acknowledged_by = None if kept is None or not is_acknowledged else kept.acknowledged_by
    acknowledged_at = None if kept is None or not is_acknowledged else kept.acknowledged_at
    if event.type == "alarm_acknowledged":
        acknowledged_by, acknowledged_at = _string(event, "actor_id"), at
    returned_at = None if kept is None else kept.returned_at
    if state in (State.RTN_UNACK, State.LATCH_UNACK, State.LATCH_ACK) and returned_at is None:
        returned_at = at
    is_new = kept is None or (event.type == "alarm_condition" and is_active)
    return StoredAlarm(
        rule_id=rule_id,
        state=state,
        since=_instant(event, "since") if is_new or kept is None else kept.since,
        raised_at=_instant(event, "raised_at"),
        value=_value(event),
        returned_at=returned_at,
        acknowledged_by=acknowledged_by,
        is_active=is_active,
        acknowledged_at=acknowledged_at,
        shelf=shelf,
        latched=event.data.get("latched") is True,
        rule=recorded_rule(event.data),
    )


def _state(event: RecordedEvent) -> State:
    try:
        return State(_string(event, "to_state"))
    except ValueError:
        raise StorageError(f"{event.type} {event.data.get('rule_id')!r}: to_state is no state of an alarm") from None


def read_shelf(event: RecordedEvent) -> Shelf | None:
    """Return the suppression that an alarm's event tells of; raises StorageError for one without its times."""
    found = event.data.get("shelf")
    if not isinstance(found, Mapping):
        return None
    try:
        until = found.get("until")
        return Shelf(
            Act(
                str(found.get("actor_id", "")),
                str(found.get("reason", "")),
                str(found.get("witness_id", "")),
                str(found.get("role", "")),
            ),
            parse_iso(str(found["since"])),
            None if until is None else parse_iso(str(until)),
            found.get("one_shot") is True,
        )
    except (ConfigError, KeyError) as error:
        raise StorageError(f"{event.type} {event.data.get('rule_id')!r}: shelf: {error}") from None


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
