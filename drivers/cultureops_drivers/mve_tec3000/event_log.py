"""The event log that a TEC 3000 writes to a USB stick, as typed events.

The codes: onco-p53/chart-MVE, README and N2-tanks.qmd (an older version has US for UW). How the file is laid out no
manual says, and exports differ from store to store (dates with and without seconds), so the owner tells it: a mapping
in TOML, see ``event_log_example.toml``. Every fourth hour the controller writes a line without any code: no event.
"""

from __future__ import annotations

import csv
import hashlib
import io
import tomllib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from cultureops.device import event_log
from cultureops.errors import ConfigError, ProtocolError

__all__ = [
    "EventLog",
    "EventLogMapping",
    "LoggedEvent",
    "TecEvent",
    "load_mapping",
    "parse_event_log",
    "read_event_log",
    "read_log",
]


class TecEvent(StrEnum):
    """What a code of the log stands for."""

    ALARM_MUTED = "AM"
    TEMP_A_HIGH = "AH"
    TEMP_A_LOW = "AL"
    ON_BATTERY = "BB"
    TEMP_B_HIGH = "BH"
    TEMP_B_LOW = "BL"
    BYPASS_SENSOR_OPEN = "BP"
    BATTERY_LOW = "BV"
    BYPASSING = "BY"
    TEMP_A_CALIBRATION = "CA"
    TEMP_B_CALIBRATION = "CB"
    BYPASS_CALIBRATION = "CG"
    NETWORK_LOST = "CL"
    FILLING = "F"
    FILL_DISABLED = "FD"
    FILL_TIME = "FT"
    BYPASS_TIME = "HG"
    LEVEL_HIGH = "LH"
    LEVEL_LOW = "LL"
    LID_OPEN = "LO"
    POWER_FAILURE = "PF"
    USAGE = "US"
    USAGE_WARNING = "UW"
    LEVEL_ZEROING = "ZO"

    @property
    def text(self) -> str:
        """What a person reads."""
        return _MEANINGS[self][0]

    @property
    def channel(self) -> str:
        """The standard name of the channel it is about; empty where there is none."""
        return _MEANINGS[self][1]


_MEANINGS: Final = {
    TecEvent.ALARM_MUTED: ("alarm muted", ""),
    TecEvent.TEMP_A_HIGH: ("temperature A too high", "temp_a"),
    TecEvent.TEMP_A_LOW: ("temperature A too low", "temp_a"),
    TecEvent.ON_BATTERY: ("running on battery", "mains"),
    TecEvent.TEMP_B_HIGH: ("temperature B too high", "temp_b"),
    TecEvent.TEMP_B_LOW: ("temperature B too low", "temp_b"),
    TecEvent.BYPASS_SENSOR_OPEN: ("bypass sensor open", "bypass"),
    TecEvent.BATTERY_LOW: ("battery voltage low", "battery"),
    TecEvent.BYPASSING: ("letting hot gas by", "bypass"),
    TecEvent.TEMP_A_CALIBRATION: ("calibration of temperature A", "temp_a"),
    TecEvent.TEMP_B_CALIBRATION: ("calibration of temperature B", "temp_b"),
    TecEvent.BYPASS_CALIBRATION: ("calibration of the bypass sensor", "bypass"),
    TecEvent.NETWORK_LOST: ("fill network (OFAF) lost", ""),
    TecEvent.FILLING: ("filling", "fill"),
    TecEvent.FILL_DISABLED: ("filling disabled", "fill"),
    TecEvent.FILL_TIME: ("fill took too long", "fill_alarm"),
    TecEvent.BYPASS_TIME: ("hot gas bypass took too long", "bypass"),
    TecEvent.LEVEL_HIGH: ("level too high", "level"),
    TecEvent.LEVEL_LOW: ("level too low", "level"),
    TecEvent.LID_OPEN: ("lid open", "lid"),
    TecEvent.POWER_FAILURE: ("power failure", "mains"),
    TecEvent.USAGE: ("nitrogen usage too high", "level"),
    TecEvent.USAGE_WARNING: ("nitrogen usage warning", "level"),
    TecEvent.LEVEL_ZEROING: ("level zeroing", "level"),
}


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One code of one line of the log.

    ``line`` counts from 1; ``at_local`` is the controller's own time (ISO 8601 without offset, as the file carries
    none); ``event`` is None for a code that is not in the published list, which is kept, never dropped.
    """

    line: int
    at_local: str
    code: str
    event: TecEvent | None

    @property
    def text(self) -> str:
        """What a person reads."""
        return f"code {self.code}, not in the published list" if self.event is None else self.event.text


@dataclass(frozen=True, slots=True)
class EventLog:
    """A whole log in file order: its events, how many lines were read, and which file it was."""

    events: tuple[LoggedEvent, ...]
    n_rows: int
    source_file: str
    source_sha256: str


@dataclass(frozen=True, slots=True)
class EventLogMapping:
    """How the owner's log files are laid out.

    ``time_columns`` are joined by a space and read with ``time_format`` (as for ``datetime.strptime``); a cell of
    ``code_column`` is cut at ``code_separator``, or is one code where that is empty.
    """

    time_columns: tuple[str, ...]
    time_format: str
    code_column: str
    code_separator: str = ""
    delimiter: str = ","
    encoding: str = "utf-8"


_KEYS: Final = {
    "time_columns": (list, "a list of column names"),
    "time_format": (str, "a text such as '%d/%m/%Y %H:%M'"),
    "code_column": (str, "the name of a column"),
    "code_separator": (str, "a text, empty where a cell holds one code"),
    "delimiter": (str, "one character"),
    "encoding": (str, "an encoding such as 'utf-8' or 'latin-1'"),
}
_REQUIRED: Final = ("time_columns", "time_format", "code_column")


def load_mapping(path: Path) -> EventLogMapping:
    """Read a mapping; raises ConfigError for a file that is none."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: can't be read as a mapping: {error}") from None
    for key, value in values.items():
        if key not in _KEYS:
            raise ConfigError(f"{path}: {key!r} is unknown; known: {', '.join(_KEYS)}")
        _check(path, key, value)
    for key in _REQUIRED:
        if not values.get(key):
            raise ConfigError(f"{path}: {key!r} is missing; expected {_KEYS[key][1]}")
    values["time_columns"] = tuple(values["time_columns"])
    return EventLogMapping(**values)


