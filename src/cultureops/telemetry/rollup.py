"""Minute roll-ups of one channel's hour: minimum, maximum, sum, count and BAD apart. Pure.

Packed as format version u8 and the zlib-compressed columns minimum f64, maximum f64, sum f64, count u32, bad u32 of 60
minutes; a minute without a value has NaN extremes and count 0.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

import numpy as np

from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.errors import Unreadable

__all__ = ["HOUR_DTYPE", "MINUTES", "HourRollup", "empty_hour", "pack", "roll_up", "unpack"]

MINUTES: Final = 60
_VERSION: Final = b"\x01"
HOUR_DTYPE: Final = np.dtype([("minimum", "<f8"), ("maximum", "<f8"), ("sum", "<f8"), ("count", "<u4"), ("bad", "<u4")])


def empty_hour() -> np.ndarray:
    """Return the roll-up of an hour without readings [60]."""
    hour = np.zeros(MINUTES, HOUR_DTYPE)
    hour["minimum"] = hour["maximum"] = np.nan
    return hour


def roll_up(source_ms: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Roll up one hour's readings, ``value`` being NaN where BAD; all instants lie within one hour [60]."""
    hour = empty_hour()
    minute = (source_ms % HOUR_MS) // MINUTE_MS
    good = ~np.isnan(value)
    np.fmin.at(hour["minimum"], minute[good], value[good])
    np.fmax.at(hour["maximum"], minute[good], value[good])
    np.add.at(hour["sum"], minute[good], value[good])
    np.add.at(hour["count"], minute[good], 1)
    np.add.at(hour["bad"], minute[~good], 1)
    return hour


def pack(hour: np.ndarray) -> bytes:
    """Write an hour's roll-up as bytes."""
    columns = b"".join(hour[name].tobytes() for name in HOUR_DTYPE.names or ())
    return _VERSION + zlib.compress(columns, 1)


def unpack(payload: bytes) -> np.ndarray:
    """Read an hour's roll-up; raise Unreadable when the bytes are not one [60]."""
    if payload[:1] != _VERSION:
        raise Unreadable(f"a roll-up of format {payload[:1].hex() or 'none'}; this program knows format 01")
    try:
        columns = zlib.decompress(payload[1:])
    except zlib.error as error:
        raise Unreadable(f"a roll-up that can't be unpacked: {error}") from None
    if len(columns) != MINUTES * HOUR_DTYPE.itemsize:
        raise Unreadable("a roll-up that does not hold 60 minutes")
    hour, at = np.zeros(MINUTES, HOUR_DTYPE), 0
    for name in HOUR_DTYPE.names or ():
        hour[name] = np.frombuffer(columns, HOUR_DTYPE[name], MINUTES, at)
        at += MINUTES * HOUR_DTYPE[name].itemsize
    return hour


class HourRollup:
    """The running roll-up of one channel's present hour; minutes that were not touched cost nothing."""

    __slots__ = ("_minutes",)

    def __init__(self) -> None:
        self._minutes: dict[int, list[float]] = {}

    def add(self, source_ms: int, value: float | None) -> None:
        """Take one reading that is later than all before."""
        minute = source_ms % HOUR_MS // MINUTE_MS
        row = self._minutes.get(minute)
        if value is None:
            if row is None:
                self._minutes[minute] = [np.nan, np.nan, 0.0, 0, 1]
            else:
                row[4] += 1
        elif row is None:
            self._minutes[minute] = [value, value, value, 1, 0]
        elif row[3] == 0:
            row[0] = row[1] = row[2] = value
            row[3] = 1
        else:
            row[0] = min(row[0], value)
            row[1] = max(row[1], value)
            row[2] += value
            row[3] += 1

    def hour(self) -> np.ndarray:
        """Return the roll-up as it stands [60]."""
        hour = empty_hour()
        for minute, row in self._minutes.items():
            hour[minute] = tuple(row)
        return hour

    @classmethod
    def of(cls, rows: Iterable[tuple[int, float | None]]) -> HourRollup:
        """Roll up (source ms, value) pairs in ascending order."""
        rollup = cls()
        for source_ms, value in rows:
            rollup.add(source_ms, value)
        return rollup
