"""Worked examples, and any trace against a sum over its lines one by one."""

import itertools
import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.analysis.exposure import ChannelExposure, exposure, together
from cultureops.clock import MINUTE_MS

M = MINUTE_MS


def of(
    minutes: list[float],
    values: list[float],
    start: float,
    end: float,
    low: float | None,
    high: float | None,
    gap: float = 5,
    bad: tuple[int, ...] = (),
    uncertain: tuple[int, ...] = (),
) -> ChannelExposure:
    numbers = np.arange(len(minutes))
    return exposure(
        np.array([round(minute * M) for minute in minutes], np.int64),
        np.array(values, float),
        ~np.isin(numbers, bad),
        round(start * M),
        round(end * M),
        low,
        high,
        round(gap * M),
        uncertain=np.isin(numbers, uncertain),
    )


def test_a_crossing_is_interpolated() -> None:
    """From 36 to 38 in 4 min and back in 2: above 37.5 for 1 + 0.5 min, with 0.25 on average."""
    found = of([0, 4, 6], [36, 38, 36], 0, 6, 36.5, 37.5)
    assert found.above_s == pytest.approx(90)
    assert found.degree_minutes_above == pytest.approx(1.5 * 0.25)
    assert found.below_s == pytest.approx(90) and found.degree_minutes_below == pytest.approx(1.5 * 0.25)
    assert found.out_of_range_s == pytest.approx(180)
    assert (found.mean, found.minimum, found.maximum) == (37, 36, 38)
    assert (found.covered_s, found.unknown_s, found.unknown) == (360, 0, ())


def test_the_mean_is_weighted_by_time() -> None:
    """37 for 9 min read each minute, then 3 min at 40 read twice: (9 x 37 + 38.5 + 2 x 40) / 12."""
    found = of([*range(10), 10, 12], [37] * 10 + [40, 40], 0, 12, None, None)
    assert found.mean == pytest.approx((9 * 37 + 38.5 + 2 * 40) / 12)


def test_a_long_silence_is_unknown_and_a_short_one_is_bridged() -> None:
    found = of([0, 5, 11, 12], [37, 37, 45, 45], 0, 12, None, 40)
    assert (found.covered_s, found.unknown_s, found.unknown) == (360, 360, ((5 * M, 11 * M),))
    assert (found.above_s, found.degree_minutes_above) == (60, 5)
    assert found.longest_unknown_s == 360


def test_a_bad_reading_counts_as_none() -> None:
    """Three minutes without a value lie within what the channel may be silent for, six do not."""
    found = of([0, 1, 3, 4, 8, 10], [37, math.nan, 37, 37, math.nan, 37], 0, 10, None, 40, bad=(1, 4))
    assert found.unknown == ((4 * M, 10 * M),)
    assert (found.covered_s, found.mean) == (240, 37)


def test_before_the_first_and_after_the_last_reading_nothing_is_known() -> None:
    found = of([-1, 1, 2, 9], [50, 37, 37, 50], 0, 3, None, 40, gap=20)
    assert found.unknown == ((0, 1 * M), (2 * M, 3 * M))
    assert (found.covered_s, found.unknown_s, found.maximum) == (60, 120, 37)


def test_stretches_that_adjoin_at_a_reading_add_up() -> None:
    minutes, values = [0, 1, 2, 3], [36, 41, 39, 40]
    parts = [of(minutes, values, 0, 2, None, 38), of(minutes, values, 2, 3, None, 38)]
    whole, sum_ = of(minutes, values, 0, 3, None, 38), together(parts)
    assert sum_ is not None and sum_.mean == pytest.approx(whole.mean)
    assert (sum_.covered_s, sum_.unknown_s, sum_.above_s) == (180, 0, pytest.approx(whole.above_s))


def test_nothing_read_is_wholly_unknown() -> None:
    found = of([], [], 2, 7, 36, 38)
    assert (found.mean, found.minimum, found.maximum, found.unknown) == (None, None, None, ((2 * M, 7 * M),))
    assert (found.unknown_s, found.covered_s, found.out_of_range_s) == (300, 0, 0)
    assert of([2], [37], 2, 2, 36, 38).unknown == ()


def test_a_lone_reading_has_extremes_but_lasts_no_time() -> None:
    found = of([3], [50], 0, 6, None, 40)
    assert (found.mean, found.maximum, found.covered_s, found.above_s) == (None, 50, 0, 0)


def test_a_value_at_its_limit_is_in_range() -> None:
    assert of([0, 1, 2], [38, 38, 36], 0, 2, 36, 38).out_of_range_s == 0


