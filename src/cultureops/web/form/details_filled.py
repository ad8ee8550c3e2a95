"""What was filled in becomes the details of a command; every field that does not fit is named, all at once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from cultureops.clock import iso
from cultureops.errors import BatchError
from cultureops.field import Details, Unfit
from cultureops.web.form.details_form import FormField, form_fields, label, typed_rows, typed_table

__all__ = ["details_from", "details_from_json", "in_one_line", "instant_text", "number_of"]

D = TypeVar("D", bound=Details)
_MOST_TOLD: Final = 3
_GROUPS: Final = re.compile(r"(?<=[0-9])[ \u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")
"""Blanks between groups of thousands, as papers write large numbers."""
_THOUSANDS: Final = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3}){2,}(\.[0-9]*)?")
"""Commas between groups of thousands, as pages write large numbers: two of them can mean nothing else."""
_DECIMAL_COMMA: Final = re.compile(r"[+-]?([1-9][0-9]*,([0-9]{1,2}|[0-9]{4,})|0?,[0-9]+)")
"""A comma that can't part thousands: the keypad of many tablets has no point."""
_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def details_from(model: type[D], form: Mapping[str, Any], zone: ZoneInfo) -> D:
    """Return the details that a filled form holds; times are the site's. Raises Unfit that names every wrong field."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in form_fields(model, {}, {}):
        value = _read(field, form, zone, problems)
        if value is not None:
            values[field.name] = value
    try:
        details = model(**values)
    except Unfit as unfit:
        problems |= {name: said for name, said in unfit.problems.items() if name not in problems}
    if problems:
        raise Unfit(in_one_line(problems), problems)
    return details


def in_one_line(problems: Mapping[str, str]) -> str:
    """Write what is wrong with fields in one line, the first few by name."""
    told = [f"{label(name.partition('.')[0])}: {said}" for name, said in list(problems.items())[:_MOST_TOLD]]
    more = len(problems) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def details_from_json(model: type[D], text: str) -> D:
    """Return details out of their JSON; raises BatchError that names the field."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise BatchError(f"{model.__name__}: expected its fields as JSON; open the form again")
    return model(**values)


def _read(field: FormField, form: Mapping[str, Any], zone: ZoneInfo, problems: dict[str, str]) -> Any:
    """Return a field's JSON value, None where it was left empty; what can't be read is among the problems."""
    match field.kind:
        case "rows":
            return _rows(field, form, zone, problems)
        case "table":
            typed = [(name.strip(), text.strip()) for name, text in typed_table(field, form)]
            return {name: _value(field, "number", text, zone, problems) for name, text in typed if name and text}
        case "scans":
            scans = [str(form.get(f"{field.name}.{number}", "")).strip() for number in (0, 1)]
            return scans if any(scans) else None
        case kind:
            return _value(field, kind, str(form.get(field.name, "")).strip(), zone, problems)


def _rows(
    field: FormField, form: Mapping[str, Any], zone: ZoneInfo, problems: dict[str, str]
) -> list[dict[str, Any]] | None:
    """Return the rows in which somebody has filled in more than what the row was given: its first column."""
    rows: list[dict[str, Any]] = []
    for index, typed in enumerate(typed_rows(field, form)):
        if not any(text.strip() for text in list(typed.values())[1:]):
            continue
        row: dict[str, Any] = {}
        for column in field.columns:
            value = _value(column, column.kind, typed[column.name].strip(), zone, problems, f"{field.name}.{index}.")
            if value is not None:
                _put(row, column.name, value)
        rows.append(row)
    return rows or None


def _put(row: dict[str, Any], name: str, value: Any) -> None:
    """Set ``place.store`` in the row's place."""
    *parts, last = name.split(".")
    for part in parts:
        row = row.setdefault(part, {})
    row[last] = value


def _value(field: FormField, kind: str, text: str, zone: ZoneInfo, problems: dict[str, str], within: str = "") -> Any:
    if kind == "flag":
        return text == "true"
    if not text:
        return None
    try:
        match kind:
            case "number":
                return number_of(text)
            case "time":
                return instant_text(text, zone)
            case "names":
                return [line.strip() for line in text.splitlines() if line.strip()]
            case _:
                return text.replace("\r\n", "\n")
    except ValueError as problem:
        problems[within + field.name] = str(problem)
        return None


def number_of(text: str) -> float | int:
    """Read a number as people type it, ``36 000 000``, ``3.6e7`` or ``18,9``; ValueError says what was expected.

    ``1,234`` may be either and is refused.
    """
    plain = _GROUPS.sub("", text)
    if _THOUSANDS.fullmatch(plain):
        plain = plain.replace(",", "")
    elif _DECIMAL_COMMA.fullmatch(plain):
        plain = plain.replace(",", ".")
    if not _NUMBER.fullmatch(plain):
        hint = " or 36500 (a comma may mean either)" if "," in text else ""
        raise ValueError(f"expected a number such as 36.5{hint}, not {text[:40]!r}")
    value = float(plain)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"expected a finite number, not {text[:40]!r}")
    if value == 0 and any(digit in "123456789" for digit in plain.lower().partition("e")[0]):
        raise ValueError(f"expected a number that is not too small to be written, not {text[:40]!r}")
    return int(value) if value.is_integer() else value


def instant_text(text: str, zone: ZoneInfo) -> str:
    """Read a time of the site as ISO 8601 text in UTC; raises ValueError that says what was expected."""
    try:
        if ":" not in text:  # a date alone is no time, and midnight would be made up
            raise ValueError
        at = datetime.fromisoformat(text)
        there = at.replace(tzinfo=zone) if at.tzinfo is None else at
        since_1970_s = there.timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"expected a time such as 2026-01-05T08:00, not {text[:40]!r}") from None
    if at.tzinfo is None:
        _check_clocks(text, there)
    if since_1970_s < 0:
        raise ValueError("expected a time from 1970 on")
    return iso(round(since_1970_s * 1000))


def _check_clocks(text: str, at: datetime) -> None:
    """Refuse a time that the clocks left out when they were put forward, or went through twice when put back."""
    first, second = at.replace(fold=0).utcoffset(), at.replace(fold=1).utcoffset()
    if first is None or second is None or first == second:
        return
    if first < second:
        raise ValueError(f"{text[:40]} was left out: the clocks were put forward then")
    said = f"{at.replace(fold=0).isoformat(timespec='minutes')} or {at.replace(fold=1).isoformat(timespec='minutes')}"
    raise ValueError(f"the clocks were put back then, and this time came twice: write {said}")
