"""A logger's file as a trace of temperatures: a text table by its titles, a workbook by a mapping of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from cultureops.clock import Instant, iso
from cultureops.device.registry import trace_reader
from cultureops.device.trace import MappingMismatch
from cultureops.errors import ConfigError, Unreadable
from cultureops.logger_file.source import is_workbook, sources_of
from cultureops.logger_file.stamp import DateOrder, date_order, read_times
from cultureops.logger_file.table import TableRow, read_table
from cultureops.logger_file.title import TemperatureUnit

__all__ = ["WORKBOOK_MAPPING", "LoggerTrace", "read_logger_file"]

WORKBOOK_MAPPING: Final = "elitech_rc5"
"""How a workbook is read, where it is of that kind and the user names no mapping."""
_READER: Final = "columns"
_ABSOLUTE_ZERO_C: Final = -273.15
_OF_UCUM: Final[dict[str, TemperatureUnit]] = {"Cel": "C", "K": "K"}

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LoggerTrace:
    """Times [ms UTC; since 1970 by the logger's clock where ``is_utc`` is False] and values [°C, NaN where missing].

    ``remarks`` say what had to be assumed.
    """

    times_ms: NDArray[np.int64]
    values_c: Floats
    is_utc: bool
    zone: ZoneInfo | None
    remarks: tuple[str, ...] = ()

    def text(self, instant: Instant) -> str:
        """Write a time of this trace as ISO 8601: in its zone or UTC, without offset where the logger states none."""
        if not self.is_utc:
            return iso(instant).removesuffix("Z").removesuffix(".000")
        if self.zone is None:
            return iso(instant).replace(".000Z", "Z")
        local = datetime.fromtimestamp(instant // 1000, UTC).astimezone(self.zone).replace(microsecond=0)
        milliseconds = f".{instant % 1000:03d}" if instant % 1000 else ""
        return f"{local:%Y-%m-%dT%H:%M:%S}{milliseconds}{local.isoformat()[19:]}"


def read_logger_file(
    contents: bytes,
    file: str,
    *,
    zone: ZoneInfo | None = None,
    mapping: str | None = None,
    column: str | None = None,
    unit: TemperatureUnit | None = None,
    dates: DateOrder | None = None,
) -> LoggerTrace:
    """Read a file by ``mapping`` where one is named, otherwise by the titles of its columns.

    A workbook is read by ``WORKBOOK_MAPPING`` where it is of that kind, so that its head is compared with its rows.
    Raises Unreadable naming file and line for what can't be read, ConfigError for what an option must settle.
    """
    if mapping is not None:
        return _mapped(contents, file, mapping, zone, column)
    sources = sources_of(contents, file)
    remarks = list[str]()
    if is_workbook(contents):
        try:
            return _mapped(contents, file, WORKBOOK_MAPPING, zone, column)
        except MappingMismatch:
            remarks.append(f"is no file of mapping {WORKBOOK_MAPPING}; read by the titles of its columns")
    table = read_table(sources, file, column)
    if unit is not None and table.unit not in (None, unit):
        raise ConfigError(f"{file}: its temperatures are in °{table.unit}, and --unit says {unit}")
    if table.unit is None and unit is None and table.fahrenheit_line is not None:
        raise ConfigError(
            f"{file}:{table.fahrenheit_line}: speaks of °F, and column {table.titles.value_title!r} states no unit; "
            "say --unit F or --unit C"
        )
    if table.unit is None and unit is None:
        remarks.append(f"column {table.titles.value_title!r} states no unit and is taken as °C; otherwise say --unit F")
    order = dates or date_order([row[:2] for row in table.rows], file)
    rows = table.rows if _ascends(table.rows, file, order) else tuple(reversed(table.rows))
    clock = ZoneInfo("UTC") if table.titles.is_utc else zone
    times, is_utc = read_times([row[:2] for row in rows], file, clock, order)
    values = _in_celsius(np.array([np.nan if row[2] is None else row[2] for row in rows]), unit or table.unit or "C")
    impossible = np.flatnonzero(values <= _ABSOLUTE_ZERO_C)
    if impossible.size:
        line, _, value = rows[impossible[0]]
        remarks.append(f"{impossible.size} values are no temperature, e.g. {value:g} in line {line}; taken as missing")
        values[impossible] = np.nan
    return _checked(LoggerTrace(np.array(times, np.int64), values, is_utc, zone, tuple(remarks)), file)


def _mapped(contents: bytes, file: str, mapping: str, zone: ZoneInfo | None, column: str | None) -> LoggerTrace:
    trace = trace_reader(_READER)(contents, file, mapping, zone)
    named = {channel.name: (at, channel) for at, channel in enumerate(trace.channels) if channel.unit in _OF_UCUM}
    if column is not None:
        named = {name: found for name, found in named.items() if name == column}
    if len(named) != 1:
        there = ", ".join(channel.name for channel in trace.channels)
        raise ConfigError(f"{file}: expected one channel with a temperature among {there}; say which with --column")
    ((at, channel),) = named.values()
    times = np.array([row.source_time for row in trace.rows], np.int64)
    found = [row.samples[at].value for row in trace.rows]
    values = np.array([np.nan if value is None else value for value in found], np.float64)
    return _checked(LoggerTrace(times, _in_celsius(values, _OF_UCUM[channel.unit]), True, zone), file)


def _checked(trace: LoggerTrace, file: str) -> LoggerTrace:
    if np.isnan(trace.values_c).all():
        raise Unreadable(f"{file}: holds no temperature, only missing values")
    return trace


def _ascends(rows: Sequence[TableRow], file: str, order: DateOrder) -> bool:
    """Whether a file begins with its oldest row; some programs write the newest first."""
    (first, *_), _ = read_times([rows[0][:2]], file, None, order)
    (last, *_), _ = read_times([rows[-1][:2]], file, None, order)
    return first <= last


def _in_celsius(values: Floats, unit: TemperatureUnit) -> Floats:
    if unit == "F":
        return (values - 32) / 1.8
    return values + _ABSOLUTE_ZERO_C if unit == "K" else values
