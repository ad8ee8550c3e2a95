"""Forms out of the fields of a command, and commands out of what was filled in: one builder for every step.

The model's own schema says what a field is, so that a form can't ask for what the record does not hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from cultureops.batch.field_text import field_name, field_unit
from cultureops.field import INSTANT, Details

__all__ = ["Choice", "FormField", "Taking", "as_filled", "form_fields", "label", "typed_rows", "typed_table"]

_LINE: Final = 200
"""A text that may be longer than a name is written on several lines."""
MOST_ROWS: Final = 1_000
SCANNED: Final = frozenset({"medium_lot", "diluent_lot", "enzyme_lot", "cryo_medium_lot", "container"})
"""Fields into which a label is scanned: they take text, and what there is to choose from stands below them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values to choose from; ``words`` say more of it than the value does, where there is more.

    ``shown`` stands for a value that is no word of the field.
    """

    value: str
    words: str = ""
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Taking:
    """A value that an instrument shows now and that a field can take: ``at`` [ms UTC] is when it was read.

    ``value`` is the stored number in full, ``shown`` as people read it, with its unit.
    """

    channel: str
    source: str
    at: int
    value: float
    shown: str
    age_s: int
    simulated: bool


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a form.

    ``kind`` is text, words, flag, number, choice, time, names (one a line), listed (text with ``choices`` to hand),
    scans (two), table (numbers by name) or rows, which have ``columns``; ``value`` is what it holds at first, for rows
    a mapping of each row's columns, with a ``note`` where there is one. ``target`` says what the recipe wants, and
    ``source`` where it has that from; ``problem`` what is wrong with what was typed.
    """

    name: str
    label: str
    kind: str
    is_required: bool
    choices: tuple[Choice, ...] = ()
    columns: tuple[FormField, ...] = ()
    value: Any = ""
    unit: str = ""
    help: str = ""
    target: str = ""
    source: str = ""
    takes: tuple[Taking, ...] = ()
    problem: str = ""


def form_fields(
    model: type[Details],
    known: Mapping[str, Any],
    choices: Mapping[str, Sequence[Choice | str]],
    left_out: Collection[str] = (),
) -> list[FormField]:
    """Return the fields of a model, filled with what is ``known``, with the ``choices`` that there are now.

    Choices of a row's column stand under the names of both, such as ``doses.route``.
    """
    schema = _schema_of(model)
    fields = _fields(schema, schema.get("$defs", {}), known, choices, "")
    return [field for field in fields if field.name not in left_out]


@cache
def _schema_of(model: type[Details]) -> Mapping[str, Any]:
    """Return a model's schema; making one takes longer than everything else a form needs."""
    return model.model_json_schema()


def _fields(
    schema: Mapping[str, Any],
    parts: Mapping[str, Any],
    known: Mapping[str, Any],
    choices: Mapping[str, Sequence[Choice | str]],
    within: str,
) -> Iterator[FormField]:
    for name, one in schema.get("properties", {}).items():
        asked = next(kind for kind in one.get("anyOf", [one]) if kind.get("type") != "null")
        if "$ref" in asked:  # a part of its own, such as a place: its fields are asked one by one
            inner = parts[_part(asked)]
            for field in _fields(inner, parts, {}, choices, f"{within}{name}."):
                yield replace(field, name=f"{name}.{field.name}")
            continue
        offered = choices.get(within + name, asked.get("enum", ()))
        kind = _kind(asked)
        if kind == "text" and (offered or within + name in choices):
            kind = "listed" if within + name in SCANNED else "choice"
        columns: tuple[FormField, ...] = ()
        if kind == "rows":
            columns = tuple(_fields(parts[_part(asked["items"])], parts, {}, choices, f"{name}."))
        yield FormField(
            name=name,
            label=label(name),
            kind=kind,
            is_required=name in schema.get("required", ()),
            choices=tuple(one if isinstance(one, Choice) else Choice(one) for one in offered),
            columns=columns,
            value=known.get(name, "true" if asked.get("default") is True else ""),
            unit=field_unit(name),
        )


def _part(asked: Mapping[str, Any]) -> str:
    return str(asked["$ref"]).rpartition("/")[2]


def _kind(asked: Mapping[str, Any]) -> str:
    match asked.get("type"):
        case "boolean":
            return "flag"
        case "integer" | "number":
            return "time" if asked.get("format") == INSTANT else "number"
        case "object":
            return "table"
        case "array" if "prefixItems" in asked:
            return "scans"
        case "array":
            return "rows" if "$ref" in asked.get("items", {}) else "names"
        case _:
            return "words" if asked.get("maxLength", _LINE) > _LINE else "text"


def label(name: str) -> str:
    """Write a field's name as people do: ``notify_within_h`` is Notify within [h]."""
    words, unit = field_name(name.removesuffix("_at")), field_unit(name)
    said = words[:1].upper() + words[1:]
    return f"{said} [{unit}]" if unit else said


def as_filled(model: type[Details], form: Mapping[str, Any]) -> dict[str, Any]:
    """Return what somebody has filled in as it was typed, for a form that is shown again."""
    return {field.name: _typed(field, form) for field in form_fields(model, {}, {})}


def _typed(field: FormField, form: Mapping[str, Any]) -> Any:
    match field.kind:
        case "rows":
            return list(typed_rows(field, form))
        case "table":
            return dict(typed_table(field, form))
        case "scans":
            return ["" if (text := form.get(f"{field.name}.{number}")) is None else str(text) for number in (0, 1)]
        case _:
            return str(form.get(field.name, ""))


def typed_rows(field: FormField, form: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the rows of a form as they were typed, up to the first that it does not have."""
    for index in range(MOST_ROWS):
        names = {column.name: f"{field.name}.{index}.{column.name}" for column in field.columns}
        if not any(name in form for name in names.values()):
            return
        yield {column: str(form.get(name, "")) for column, name in names.items()}


def typed_table(field: FormField, form: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield names and numbers of a table as they were typed; a name without a number is kept."""
    for index in range(MOST_ROWS):
        name = f"{field.name}.{index}.name"
        if name not in form:
            return
        yield str(form[name]), str(form.get(f"{field.name}.{index}.value", ""))
