"""The metric text export of an Incucyte: a head of ``Key: value`` lines, an empty line, a table divided by tabs. Pure.

Head ``Label: Metric: Cell Type: Passage: Notes: Analysis Job:``, table ``Date Time  Elapsed  B2  C2 ...``; dates as
dd/mm/yyyy HH:MM:SS. Source: danboehmler/IncucyteDRC, inst/extdata/example_data.txt. Other orders of the date, a decimal
comma and a clock of twelve hours are what the regional settings of the exporting PC make of it.
"""

from __future__ import annotations

import codecs
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cultureops.device.driver import Confluence, ConfluenceResult
from cultureops.errors import ProtocolError

__all__ = ["DATE_ORDERS", "parse_export"]

DATE_ORDERS: Final = ("dmy", "mdy", "ymd")
_TIME_HEAD: Final = ("Date Time", "Elapsed")
_WELL: Final = re.compile(r"[A-P](?:[1-9]|1[0-9]|2[0-4])")
_STAMP: Final = re.compile(
    r"(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4}),? (\d{1,2}):(\d{2})(?::(\d{2}))?(?: ?([AaPp])\.?[Mm]\.?)?", re.ASCII
)
_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_ABSENT: Final = ("", "NaN", "nan", "NA")
_TOLERANCE_H: Final = 0.05
"""Elapsed hours are written to whole minutes or coarser."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    stamp: str
    elapsed: str
    cells: tuple[str, ...]


def parse_export(contents: bytes, file: str, date_order: str | None = None) -> tuple[ConfluenceResult, ...]:
    """Read one export; raise ProtocolError naming the line for whatever is no confluence in percent at a possible time.

    ``date_order`` is one of DATE_ORDERS; None takes the one order that agrees with the elapsed hours.
    """
    lines = _text(contents).splitlines()
    head, at = _head(lines)
    metric = head.get("Metric", "")
    if "confluence" not in metric.lower() or "(percent)" not in metric.lower():
        raise ProtocolError(
            f"line {_line_of(lines, 'Metric')}: expected a confluence in percent, got metric {metric!r}"
        )
    wells, rows = _table(lines, at)
    comma = _decimal_comma(rows)
    elapsed = [_elapsed(row, comma) for row in rows]
    times = _times(rows, elapsed, date_order)
    observations = tuple(
        _observation(row.line, well, time, hours, cell, comma, _flags_of_time(times[0], time, hours - elapsed[0]))
        for row, time, hours in zip(rows, times, elapsed, strict=True)
        for well, cell in zip(wells, row.cells, strict=True)
    )
    sha256 = hashlib.sha256(contents).hexdigest()
    label, cell_type, passage = (head.get(key, "") for key in ("Label", "Cell Type", "Passage"))
    return (ConfluenceResult(label, metric, cell_type, passage, observations, file, sha256),)


def _text(contents: bytes) -> str:
    utf16 = contents.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return contents.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProtocolError(f"byte {error.start} is no text; expected a metric text export") from None


def _head(lines: Sequence[str]) -> tuple[Mapping[str, str], int]:
    """Return the head's entries and the index of the table's first line."""
    head: dict[str, str] = {}
    for at, line in enumerate(lines):
        if tuple(field.strip() for field in line.split("\t")[:2]) == _TIME_HEAD:
            return head, at
        key, colon, value = line.partition(":")
        if line.strip() and not colon:
            raise ProtocolError(f"line {at + 1}: expected 'Key: value' or the table's head, got {line[:40]!r}")
        if colon:
            head[key.strip()] = value.strip()
    raise ProtocolError("has no table that starts with 'Date Time' and 'Elapsed'")


def _line_of(lines: Sequence[str], key: str) -> int:
    return next((at for at, line in enumerate(lines, 1) if line.startswith(f"{key}:")), 1)


def _table(lines: Sequence[str], at: int) -> tuple[tuple[str, ...], tuple[_Row, ...]]:
    wells = tuple(field.strip() for field in lines[at].rstrip("\t").split("\t")[2:])
    for well in wells:
        if _WELL.fullmatch(well) is None:
            raise ProtocolError(f"line {at + 1}: column {well[:20]!r} is no well such as B2; export single wells")
    if not wells or len(set(wells)) != len(wells):
        raise ProtocolError(f"line {at + 1}: expected each well once and at least one")
    rows: list[_Row] = []
    for number, line in enumerate(lines[at + 1 :], at + 2):
        if not line.strip():
            continue
        fields = tuple(field.strip() for field in line.split("\t"))
        if len(fields) > len(wells) + 2 and not any(fields[len(wells) + 2 :]):
            fields = fields[: len(wells) + 2]
        if len(fields) != len(wells) + 2:
            raise ProtocolError(f"line {number}: {len(fields)} fields where {len(wells) + 2} are expected")
        rows.append(_Row(number, fields[0], fields[1], fields[2:]))
    if not rows:
        raise ProtocolError("the table has no row")
    return wells, tuple(rows)


def _decimal_comma(rows: Sequence[_Row]) -> bool:
    """Tell which decimal mark the whole table uses; raise ProtocolError when it uses both."""
    marks = {mark for row in rows for text in (row.elapsed, *row.cells) for mark in ".," if mark in text}
    if len(marks) > 1:
        raise ProtocolError("numbers are written with decimal point and with decimal comma; expected one of them")
    return marks == {","}


def _number(line: int, text: str, comma: bool) -> float:
    if _NUMBER.fullmatch(text) is None:
        raise ProtocolError(f"line {line}: {text[:20]!r} is no number")
    value = float(text.replace(",", ".") if comma else text)
    if not math.isfinite(value):
        raise ProtocolError(f"line {line}: {text[:20]!r} is no number")
    return value


def _elapsed(row: _Row, comma: bool) -> float:
    hours = _number(row.line, row.elapsed, comma)
    if hours < 0:
        raise ProtocolError(f"line {row.line}: {hours:g} h have elapsed; expected hours from 0")
    return hours


def _times(rows: Sequence[_Row], elapsed: Sequence[float], date_order: str | None) -> list[datetime]:
    """Read all stamps in one order of day, month and year."""
    for earlier, row in zip(elapsed, zip(rows[1:], elapsed[1:], strict=True), strict=False):
        if row[1] <= earlier:
            raise ProtocolError(f"line {row[0].line}: elapsed hours don't grow; expected more than {earlier:g}")
    if date_order is not None:
        return _ascending(rows, date_order)
    readable = {order: _readable(rows, order) for order in DATE_ORDERS}
    possible = [order for order in DATE_ORDERS if readable[order] == len(rows)]
    if len(possible) < 2:
        return _ascending(rows, max(readable, key=lambda order: readable[order]))
    agreeing = {tuple(times): order for order in possible if (times := _agreeing(rows, elapsed, order))}
    if len(agreeing) == 1:
        return list(next(iter(agreeing)))
    orders = " or ".join(agreeing.values() or possible)
    raise ProtocolError(f"line {rows[0].line}: {rows[0].stamp!r} can be {orders}; set option 'date_order'")


def _readable(rows: Sequence[_Row], date_order: str) -> int:
    """Return how many rows from the first can be read in an order."""
    for count, row in enumerate(rows):
        try:
            _time(row, date_order)
        except ProtocolError:
            return count
    return len(rows)


def _agreeing(rows: Sequence[_Row], elapsed: Sequence[float], date_order: str) -> list[datetime]:
    """Return the times in an order, empty when they disagree with the elapsed hours."""
    times = [_time(row, date_order) for row in rows]
    agrees = all(
        not _flags_of_time(times[0], time, hours - elapsed[0]) for time, hours in zip(times, elapsed, strict=True)
    )
    return times if agrees else []


def _ascending(rows: Sequence[_Row], date_order: str) -> list[datetime]:
    times = [_time(row, date_order) for row in rows]
    for row, earlier, time in zip(rows[1:], times, times[1:], strict=False):
        if time <= earlier:
            raise ProtocolError(f"line {row.line}: {row.stamp!r} is not later than the row before")
    return times


def _time(row: _Row, date_order: str) -> datetime:
    """Read a stamp as its instrument's local time; raise ProtocolError for one that no clock shows."""
    found = _STAMP.fullmatch(row.stamp)
    wrong = ProtocolError(f"line {row.line}: {row.stamp[:40]!r} is no possible time with the date as {date_order}")
    if found is None or len(found[4] if date_order != "ymd" else found[1]) != 4:
        raise wrong
    first, second, third = int(found[1]), int(found[3]), int(found[4])
    day, month, year = {
        "dmy": (first, second, third), "mdy": (second, first, third), "ymd": (third, second, first),
    }[date_order]  # fmt: skip
    hour, half = int(found[5]), (found[8] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise wrong
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        return datetime(year, month, day, hour, int(found[6]), int(found[7] or 0))
    except ValueError:
        raise wrong from None


def _flags_of_time(first: datetime, time: datetime, elapsed_h: float) -> tuple[str, ...]:
    since_h = (time - first).total_seconds() / 3600
    return () if abs(since_h - elapsed_h) <= _TOLERANCE_H else ("time_disagrees_with_elapsed",)


def _observation(
    line: int, well: str, time: datetime, hours: float, cell: str, comma: bool, flags: tuple[str, ...]
) -> Confluence:
    at = time.isoformat(timespec="seconds")
    if cell in _ABSENT:
        return Confluence(well, at, hours, None, (*flags, "confluence_missing"))
    value = _number(line, cell, comma)
    if value < 0:
        flags = (*flags, "confluence_negative")
    elif value == 0 and math.copysign(1, value) < 0:
        flags = (*flags, "confluence_negative_zero")
    elif value > 100:
        flags = (*flags, "confluence_above_100")
    return Confluence(well, at, hours, value, flags)
