"""Minute roll-ups of one channel's day: minimum, maximum, total and count of values, BAD readings apart. Pure.

Packed as decimals u8 (255: float64), base i64 and one zstd frame of five columns of 1,440 minutes with shuffled bytes:
count, bad, minimum above base, maximum above minimum, total above count times minimum. The columns are u4 where the
values are whole numbers of their decimals and everything fits, else float64 (minimum, maximum and total as they are).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops.clock import DAY_MS, MINUTE_MS
from cultureops.errors import Unreadable
from cultureops.telemetry.chunk import EXACT, MOST_DECIMALS, RAW, scaled, unscaled
from cultureops.telemetry.integers import compress, decompress
from cultureops.telemetry.points import Points

__all__ = ["MINUTES", "Minutes", "add", "no_minutes", "pack", "roll_up", "unpack"]

MINUTES: Final = DAY_MS // MINUTE_MS
_COLUMNS: Final = 5
_HEAD: Final = struct.Struct("<Bq")
_WHOLE: Final = np.dtype("<u4")
_FLOAT: Final = np.dtype("<f8")
_ROUNDING: Final = 1e-11


@dataclass(frozen=True, slots=True)
class Minutes:
    """Minutes in a row; ``minimum`` and ``maximum`` are NaN and ``total`` is 0 where no reading had a value."""

    count: np.ndarray
    bad: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray
    total: np.ndarray

    def columns(self) -> tuple[np.ndarray, ...]:
        """Return the columns in the order of the fields."""
        return self.count, self.bad, self.minimum, self.maximum, self.total

    def at(self, rows: np.ndarray | slice) -> Minutes:
        """Return only these minutes."""
        return Minutes(*(column[rows] for column in self.columns()))


def no_minutes(count: int = MINUTES) -> Minutes:
    """Return minutes without a reading."""
    nothing = np.full(count, np.nan)
    return Minutes(np.zeros(count, np.int64), np.zeros(count, np.int64), nothing, nothing.copy(), np.zeros(count))


def add(start: np.ndarray, minutes: Minutes, size: int) -> Minutes:
    """Gather minutes into ``size`` stretches; ``start`` numbers each one's stretch, ascending."""
    gathered = no_minutes(size)
    if not start.size:
        return gathered
    firsts = np.flatnonzero(np.append(True, start[1:] != start[:-1]))
    into = start[firsts]
    for name, gather in (("count", np.add), ("bad", np.add), ("minimum", np.fmin), ("maximum", np.fmax)):
        getattr(gathered, name)[into] = gather.reduceat(getattr(minutes, name), firsts)
    gathered.total[into] = np.add.reduceat(minutes.total, firsts)
    return gathered


def roll_up(points: Points, bucket: np.ndarray, size: int) -> Minutes:
    """Roll up readings of ascending source time into ``size`` stretches; ``bucket`` numbers each one's stretch."""
    bad = points.bad
    total = np.where(bad, 0.0, points.value)
    each = Minutes((~bad).astype(np.int64), bad.astype(np.int64), points.value, points.value, total)
    return add(bucket, each, size)


def pack(day: Minutes) -> bytes:
    """Write a day's minutes as bytes."""
    whole = _whole(day)
    if whole is not None:
        places, base, columns = whole
        return _HEAD.pack(places, base) + compress(_shuffled(np.stack(columns).astype(_WHOLE)))
    return _HEAD.pack(RAW, 0) + compress(_shuffled(np.stack([column.astype(_FLOAT) for column in day.columns()])))


def unpack(payloads: Sequence[bytes]) -> Minutes:
    """Read days' minutes, one day after the other; raise Unreadable when the bytes are not such days."""
    days = [no_minutes(0)]
    at = 0
    while at < len(payloads):  # days of one make-up are read together
        end = at + 1
        while end < len(payloads) and payloads[end][:1] == payloads[at][:1]:
            end += 1
        days.append(_unpack_alike(payloads[at:end]))
        at = end
    if len(days) <= 2:
        return days[-1]
    return Minutes(*(np.concatenate(columns) for columns in zip(*(day.columns() for day in days), strict=True)))


def _whole(day: Minutes) -> tuple[int, int, tuple[np.ndarray, ...]] | None:
    """Return decimals, base and the five columns as whole numbers, or None where they do not fit."""
    has = day.count > 0
    found = scaled(np.concatenate((day.minimum[has], day.maximum[has])))
    if found is None:
        return None
    places = _places_of(day.total, found[0])
    more = 10 ** (places - found[0])
    if places > MOST_DECIMALS or np.abs(found[1]).max(initial=0) * more >= EXACT:
        return None
    low, high = np.zeros((2, day.count.size), np.int64)
    low[has], high[has] = np.split(found[1] * more, 2)
    base = int(low[has].min()) if has.any() else 0
    total = np.rint(day.total * 10.0**places).astype(np.int64)
    columns = (day.count, day.bad, np.where(has, low - base, 0), high - low, total - low * day.count)
    if any(int(column.min()) < 0 or int(column.max()) >= 1 << 32 for column in columns):
        return None
    return places, base, columns


def _places_of(totals: np.ndarray, fewest: int) -> int:
    """Return the decimals at which sums are whole numbers but for the rounding of adding up; beyond the most for none.

    A reading between the extremes may have more decimals than both.
    """
    for places in range(fewest, MOST_DECIMALS + 1):
        numbers = totals * 10.0**places
        if (np.abs(numbers - np.rint(numbers)) <= _ROUNDING * (1 + np.abs(numbers))).all():
            return places
    return MOST_DECIMALS + 1


def _shuffled(columns: np.ndarray) -> bytes:
    """Sort the bytes of each column [5, n] by weight."""
    rows, count = columns.shape
    return columns.view(np.uint8).reshape(rows, count, columns.itemsize).transpose(0, 2, 1).tobytes()


def _unpack_alike(payloads: Sequence[bytes]) -> Minutes:
    try:
        heads = [_HEAD.unpack_from(payload) for payload in payloads]
    except struct.error:
        raise Unreadable("a roll-up that is too short") from None
    places = heads[0][0]
    dtype = _FLOAT if places == RAW else _WHOLE
    size = _COLUMNS * MINUTES * dtype.itemsize
    raw = b"".join(decompress(payload[_HEAD.size :], size) for payload in payloads)
    weights = np.frombuffer(raw, np.uint8).reshape(len(payloads), _COLUMNS, dtype.itemsize, MINUTES)
    numbers = np.ascontiguousarray(weights.transpose(1, 0, 3, 2)).view(dtype).reshape(_COLUMNS, -1)
    if places == RAW:
        return Minutes(numbers[0].astype(np.int64), numbers[1].astype(np.int64), *numbers[2:])
    count, bad, above, span, rest = numbers.astype(np.int64)
    low = above + np.repeat(np.array([base for _, base in heads], np.int64), MINUTES)
    minimum, maximum = unscaled(low, places), unscaled(low + span, places)
    minimum[count == 0] = maximum[count == 0] = np.nan
    return Minutes(count, bad, minimum, maximum, unscaled(np.where(count > 0, rest + low * count, 0), places))
