"""Cells of a logger's file as a trace: every row at a possible time, in order, none doubled, none missing. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.device.driver import Identity
from cultureops.device.reading import Reason, Sample
from cultureops.device.trace import MappingMismatch, Trace, TraceRow
from cultureops.errors import ConfigError
from cultureops_drivers.shipper_logger.mapping import Column, TraceMapping
from cultureops_drivers.shipper_logger.sheet import Cells

__all__ = ["trace_of"]

_OFFSET: Final = re.compile(r"(?:UTC|GMT) ?([+-])(\d{1,2}):?([0-5]\d)", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def trace_of(cells: Cells, file: str, sha256: str, mapping: TraceMapping, zone: ZoneInfo | None) -> Trace:
    """Return the trace; raise ConfigError with file and line for the first thing that is not as it should be."""
    head_at, places = _table_head(cells, file, mapping)
    stated = _stated(cells[:head_at], file, mapping)
    offset = _stated_offset(stated, file)
    rows: list[TraceRow] = []
    local_times: list[datetime] = []
    for line, row in enumerate(cells[head_at + 1 :], head_at + 2):
        if all(cell in ("", None) for cell in row):
            continue
        at = f"{file}:{line}"
        fields = [row[place] if place < len(row) else "" for place in places]
        if mapping.number_title:
            _check_number(at, fields.pop(0), len(rows) + 1)
        local = _local(at, fields.pop(0), mapping.time_format)
        if local_times and local <= local_times[-1]:
            what = "is doubled" if local == local_times[-1] else f"comes after {local_times[-1]}"
            raise _refusal(at, f"the row of {local} {what}; expected ascending times")
        samples = tuple(
            _sample(at, cell, column, mapping) for cell, column in zip(fields, mapping.columns, strict=True)
        )
        local_times.append(local)
        rows.append(TraceRow(_instant(at, local, zone, offset), samples))
    if not rows:
        raise _refusal(f"{file}:{head_at + 1}", "the table has no row")
    _check_stated(stated, local_times, mapping)
    identity = Identity(mapping.vendor, mapping.model, _said(stated, "serial_number"), _said(stated, "firmware"))
    channels = tuple(column.channel for column in mapping.columns)
    return Trace(identity, channels, tuple(rows), mapping.name, file, sha256)


def _refusal(at: str, message: str, kind: type[ConfigError] = ConfigError) -> ConfigError:
    return kind(f"{at}: {message}; nothing was imported")


def _table_head(cells: Cells, file: str, mapping: TraceMapping) -> tuple[int, list[int]]:
    """Return the index of the table's head and where in it each column stands."""
    closest = (0, -1, list[str]())
    for at, row in enumerate(cells):
        texts = [cell.strip() if isinstance(cell, str) else "" for cell in row]
        found = sum(title in texts for title in mapping.titles)
        if found == len(mapping.titles):
            if any(texts.count(title) > 1 for title in mapping.titles):
                raise _refusal(f"{file}:{at + 1}", "a column stands twice in the table's head")
            if unknown := [text for text in texts if text and text not in mapping.titles]:
                raise _refusal(
                    f"{file}:{at + 1}", f"column {unknown[0]!r} is not in mapping {mapping.name!r}", MappingMismatch
                )
            return at, [texts.index(title) for title in mapping.titles]
        if found > closest[0]:
            closest = (found, at, texts)
    expected = ", ".join(repr(title) for title in mapping.titles)
    if closest[1] < 0:
        raise _refusal(f"{file}:1", f"there is no table with the columns {expected}", MappingMismatch)
    there = ", ".join(repr(text) for text in closest[2] if text)
    raise _refusal(f"{file}:{closest[1] + 1}", f"expected the columns {expected}, found {there}", MappingMismatch)


def _stated(head: Cells, file: str, mapping: TraceMapping) -> Mapping[str, tuple[str, str]]:
    """Return what the file says of itself, each with its place; raise ConfigError for what it should say."""
    found: dict[str, tuple[str, str]] = {}
    for key, label in mapping.stated.items():
        for line, row in enumerate(head, 1):
            texts = [str(cell).strip() for cell in row]
            if label in texts[:-1]:
                found[key] = (f"{file}:{line}", texts[texts.index(label) + 1])
                break
        else:
            raise _refusal(
                f"{file}:1", f"the head lacks {label!r}; is this a file of {mapping.model}?", MappingMismatch
            )
    return found


