"""Forms out of the fields of a command, and commands out of what was filled in: one builder for every step.

The model's own schema says what a field is, so that a form can't ask for what the record does not hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from cultureops.clock import iso
from cultureops.errors import BatchError
from cultureops.field import Details

__all__ = ["FormField", "as_filled", "details_from", "details_from_json", "form_fields", "label"]

D = TypeVar("D", bound=Details)
_LINE: Final = 200
"""A text that may be longer than a name is written on several lines."""
_UNITS: Final = {"h": "h", "min": "min", "ml": "mL", "pct": "%", "c": "°C", "kg": "kg"}
MOST_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a form.

    ``kind`` is text, words, flag, number, choice, time, names (one a line) or rows, which have ``columns``; ``value``
    is what it holds at first, for rows a mapping of each row's columns, with a ``note`` where there is one.
    """

    name: str
    label: str
    kind: str
    is_required: bool
    choices: tuple[str, ...] = ()
    columns: tuple[FormField, ...] = ()
    value: Any = ""


def form_fields(
    model: type[Details], known: Mapping[str, Any], choices: Mapping[str, Sequence[str]]
) -> list[FormField]:
    """Return the fields of a model, filled with what is ``known``, with the ``choices`` that there are now."""
    schema = model.model_json_schema()
    return _fields(schema, schema.get("$defs", {}), known, choices)


def _fields(
    schema: Mapping[str, Any], parts: Mapping[str, Any], known: Mapping[str, Any], choices: Mapping[str, Sequence[str]]
) -> list[FormField]:
    found = []
    for name, one in schema.get("properties", {}).items():
        is_required = name in schema.get("required", ())
        allows = [kind for kind in one.get("anyOf", [one]) if kind.get("type") != "null"]
        asked = allows[0]
        columns: tuple[FormField, ...] = ()
        offered = tuple(choices.get(name, asked.get("enum", ())))
        kind = "choice" if offered or name in choices else _kind(name, asked)
        if kind == "rows":
            part = parts[asked["items"]["$ref"].rpartition("/")[2]]
            columns = tuple(_fields(part, parts, {}, {}))
        value = known.get(name, "true" if asked.get("default") is True else "")
        found.append(FormField(name, label(name), kind, is_required, offered, columns, value))
    return found


def _kind(name: str, asked: Mapping[str, Any]) -> str:
    match asked.get("type"):
        case "boolean":
            return "flag"
        case "integer" | "number":
            return "time" if name.endswith("_at") else "number"
        case "array":
            return "rows" if "$ref" in asked.get("items", {}) else "names"
        case _:
            return "words" if asked.get("maxLength", _LINE) > _LINE else "text"


def label(name: str) -> str:
    """Write a field's name as people do: ``notify_within_h`` is Notify within [h]."""
    words, _, last = name.rpartition("_")
    said = f"{words} [{_UNITS[last]}]" if words and last in _UNITS else name.removesuffix("_at")
    return said.replace("_", " ").capitalize() if "[" not in said else (said[0].upper() + said[1:]).replace("_", " ")


def details_from(model: type[D], form: Mapping[str, Any], zone: ZoneInfo) -> D:
    """Return the details that a filled form holds; times are the site's. Raises BatchError that names the field."""
    values: dict[str, Any] = {}
    for field in form_fields(model, {}, {}):
        if field.kind == "rows":
            values[field.name] = _rows(field, form)
        elif (value := _value(field, str(form.get(field.name, "")).strip(), zone)) is not None:
            values[field.name] = value
    return model(**values)


def as_filled(model: type[Details], form: Mapping[str, Any]) -> dict[str, Any]:
    """Return what somebody has filled in as it was typed, for a form that is shown again."""
    return {
        field.name: list(_typed_rows(field, form)) if field.kind == "rows" else str(form.get(field.name, ""))
        for field in form_fields(model, {}, {})
    }


def details_from_json(model: type[D], text: str) -> D:
    """Return details out of their JSON; raises BatchError that names the field."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise BatchError(f"{model.__name__}: expected its fields as JSON; open the form again")
    return model(**values)


def _rows(field: FormField, form: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the rows of which every column is filled in: what nobody has judged is not said."""
    return [row for row in _typed_rows(field, form) if all(value.strip() for value in row.values())]


def _typed_rows(field: FormField, form: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for index in range(MOST_ROWS):
        names = {column.name: f"{field.name}.{index}.{column.name}" for column in field.columns}
        if not any(name in form for name in names.values()):
            return
        yield {column: str(form.get(name, "")) for column, name in names.items()}


def _value(field: FormField, text: str, zone: ZoneInfo) -> Any:
    """Return a field's JSON value, None where it was left empty."""
    if field.kind == "flag":
        return text == "true"
    if not text:
        return None
    match field.kind:
        case "number":
            return _number(field, text)
        case "time":
            return _time(field, text, zone)
        case "names":
            return [line.strip() for line in text.splitlines() if line.strip()]
        case _:
            return text.replace("\r\n", "\n")


def _number(field: FormField, text: str) -> float | int:
    try:
        value = float(text)
        return int(value) if value.is_integer() else value
    except (ValueError, OverflowError):
        raise BatchError(f"{field.label}: expected a number, not {text[:40]!r}") from None


def _time(field: FormField, text: str, zone: ZoneInfo) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BatchError(f"{field.label}: expected a time such as 2026-01-05T08:00, not {text[:40]!r}") from None
    there = at.replace(tzinfo=zone) if at.tzinfo is None else at
    if there.timestamp() < 0:
        raise BatchError(f"{field.label}: expected a time from 1970 on")
    return iso(round(there.timestamp() * 1000))
