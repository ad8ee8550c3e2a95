"""The logger of a Heracell: pages of 16-byte records, decoded without any I/O.

Source: Steri-Cycle i160 operating manual p170-181, Heracell VIOS 160i p170-171: layout, event codes and the printed
record ``010b01060f3700000177002800d40000``, 11 January 2006 15:55, 37.5 degC, 4.0 % CO2, 21.2 % O2.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from cultureops.errors import ProtocolError

__all__ = ["EVENTS", "LAST", "LogPage", "LogRecord", "records_of"]


class LogPage(StrEnum):
    """The address of a page: the first, the one after the last that was asked for, or that one again."""

    FIRST = "2400"
    NEXT = "2401"
    AGAIN = "2402"


LAST: Final = 0xFF

EVENTS: Final = {
    0x01: "actual values",
    0x02: "setpoints",
    0x10: "setpoint change, temperature",
    0x11: "setpoint change, CO2",
    0x12: "setpoint change, O2",
    0x20: "new error, temperature",
    0x21: "new error, CO2",
    0x22: "new error, O2",
    0x2F: "new error, system",
    0x30: "power reset",
    0x31: "door open",
    0x32: "door closed",
    0x40: "calibration",
    0x41: "calibration",
    0x42: "calibration",
    0x50: "auto-start",
    0x51: "auto-start",
    0x52: "auto-start",
    0x53: "auto-start",
    0x60: "decontamination",
    0x61: "decontamination",
    0x62: "decontamination",
    0x63: "decontamination",
    0x70: "gas guard",
    0x71: "gas guard",
    0x72: "gas guard",
    0x90: "low humidity",
    0x91: "low humidity",
    0xE0: "log deleted",
    LAST: "last",
}

_BYTES = re.compile(r"(?:[0-9a-f]{2})*")
_RECORD: Final = struct.Struct(">6B5H")
_MOST_RECORDS: Final = 7
_CENTURY: Final = 2000
_HIGHEST_KNOWN: Final = 0x7FFF


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One event, as the incubator wrote it down.

    ``at_local`` is its own clock, to the minute and without a zone; None where it holds no possible date, as an empty
    last record may. ``temperature_c`` [degC] and the gases and humidity [%] have one decimal; None where the number
    has its highest bit set, whose meaning is not public. A sensor that is not fitted is written as 0 (the printed
    record has 0 % rH), which is for the reader to judge. ``raw`` are the 16 bytes.
    """

    event: int
    at_local: datetime | None
    status: int
    temperature_c: float | None
    co2_pct: float | None
    o2_pct: float | None
    humidity_pct: float | None
    raw: bytes

    @property
    def text(self) -> str:
        """What a person reads for the event code."""
        return EVENTS.get(self.event, f"event 0x{self.event:02x}, which no public page explains")


def records_of(payload: str) -> tuple[LogRecord, ...]:
    """Return the records of a page, at most seven of 32 lower-case hex digits each; raises ProtocolError."""
    if not _BYTES.fullmatch(payload):
        raise ProtocolError(f"expected lower-case hex digits of the log, got {payload[:80]!r}")
    data = bytes.fromhex(payload)
    count, rest = divmod(len(data), _RECORD.size)
    if rest or count > _MOST_RECORDS:
        raise ProtocolError(
            f"expected at most {_MOST_RECORDS} log records of {_RECORD.size} bytes, got {len(data)} bytes"
        )
    return tuple(_record(data[start : start + _RECORD.size]) for start in range(0, len(data), _RECORD.size))


def _record(raw: bytes) -> LogRecord:
    event, day, month, year, hour, minute, status, *values = _RECORD.unpack(raw)
    temperature_c, co2_pct, o2_pct, humidity_pct = map(_tenths, values)
    try:
        at_local = datetime(_CENTURY + year, month, day, hour, minute)
    except ValueError:
        at_local = None
    return LogRecord(event, at_local, status, temperature_c, co2_pct, o2_pct, humidity_pct, raw)


def _tenths(value: int) -> float | None:
    return value / 10.0 if value <= _HIGHEST_KNOWN else None
