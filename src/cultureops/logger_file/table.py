"""The table in a logger's file: where its head stands, and below it times, values and their unit. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from cultureops.errors import ConfigError, Unreadable
from cultureops.logger_file.source import Cell, Row, Source
from cultureops.logger_file.stamp import looks_like_time
from cultureops.logger_file.title import TemperatureUnit, Titles, find_titles, unit_of

__all__ = ["LoggerTable", "TableRow", "read_table"]

TableRow: TypeAlias = tuple[int, str, float | None]
"""Line number, text of the time, value or None where it is missing."""

_HEAD_LINES: Final = 300
"""How far down a table may begin; loggers write their settings first."""
_MISSING: Final = frozenset({
    "", "nan", "n/a", "#n/a", "na", "null", "none", "-", "--", "---", "----", "no data",
    "err", "error", "fail", "fault", "open", "short", "lost",
})  # fmt: skip
_NUMBER: Final = re.compile(r"(?P<number>[+-]?\d+(?:[.,]\d+)?(?:e[+-]?\d+)?)\s*(?P<unit>\D{0,12})", re.I | re.A)

_FAHRENHEIT: Final = re.compile(r"[°º]\s?F\b|℉|fahrenheit|^F$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LoggerTable:
    """Rows in file order and the ``unit`` of their values, None where neither title nor values state one.

    ``fahrenheit_line`` is a line above the table that speaks of °F.
    """

    titles: Titles
    unit: TemperatureUnit | None
    rows: tuple[TableRow, ...]
    fahrenheit_line: int | None


def read_table(sources: Sequence[Source], file: str, column: str | None) -> LoggerTable:
    """Read the first table with a time and a temperature; ``column`` is the title that the user gave for the latter.

    Raises Unreadable naming file and line for what is no such table, ConfigError where it leaves a choice.
    """
    refusal: ConfigError | None = None
    for source in sources:
        try:
            found = _head(islice(source(), _HEAD_LINES), file, column)
        except csv.Error:
            continue
        except ConfigError as error:  # another source may be the right one
            refusal = refusal or error
            continue
        if found is not None:
            return _below(source(), *found, file)
    if refusal is not None:
        raise refusal
    raise Unreadable(
        f"{file}: found no titles of a time and a temperature; expected a line such as 'timestamp,temperature °C'"
    )


def _head(rows: Iterator[Row], file: str, column: str | None) -> tuple[int, Titles] | None:
    """Return the line of the titles and what they say; a line of titles has another kind of line below it."""
    found: tuple[int, Titles] | None = None
    refusal: ConfigError | None = None
    for line, cells in rows:
        if found is not None and any(_texts(cells)):
            if _is_below(cells, found[1]):
                return found
            found = None
        if len(cells) < 2:
            continue
        try:
            titles = find_titles(_texts(cells), column)
        except ConfigError as error:
            refusal = refusal or ConfigError(f"{file}:{line}: {error}")
            continue
        found = None if titles is None else (line, titles)
    if found is not None:
        raise Unreadable(f"{file}:{found[0]}: there is no row under the titles")
    if refusal is not None:
        raise refusal
    return None


def _texts(cells: Sequence[Cell]) -> list[str]:
    return [cell.strip() if isinstance(cell, str) else f"{cell:.15g}" for cell in cells]


def _is_below(cells: Sequence[Cell], titles: Titles) -> bool:
    """Whether cells stand under these titles, or are at least no other line of titles."""
    if len(cells) <= max(titles.time_places):
        return False
    time = _time(cells, titles)
    return looks_like_time(time) or not re.search(r"[a-z]", time, re.IGNORECASE)


def _time(cells: Sequence[Cell], titles: Titles) -> str:
    texts = _texts([cells[place] for place in titles.time_places])
    if len(texts) > 1:  # a workbook's date cell comes with a midnight of its own
        texts[0] = texts[0].removesuffix(" 00:00:00")
    return " ".join(texts)


def _below(source: Iterator[Row], head: int, titles: Titles, file: str) -> LoggerTable:
    """Read all rows below the titles."""
    unit, rows, decimals, width = titles.unit, list[TableRow](), set[str](), 0
    line, fahrenheit_line = head, None
    try:
        for line, cells in source:
            if line < head:
                if any(_FAHRENHEIT.search(text) for text in _texts(cells)):
                    fahrenheit_line = line
                continue
            if line == head:
                width = len(cells)
                continue
            at, texts = f"{file}:{line}", _texts(cells)
            if not any(texts):
                continue
            if any(texts[width:]):
                raise Unreadable(f"{at}: {len(cells)} cells under {width} titles; is a decimal comma not quoted?")
            if len(cells) <= max(*titles.time_places, titles.value_place):
                raise Unreadable(f"{at}: the row is cut off; expected {width} cells, found {len(cells)}")
            value, own_unit = _value(cells[titles.value_place], at, titles.value_title, decimals)
            if own_unit not in (None, unit):
                if unit is not None or any(row[2] is not None for row in rows):
                    before = f"others in °{unit}" if unit else "others without a unit"
                    raise Unreadable(f"{at}: a value in °{own_unit} under titles or after {before}")
                unit = own_unit
            rows.append((line, _time(cells, titles), value))
    except csv.Error as error:
        raise Unreadable(f"{file}:{line + 1}: no row of a table: {error}") from None
    if not rows:
        raise Unreadable(f"{file}:{head}: there is no row under the titles")
    return LoggerTable(titles, unit, tuple(rows), fahrenheit_line)


def _value(cell: Cell, at: str, title: str, decimals: set[str]) -> tuple[float | None, TemperatureUnit | None]:
    if isinstance(cell, float):
        return cell, None
    text = cell.strip()
    if text.lower() in _MISSING:
        return None, None
    found = _NUMBER.fullmatch(text)
    unit = unit_of(found["unit"]) if found is not None and found["unit"].strip() else None
    if found is None or (found["unit"].strip() and unit is None):
        raise Unreadable(f"{at}: {title} is {text[:40]!r}, no number in °C, °F or K")
    number = found["number"]
    decimals.update(sign for sign in ".," if sign in number)
    if len(decimals) > 1:
        raise Unreadable(f"{at}: {title} is {text[:40]!r}, with another decimal sign than before")
    return float(number.replace(",", ".")), unit
