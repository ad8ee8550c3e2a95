"""Minute roll-ups say what a brute force over the readings says."""

import math
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cultureops.clock import DAY_MS, MINUTE_MS
from cultureops.device.reading import Quality, Reason
from cultureops.errors import Unreadable
from cultureops.telemetry.integers import compress
from cultureops.telemetry.points import Points
from cultureops.telemetry.rollup import MINUTES, Minutes, add, no_minutes, pack, roll_up, unpack

DAY = 20_458 * DAY_MS
DECIMALS = st.integers(-10_000, 10_000).map(lambda hundredths: hundredths / 100)
FLOATS = st.floats(-1e6, 1e6)
EXTREMES = st.floats(allow_nan=False, allow_infinity=False, width=64).filter(lambda value: abs(value) < 1e300)
INSTANTS = st.one_of(st.integers(0, DAY_MS - 1), st.integers(0, 5 * MINUTE_MS))


def some(values: st.SearchStrategy[float], most: int = 60) -> st.SearchStrategy[dict[int, float | None]]:
    return st.dictionaries(INSTANTS, st.one_of(st.none(), values), max_size=most)


DAYS = st.one_of(some(DECIMALS), some(FLOATS), some(EXTREMES))


def day_of(points: dict[int, float | None]) -> Minutes:
    instants = np.array(sorted(points), np.int64)
    values = np.array([math.nan if (value := points[at]) is None else value for at in instants.tolist()], np.float64)
    bad = np.isnan(values)
    rows = Points(
        instants + DAY,
        instants + DAY,
        values,
        np.where(bad, Quality.BAD, Quality.GOOD).astype(np.uint8),
        np.where(bad, Reason.TIMEOUT, Reason.NONE).astype(np.uint8),
    )
    return roll_up(rows, instants // MINUTE_MS, MINUTES)


def same_bits(ours: Minutes, theirs: Minutes) -> None:
    for mine, other in zip(ours.columns(), theirs.columns(), strict=True):
        assert mine.dtype == other.dtype and mine.tobytes() == other.tobytes()


@given(some(FLOATS))
def test_a_roll_up_is_the_brute_force(points: dict[int, float | None]) -> None:
    day = day_of(points)
    by_minute: dict[int, list[float | None]] = {}
    for at in sorted(points):
        by_minute.setdefault(at // MINUTE_MS, []).append(points[at])
    empty = np.setdiff1d(np.arange(MINUTES), list(by_minute))
    same_bits(day.at(empty), no_minutes(empty.size))
    for minute, inside in by_minute.items():
        good = [value for value in inside if value is not None]
        assert (day.count[minute], day.bad[minute]) == (len(good), len(inside) - len(good))
        assert day.total[minute] == pytest.approx(sum(good), abs=1e-6)
        if good:
            assert (day.minimum[minute], day.maximum[minute]) == (min(good), max(good))
        else:
            assert np.isnan(day.minimum[minute]) and np.isnan(day.maximum[minute])


@given(DAYS)
@example({0: 12.5, 1: 0.01, 2: 0.0})  # a reading between the extremes with more decimals than both
def test_a_day_comes_back(points: dict[int, float | None]) -> None:
    """Extremes and counts bit by bit; the total as the decimal sum, which float addition misses by a rounding."""
    day = day_of(points)
    again = unpack([pack(day)])
    for name in ("count", "bad", "minimum", "maximum"):
        assert getattr(again, name).tobytes() == getattr(day, name).tobytes()
    np.testing.assert_allclose(again.total, day.total, rtol=1e-12, atol=1e-6)


@settings(max_examples=40)
@given(st.lists(DAYS, max_size=5))
def test_days_of_any_make_up_are_read_one_after_the_other(days: list[dict[int, float | None]]) -> None:
    packed = [pack(day_of(points)) for points in days]
    parts = [unpack([payload]) for payload in packed] or [no_minutes(0)]
    whole = Minutes(*map(np.concatenate, zip(*(part.columns() for part in parts), strict=True)))
    same_bits(unpack(packed), whole)


@given(some(DECIMALS), st.integers(1, 700))
def test_stretches_of_minutes_are_the_sums_of_their_minutes(points: dict[int, float | None], width: int) -> None:
    day = day_of(points)
    size = -(-MINUTES // width)
    stretches = add(np.arange(MINUTES) // width, day, size)
    for at in range(size):
        inside = day.at(slice(at * width, (at + 1) * width))
        assert (stretches.count[at], stretches.bad[at]) == (inside.count.sum(), inside.bad.sum())
        assert stretches.total[at] == pytest.approx(inside.total.sum(), abs=1e-6)
        has = inside.count > 0
        if has.any():
            assert stretches.minimum[at] == inside.minimum[has].min()
            assert stretches.maximum[at] == inside.maximum[has].max()
        else:
            assert np.isnan(stretches.minimum[at]) and np.isnan(stretches.maximum[at])


def test_a_day_of_seconds_takes_few_bytes() -> None:
    points: dict[int, float | None] = {at: 37 + (at // 1000 * 7 % 13) / 100 for at in range(0, DAY_MS, 1000)}
    assert len(pack(day_of(points))) < 2 * MINUTES


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        pack(no_minutes())[:8],
        pack(no_minutes())[:-3],
        b"\x02" + struct.pack("<q", 0) + b"rubbish",
        b"\x02" + struct.pack("<q", 0) + compress(b"\0" * 5 * 4 * (MINUTES - 1)),
        b"\xff" + struct.pack("<q", 0) + compress(b"\0" * 5 * 4 * MINUTES),
    ],
)
def test_what_is_no_roll_up_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        unpack([payload])
