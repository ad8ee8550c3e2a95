"""The steps of a batch by time, with every value, who and with whom; changed values stand beside the old ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cultureops.batch.amendment import Amendment, amendments
from cultureops.batch.events import EVENTS, read_event
from cultureops.batch.field_text import field_name, field_text, field_unit
from cultureops.batch.narrative import tell
from cultureops.conduct import is_late
from cultureops.errors import BatchError
from cultureops.ledger.event import Event, JsonValue
from cultureops.report.batch_record.words import Row, Words, title_of

__all__ = ["changed_values", "event_rows", "late_rows", "step_rows"]

_ELSEWHERE: Final = frozenset({"checks", "warnings", "witness_id", "signatures", "collected"})
"""Fields of every event that have places of their own in a step."""
_NO_STEPS: Final = frozenset({"alarm_exposed", "command_refused", "corrected"})
"""Events with sections of their own."""
_HASH_DIGITS: Final = 16


def step_rows(words: Words) -> list[Row]:
    """Return the steps by the time at which they happened."""
    events = words.dossier.events
    changed: dict[str, list[Amendment]] = {}
    for one in amendments(events):
        changed.setdefault(one.event_id, []).append(one)
    steps = [event for event in events if event.type not in _NO_STEPS]
    return [_step(words, event, changed.get(event.event_id, ())) for event in sorted(steps, key=_time)]


def _time(event: Event) -> tuple[int, int]:
    return event.occurred_at, event.position


def _step(words: Words, event: Event, changed: Sequence[Amendment]) -> Row:
    witness = event.data.get("witness_id")
    return {
        "position": event.position,
        "step": event.type,
        "title": title_of(event.type),
        "text": _told(event),
        **words.at("at", event.occurred_at),
        **words.at("recorded_at", event.recorded_at),
        "is_late": is_late(event),
        "person": words.who(event.actor.id, event.actor.role),
        "witness": "" if not isinstance(witness, str) else words.dossier.name_of(witness),
        "source": event.source.value,
        "reason": event.reason,
        "fields": [_field(words, name, event, changed) for name in _in_order(event)],
        "warnings": list(_listed(event.data, "warnings")),
        "gates": [_gate(words, check) for check in _listed(event.data, "checks")],
        "signatures": [_signed(words, one) for one in _listed(event.data, "signatures")],
    }


def _in_order(event: Event) -> list[str]:
    """Return an event's own fields, those first that a person entered, as they stand in the form."""
    kind = EVENTS.get(event.type)
    declared = {} if kind is None else {name: place for place, name in enumerate(kind.model_fields)}
    own = [name for name in event.data if name not in _ELSEWHERE]
    return sorted(own, key=lambda name: (declared.get(name, len(declared)), name))


def _told(event: Event) -> str:
    try:
        return tell(read_event(event.type, event.data))
    except (BatchError, KeyError):
        return f"{event.type}: not known to this version of cultureops"


def _listed(data: Mapping[str, JsonValue], key: str) -> Sequence[Any]:
    found = data.get(key)
    return found if isinstance(found, list | tuple) else ()


def _field(words: Words, name: str, event: Event, changed: Sequence[Amendment]) -> Row:
    """Return a field as it reads now, with every value that it has had before, and which instrument gave it first."""
    zone = words.zone
    of_it = [one for one in changed if one.field == name]
    value = of_it[-1].new if of_it else event.data[name]
    taken = next((one for one in _listed(event.data, "collected") if one.get("field") == name), None)
    origin = {} if taken is None else {"collected": taken}
    said = "" if taken is None or of_it else f" (machine-collected: {taken.get('channel')})"
    return origin | {
        "field": name,
        "name": field_name(name),
        "value": value,
        "value_text": field_text(value, zone) + said,
        "unit": field_unit(name),
        "was": [
            {"value": one.old, "value_text": field_text(one.old, zone), "change": _change(words, one)} for one in of_it
        ],
    }


def _change(words: Words, one: Amendment) -> str:
    return f"changed by {words.who(one.actor_id, one.role)}, {words.when(one.at)}: {one.reason}"


def _gate(words: Words, check: Mapping[str, Any]) -> Row:
    used = check.get("used", {})
    return {"gate": str(check.get("gate")), "used": used, "used_text": field_text(used, words.zone)}


def _signed(words: Words, one: Mapping[str, Any]) -> str:
    return f"{one.get('printed_name')} ({one.get('username')}): {one.get('meaning')}"


def changed_values(words: Words) -> list[Row]:
    """Return every changed value: old, new, who, when and why (EU GMP Annex 11, 8.2)."""
    zone = words.zone
    return [
        {
            "position": one.position,
            "event_position": one.event_position,
            "step": one.event_type,
            "field": one.field,
            "name": field_name(one.field),
            "unit": field_unit(one.field),
            "old": one.old,
            "old_text": field_text(one.old, zone),
            "new": one.new,
            "new_text": field_text(one.new, zone),
            "person": words.who(one.actor_id, one.role),
            **words.at("at", one.at),
            "reason": one.reason,
        }
        for one in amendments(words.dossier.events)
    ]


def late_rows(words: Words) -> list[Row]:
    """Return what people entered late, with the reason that they gave."""
    return [
        {
            "position": event.position,
            "step": event.type,
            "text": _told(event),
            **words.at("at", event.occurred_at),
            **words.at("recorded_at", event.recorded_at),
            "hours_late": round((event.recorded_at - event.occurred_at) / 3_600_000, 2),
            "person": words.who(event.actor.id, event.actor.role),
            "witness": words.dossier.name_of(str(event.data["witness_id"])) if event.data.get("witness_id") else "",
            "reason": event.reason,
        }
        for event in words.dossier.events
        if is_late(event)
    ]


def event_rows(words: Words) -> list[Row]:
    """Return every event of the batch by position: what a reader compares with the ledger."""
    return [
        {
            "position": event.position,
            "version": event.version,
            "event_id": event.event_id,
            "type": event.type,
            "text": _told(event),
            "person": f"{event.actor.id} ({event.actor.role})",
            **words.at("recorded_at", event.recorded_at),
            "hash": event.hash,
            "hash_text": event.hash[:_HASH_DIGITS],
        }
        for event in words.dossier.events
    ]
