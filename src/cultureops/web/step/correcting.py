"""Correcting an entry: which of its values can be, how they stand now, and the new value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from cultureops.batch.batch import Batch
from cultureops.batch.commands import Correct
from cultureops.batch.events import EVENTS
from cultureops.batch.field_text import field_text, field_unit
from cultureops.batch.lineage import present_data
from cultureops.batch.steps.record import CORRECTABLE
from cultureops.clock import Instant
from cultureops.field import Unfit
from cultureops.ledger.event import Event
from cultureops.web.form.details_filled import number_of
from cultureops.web.form.details_form import form_fields, label

__all__ = ["Entry", "Value", "correction_from", "entries_of", "entry_of"]


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an entry that can be corrected, as it stands."""

    field: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a batch's record that can be corrected; ``at`` is when it happened [ms UTC]."""

    event_id: str
    at: Instant
    kind: str
    actor_id: str
    values: tuple[Value, ...]


def entries_of(batch: Batch, zone: ZoneInfo) -> list[Entry]:
    """Return every entry of a batch of which something can be corrected, the newest first."""
    known = zip(batch.history, present_data(batch.history), strict=True)
    found = [_entry(event, data, zone) for event, data in known if event.type in CORRECTABLE]
    return found[::-1]


def entry_of(batch: Batch, event_id: str, zone: ZoneInfo) -> Entry | None:
    """Return the entry of an event, None where nothing of it can be corrected."""
    return next((entry for entry in entries_of(batch, zone) if entry.event_id == event_id), None)


def _entry(event: Event, data: Mapping[str, Any], zone: ZoneInfo) -> Entry:
    names: Sequence[str] = sorted(CORRECTABLE[event.type])
    values = tuple(Value(name, label(name), _said(name, data.get(name), zone)) for name in names)
    return Entry(event.event_id, event.occurred_at, event.type.replace("_", " "), event.actor.id, values)


def _said(name: str, value: Any, zone: ZoneInfo) -> str:
    unit = field_unit(name)
    return field_text(value, zone) + (f" {unit}" if unit and value is not None else "")


def correction_from(batch: Batch, form: Mapping[str, Any]) -> Correct:
    """Return the correction that a form asks for, its value of the kind that the corrected field is; raises Unfit."""
    event_id, name = str(form.get("event_id", "")).strip(), str(form.get("field", "")).strip()
    text = str(form.get("value", "")).strip().replace("\r\n", "\n")
    event = next((event for event in batch.history if event.event_id == event_id), None)
    if event is None or name not in CORRECTABLE.get(event.type, frozenset()):
        raise Unfit("choose what is to be corrected", {"field": "choose what is to be corrected"})
    if not text:
        raise Unfit("value: fill this in", {"value": "fill this in"})
    kind = next(field.kind for field in form_fields(EVENTS[event.type], {}, {}) if field.name == name)
    try:
        value = number_of(text) if kind == "number" else _flag(text) if kind == "flag" else text
    except ValueError as problem:
        raise Unfit(f"value: {problem}", {"value": str(problem)}) from None
    return Correct(event_id=event_id, field=name, value=value)


def _flag(text: str) -> bool:
    if (known := {"yes": True, "true": True, "no": False, "false": False}.get(text.lower())) is None:
        raise ValueError(f"expected yes or no, not {text[:40]!r}")
    return known
