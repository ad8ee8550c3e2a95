"""What an event replaced: field, old value, new value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.audit.wording import fields_of, shortened
from cultureops.ledger.event import Event, JsonValue

__all__ = ["Change", "changes_of", "replaces"]

_REGISTERS: Final = ("equipment:", "lot:", "recipe:", "site")
"""Streams of things that have a state, and few events: what an event replaced is what the ones before it said."""

_STATES: Final = {
    "commissioned": "in service",
    "returned_to_service": "in service",
    "taken_out_of_service": "out of service",
    "retired": "retired",
    "lot_received": "quarantined",
    "lot_released": "released",
    "lot_quarantined": "quarantined",
    "lot_recalled": "recalled",
    "lot_rejected": "rejected",
    "account_created": "active",
    "disabled": "disabled",
    "reinstated": "active",
    "locked": "locked",
    "unlocked": "active",
}
_GRANTED: Final = {"role_granted": True, "role_revoked": False}
_POLICY: Final = "access_policy_changed"
_UNCHANGED: Final = frozenset({"text", "role", "roles"})
"""Fields that are no state of their own: a recipe's whole text, and roles, which add up."""


@dataclass(frozen=True, slots=True)
class Change:
    """One value that became another; ``old`` is empty where there was none."""

    field: str
    old: str
    new: str

    def __str__(self) -> str:
        """Write it as people read it."""
        return f"{self.field}: {self.old or '(none)'} -> {self.new or '(none)'}"


def replaces(event: Event) -> bool:
    """Whether what an event changed shows only beside the events before it in its stream."""
    return event.stream.startswith(_REGISTERS) or event.type in (*_STATES, *_GRANTED, _POLICY)


def changes_of(event: Event, earlier: Sequence[Event]) -> tuple[Change, ...]:
    """Return what an event changed; ``earlier`` are those before it in its stream, needed where it ``replaces``."""
    data = event.data
    if event.type == "corrected":
        return (
            Change(
                f"{data.get('event_type')}.{data.get('field')}", _said(data.get("old_value")), _said(data.get("value"))
            ),
        )
    if "from_state" in data and "to_state" in data:
        return (Change("state", _said(data["from_state"]), _said(data["to_state"])),)
    if data.get("severity_before"):
        return (Change("severity", _said(data["severity_before"]), _said(data.get("severity"))),)
    if event.type == _POLICY:
        return _policy(event, earlier)
    fields = _fields(event, earlier) if event.stream.startswith(_REGISTERS) else ()
    return (*_state(event, earlier), *_roles(event, earlier), *fields)


def _state(event: Event, earlier: Sequence[Event]) -> tuple[Change, ...]:
    state = _STATES.get(event.type)
    if state is None:
        return ()
    before = next((_STATES[one.type] for one in reversed(earlier) if one.type in _STATES), "")
    return (Change("state", before, state),) if before != state else ()


def _roles(event: Event, earlier: Sequence[Event]) -> tuple[Change, ...]:
    if event.type not in _GRANTED:
        return ()
    held: set[str] = set()
    seen = []
    for one in (*earlier, event):
        seen.append(", ".join(sorted(held)))
        if one.type in _GRANTED:
            (held.add if _GRANTED[one.type] else held.discard)(str(one.data.get("role", "")))
        elif isinstance(roles := one.data.get("roles"), list | tuple):
            held = {str(role) for role in roles}
    return (Change("roles", seen[-1], ", ".join(sorted(held))),)


def _policy(event: Event, earlier: Sequence[Event]) -> tuple[Change, ...]:
    last = next((one for one in reversed(earlier) if one.type == _POLICY), None)
    before, after = (_entries(one) for one in (last, event))
    return tuple(
        Change(f"policy {name}", _said(before.get(name)), _said(after.get(name)))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _entries(event: Event | None) -> Mapping[str, JsonValue]:
    policy = None if event is None else event.data.get("policy")
    return policy if isinstance(policy, Mapping) else {}


def _fields(event: Event, earlier: Sequence[Event]) -> tuple[Change, ...]:
    found = []
    for name, new in fields_of(event):
        if name in _UNCHANGED:
            continue
        old = next((dict(fields_of(one))[name] for one in reversed(earlier) if name in dict(fields_of(one))), None)
        if old is not None and old != new:
            found.append(Change(name, old, new))
    return tuple(found)


def _said(value: object) -> str:
    return "" if value is None else shortened(str(value))
