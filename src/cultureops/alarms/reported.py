"""A gateway's alarm events as transitions of the hub: read strictly, and believed in nothing but its own alarms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from cultureops.alarms.alarm import Act, Shelf, Transition, What
from cultureops.alarms.events import ALARM_EVENT_TYPES, read_shelf
from cultureops.alarms.gateway import Gateway
from cultureops.alarms.state import State
from cultureops.clock import Instant, parse_iso
from cultureops.errors import ConfigError, StorageError
from cultureops.field import printable
from cultureops.ledger.event import Event, JsonValue

__all__ = ["reported"]

_LONGEST: Final = 2_000
_LAST_INSTANT: Final = 7_258_118_399_999
"""The end of 2199: no time of an alarm, however wrong a clock was, and far from where dates end in any zone."""


def reported(gateway: Gateway, event: Event) -> Transition:
    """Read an event of ``ALARM_EVENT_TYPES`` out of a gateway's log; raises StorageError where it is none."""
    data = event.data
    try:
        if event.type not in ALARM_EVENT_TYPES:
            raise ValueError("no alarm's event")
        rule_id = gateway.here(_name(data, "rule_id"))
        if not gateway.has(rule_id) and ("+" in rule_id or "#" in rule_id or not all(rule_id.split("/"))):
            raise ValueError("rule_id: expected names between slashes")
        return Transition(
            rule=gateway.rule(rule_id, data),
            from_state=State(_name(data, "from_state")),
            to_state=State(_name(data, "to_state")),
            at=_instant(data, "at"),
            value=_value(data),
            cause=_words(data.get("cause")),
            since=_instant(data, "since"),
            raised_at=_instant(data, "raised_at"),
            what=What(event.type.removeprefix("alarm_")),
            is_active=data["is_active"] is True,
            act=_act(data),
            shelf=_shelf(event),
            is_latched=data.get("latched") is True,
        )
    except (KeyError, ValueError, ConfigError, StorageError) as error:
        raise StorageError(
            f"gateway {gateway.name}, position {event.position}: {event.type}: {type(error).__name__}: {error}"
        ) from None


def _shelf(event: Event) -> Shelf | None:
    shelf = read_shelf(event)
    if shelf is not None and not 0 <= (shelf.until or 0) <= _LAST_INSTANT:
        raise ValueError("shelf: until is beyond all times")
    return shelf


def _act(data: Mapping[str, JsonValue]) -> Act | None:
    actor_id = _words(data.get("actor_id"))
    if not actor_id:
        return None
    reason, witness, role, command = (_words(data.get(key)) for key in ("reason", "witness_id", "role", "command_id"))
    return Act(actor_id, reason, witness, role or "OP", command)


def _name(data: Mapping[str, JsonValue], key: str) -> str:
    found = data[key]
    if not isinstance(found, str) or not 0 < len(found) <= 200 or not found.isprintable():
        raise ValueError(f"{key}: expected 1 to 200 printable characters")
    return found


def _words(found: JsonValue) -> str:
    return printable(found)[:_LONGEST] if isinstance(found, str) else ""


def _instant(data: Mapping[str, JsonValue], key: str) -> Instant:
    instant = parse_iso(_name(data, key))
    if not 0 <= instant <= _LAST_INSTANT:
        raise ValueError(f"{key}: expected a time from 1970 to 2199")
    return instant


def _value(data: Mapping[str, JsonValue]) -> float | None:
    found = data.get("value")
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise ValueError("value: expected a number")
    return float(found)