def test_uncertain_readings_count_and_are_told_apart() -> None:
    found = of([0, 1, 2, 3], [37, 41, 37, 37], 0, 3, None, 39, uncertain=(1,))
    assert (found.uncertain_s, found.covered_s) == (120, 180)
    assert found.above_s == pytest.approx(60)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"end": -1}, "is no stretch"),
        ({"low": 39.0}, "is no range"),
        ({"high": math.nan}, "is no range"),
        ({"gap": 0}, "is never known"),
        ({"minutes": [1, 0]}, "in order of time"),
        ({"values": [37, math.nan]}, "finite values"),
        ({"values": [37]}, "of one length"),
    ],
)
def test_nonsense_is_refused(change: dict, message: str) -> None:
    asked = {"minutes": [0, 1], "values": [37, 37], "start": 0, "end": 2, "low": 36.0, "high": 38.0} | change
    with pytest.raises(ValueError, match=message):
        of(**asked)


def test_stretches_add_up_without_the_time_between() -> None:
    first, second = of([0, 1, 2], [37, 38, 37], 0, 3, None, 37.5), of([10, 13], [40, 40], 10, 13, None, 37.5)
    whole = together([first, second])
    assert whole is not None and together([]) is None
    assert (whole.start, whole.end, whole.minimum, whole.maximum) == (0, 13 * M, 37, 40)
    assert whole.mean == pytest.approx((37.5 * 2 + 40 * 3) / 5)
    assert (whole.above_s, whole.covered_s, whole.unknown_s) == (60 + 180, 300, 60)
    assert whole.unknown == ((2 * M, 3 * M),)
    assert together([first]) == first


TRACES = st.lists(
    st.tuples(st.integers(0, 4000), st.integers(340, 400), st.sampled_from("gggggbu")),
    max_size=30,
    unique_by=lambda r: r[0],
)


@settings(max_examples=300, deadline=None)
@given(
    rows=TRACES,
    start=st.integers(0, 4000),
    length=st.integers(0, 4000),
    low=st.none() | st.integers(340, 370),
    high=st.none() | st.integers(370, 400),
    gap=st.integers(1, 600),
)
def test_any_trace_gives_the_sums_of_its_lines(
    rows: list[tuple[int, int, str]], start: int, length: int, low: int | None, high: int | None, gap: int
) -> None:
    rows.sort()
    found = exposure(
        np.array([row[0] for row in rows], np.int64),
        np.array([math.nan if row[2] == "b" else row[1] / 10 for row in rows], float),
        np.array([row[2] != "b" for row in rows], bool),
        start,
        start + length,
        None if low is None else low / 10,
        None if high is None else high / 10,
        gap,
        uncertain=np.array([row[2] == "u" for row in rows], bool),
    )
    expected = line_by_line(rows, start, start + length, low, high, gap)
    for field in fields(ChannelExposure):
        got, wanted = getattr(found, field.name), expected[field.name]
        is_number = isinstance(wanted, float)
        assert got == (pytest.approx(wanted, rel=1e-9, abs=1e-9) if is_number else wanted), field.name


def line_by_line(
    rows: list[tuple[int, int, str]], start: int, end: int, low: int | None, high: int | None, gap: int
) -> dict:
    """Walk along the trace in steps that no limit lies within; values in tenths, times in ms."""
    known = [row for row in rows if row[2] != "b" and start <= row[0] <= end]
    sums = dict.fromkeys(("covered", "uncertain", "area", "above", "below", "excess", "lack"), 0.0)
    unknown: list[tuple[int, int]] = []
    for (t0, v0, q0), (t1, v1, q1) in itertools.pairwise(known):
        if t1 - t0 > gap:
            unknown.append((t0, t1))
            continue
        sums["covered"] += t1 - t0
        sums["uncertain"] += t1 - t0 if "u" in q0 + q1 else 0
        sums["area"] += (t1 - t0) * (v0 + v1) / 20
        cuts = {0.0, 1.0} | {(limit - v0) / (v1 - v0) for limit in (low, high) if limit is not None and v1 != v0}
        cuts = sorted(cut for cut in cuts if 0 <= cut <= 1)
        for a, b in itertools.pairwise(cuts):
            middle, lasts = v0 + (v1 - v0) * (a + b) / 2, (b - a) * (t1 - t0)
            if high is not None and middle > high:
                sums["above"] += lasts
                sums["excess"] += lasts * (middle - high) / 10
            if low is not None and middle < low:
                sums["below"] += lasts
                sums["lack"] += lasts * (low - middle) / 10
    if known:
        edges = [(start, known[0][0]), (known[-1][0], end)]
        unknown = sorted([*unknown, *((a, b) for a, b in edges if b > a)])
    elif end > start:
        unknown = [(start, end)]
    return {
        "start": start,
        "end": end,
        "mean": sums["area"] / sums["covered"] if sums["covered"] else None,
        "minimum": min((row[1] / 10 for row in known), default=None),
        "maximum": max((row[1] / 10 for row in known), default=None),
        "covered_s": sums["covered"] / 1000,
        "unknown_s": (end - start - sums["covered"]) / 1000,
        "uncertain_s": sums["uncertain"] / 1000,
        "above_s": sums["above"] / 1000,
        "below_s": sums["below"] / 1000,
        "degree_minutes_above": sums["excess"] / M,
        "degree_minutes_below": sums["lack"] / M,
        "unknown": tuple(unknown),
    }