def _said(stated: Mapping[str, tuple[str, str]], key: str) -> str:
    return stated[key][1] if key in stated else ""


def _stated_offset(stated: Mapping[str, tuple[str, str]], file: str) -> timedelta | None:
    if "utc_offset" not in stated:
        return None
    at, text = stated["utc_offset"]
    found = _OFFSET.fullmatch(text)
    if found is None:
        raise _refusal(at, f"{text!r} is no UTC offset such as 'UTC +02:00'")
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return -offset if found[1] == "-" else offset


def _check_stated(
    stated: Mapping[str, tuple[str, str]], local_times: Sequence[datetime], mapping: TraceMapping
) -> None:
    """Compare what the head says with what the rows show: a file that was cut or mended is refused."""
    shown: dict[str, tuple[str, Callable[[str], bool]]] = {
        "model": (mapping.model, lambda text: text == mapping.model),
        "readings": (f"{len(local_times)} rows", lambda text: text in (f"{len(local_times)}", f"{len(local_times)}.0")),
        "first": (f"{local_times[0]}", lambda text: _begins(text, local_times[0], mapping)),
        "last": (f"{local_times[-1]}", lambda text: _begins(text, local_times[-1], mapping)),
    }
    for key, (expected, agrees) in shown.items():
        if key in stated and not agrees(stated[key][1]):
            at, text = stated[key]
            kind = MappingMismatch if key == "model" else ConfigError
            raise _refusal(at, f"the head says {mapping.stated[key]} {text!r}, expected {expected}", kind)


def _begins(text: str, time: datetime, mapping: TraceMapping) -> bool:
    """Whether a text is the time, or the time and a remark in brackets."""
    return text.partition("(")[0].strip() == time.strftime(mapping.time_format)


def _check_number(at: str, cell: object, expected: int) -> None:
    text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
    if text != str(expected):
        raise _refusal(at, f"row number {text!r} where {expected} is expected; rows are missing, doubled or mixed")


def _local(at: str, cell: object, time_format: str) -> datetime:
    """Read a time as the logger's clock showed it; what no clock shows is refused."""
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=None)
    text = str(cell).strip()
    try:
        time = datetime.strptime(text, time_format)
        if time.strftime(time_format) != text:
            raise ValueError
    except ValueError:
        raise _refusal(at, f"{text[:40]!r} is no possible time of the form {time_format}") from None
    return time


def _instant(at: str, local: datetime, zone: ZoneInfo | None, offset: timedelta | None) -> int:
    """Return a local time in ms UTC; a time that the zone skipped, or had twice, is settled by the file or refused."""
    if zone is None:
        if offset is None:
            raise _refusal(at, "the file states no UTC offset; give the logger's zone")
        return (local.replace(tzinfo=UTC) - offset - _EPOCH) // _MILLISECOND
    ways = {time.utcoffset(): time for fold in (0, 1) if _exists(time := local.replace(tzinfo=zone, fold=fold))}
    if not ways:
        raise _refusal(
            at, f"{local} did not exist in {zone.key}, whose clocks were put forward; give the logger's zone"
        )
    if offset is not None:
        if offset not in ways:
            raise _refusal(
                at, f"the file says UTC {_signed(offset)}, {zone.key} had another at {local}; give the logger's zone"
            )
        return (ways[offset].astimezone(UTC) - _EPOCH) // _MILLISECOND
    if len(ways) > 1:
        raise _refusal(at, f"{local} came twice in {zone.key}, whose clocks were put back; give a zone without changes")
    (time,) = ways.values()
    return (time.astimezone(UTC) - _EPOCH) // _MILLISECOND


def _exists(time: datetime) -> bool:
    return time.astimezone(UTC).astimezone(time.tzinfo).replace(tzinfo=None) == time.replace(tzinfo=None)


def _signed(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _sample(at: str, cell: object, column: Column, mapping: TraceMapping) -> Sample:
    name = column.channel.name
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        value = float(cell)
    else:
        text = str(cell).strip()
        if text in column.missing:
            return Sample(name, None, Reason.NOT_DELIVERED)
        plain = text.replace(",", ".") if mapping.decimal == "," else text
        if _NUMBER.fullmatch(plain) is None or (mapping.decimal == "," and "." in text):
            raise _refusal(at, f"{column.title} is {text[:40]!r}, no number")
        value = float(plain)
    if not math.isfinite(value):
        raise _refusal(at, f"{column.title} is {value}, no number")
    return Sample(name, value)