def _check(path: Path, key: str, value: Any) -> None:
    kind, expected = _KEYS[key]
    good = isinstance(value, kind)
    if good and key == "time_columns":
        good = all(isinstance(name, str) for name in value)
    if good and key == "delimiter":
        good = len(value) == 1
    if good and key == "encoding":
        try:
            "".encode(value)
        except LookupError:
            good = False
    if not good:
        raise ConfigError(f"{path}: {key!r} must be {expected}, not {value!r}")


def read_event_log(path: Path, mapping: EventLogMapping) -> EventLog:
    """Read an exported log; raises ProtocolError with file and line, and then nothing of the file was read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProtocolError(f"{path}: can't be read: {error.strerror}; copy the log from the stick again") from None
    return parse_event_log(data, path.name, mapping)


def read_log(contents: bytes, file: str, mapping: Path) -> event_log.EventLog:
    """Read an exported log as any controller's (see cultureops.device.event_log)."""
    log = parse_event_log(contents, file, load_mapping(mapping))
    events = tuple(
        event_log.LoggedEvent(
            row.line, row.at_local, row.code, row.text, row.event.channel if row.event else "", row.event is not None
        )
        for row in log.events
    )
    return event_log.EventLog(events, log.n_rows, log.source_file, log.source_sha256)


def parse_event_log(data: bytes, file: str, mapping: EventLogMapping) -> EventLog:
    """Read the bytes of an exported log; ``file`` is the name that errors show (see ``read_event_log``)."""
    try:
        text = data.decode(mapping.encoding)
    except UnicodeDecodeError:
        raise ProtocolError(f"{file}: not {mapping.encoding} text; give the file's encoding in the mapping") from None
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=mapping.delimiter)
    try:
        missing = {mapping.code_column, *mapping.time_columns} - set(rows.fieldnames or ())
        if missing:
            raise ProtocolError(f"{file}:1: there is no column {', '.join(sorted(missing))}; correct the mapping")
        events: list[LoggedEvent] = []
        n_rows = 0
        for row in rows:
            n_rows += 1
            events += _events_of(row, rows.line_num, file, mapping)
    except csv.Error as error:
        raise ProtocolError(f"{file}:{rows.line_num}: not a table: {error}") from None
    return EventLog(tuple(events), n_rows, file, hashlib.sha256(data).hexdigest())


def _events_of(row: dict[str, str | None], line: int, file: str, mapping: EventLogMapping) -> list[LoggedEvent]:
    cell = row[mapping.code_column] or ""
    parts = cell.split(mapping.code_separator) if mapping.code_separator else [cell]
    codes = [part.strip() for part in parts if part.strip()]
    if not codes:
        return []
    stamp = " ".join((row[column] or "").strip() for column in mapping.time_columns)
    try:
        at_local = datetime.strptime(stamp, mapping.time_format).isoformat()
    except ValueError:
        raise ProtocolError(
            f"{file}:{line}: {stamp[:40]!r} is no time of the form {mapping.time_format!r}; correct the mapping"
        ) from None
    known = TecEvent.__members__.values()
    return [LoggedEvent(line, at_local, code, TecEvent(code) if code in known else None) for code in codes]
