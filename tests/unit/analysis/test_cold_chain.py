"""Mean kinetic temperature and time out of range: worked examples, gaps, and a slow integral to compare with."""

from __future__ import annotations

import math
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.analysis.cold_chain import (
    Excursion,
    assess,
    find_gaps,
    highest_mkt_c,
    mean_kinetic_temperature_c,
)
from cultureops.analysis.mean_kinetic import reading_weights_ms
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS

NAN = math.nan


def hourly(*values: float) -> tuple[np.ndarray[Any, Any], list[float]]:
    return np.arange(len(values)) * HOUR_MS, list(values)


@pytest.mark.parametrize(
    ("values", "weights", "expected", "within"),
    [
        ([24, 26, 28, 21], [16, 5, 3, 24], 23.23, 0.005),
        ([2, 2, 5, 8, 8, 8, 8], None, 6.25, 0.005),
        ([5, 14], [18, 6], 8.285, 0.0005),
        ([5, 15], [20, 4], 7.705, 0.0005),
        ([23, 30], [25, 5], 24.58, 0.005),
        ([-196.0, -196.0], None, -196.0, 1e-9),
    ],
)
def test_published_mean_kinetic_temperatures(
    values: list[float], weights: list[float] | None, expected: float, within: float
) -> None:
    assert mean_kinetic_temperature_c(values, weights) == pytest.approx(expected, abs=within)


def test_a_day_with_an_excursion_passes_or_fails_eight_degrees() -> None:
    """The window of 24 h that holds the excursion decides, not the mean, nor the whole week."""
    failing, passing = ([5.0] * 60 + [14.0] * 6 + [5.0] * 60), ([5.0] * 60 + [15.0] * 4 + [5.0] * 60)
    assert highest_mkt_c(*hourly(*failing), DAY_MS) == pytest.approx(8.285, abs=0.001)
    assert highest_mkt_c(*hourly(*passing), DAY_MS) == pytest.approx(7.705, abs=0.001)
    assert np.mean([5] * 18 + [14] * 6) == 7.25
    assert mean_kinetic_temperature_c(failing) < 8
    short = [5.0] * 9 + [14.0] * 3
    assert highest_mkt_c(*hourly(*short), DAY_MS) == pytest.approx(8.285, abs=0.001)


def test_crossings_are_interpolated() -> None:
    trace = assess(*hourly(6, 10, 10, 6, 0), low_c=2, high_c=8)
    above, below = trace.excursions
    assert (above.start, above.end) == (HOUR_MS // 2, 5 * HOUR_MS // 2)
    assert (above.extreme_c, above.direction, above.duration_s) == (10, "above", 7200)
    assert above.degree_min == pytest.approx(2 * 60 + 2 * 0.5 * 2 * 30)
    assert (below.start, below.end) == (round(3 * HOUR_MS + HOUR_MS * 4 / 6), 4 * HOUR_MS)
    assert (below.extreme_c, below.direction) == (0, "below")
    assert below.degree_min == pytest.approx(0.5 * 2 * 20)
    assert trace.out_of_range_s == pytest.approx(7200 + 1200)
    assert trace.longest_s == 7200
    assert trace.degree_min("above") == above.degree_min and trace.degree_min("below") == below.degree_min
    assert (trace.readings, trace.min_c, trace.max_c, trace.mean_c) == (5, 0, 10, 6.4)


def test_one_step_may_leave_both_limits() -> None:
    trace = assess(*hourly(12, -2), low_c=2, high_c=8)
    above, below = trace.excursions
    assert above.end == round(HOUR_MS * 4 / 14) and below.start == round(HOUR_MS * 10 / 14)


def test_a_temperature_on_the_limit_is_within_it() -> None:
    assert assess(*hourly(2, 8, 2, 8), low_c=2, high_c=8).excursions == ()
    touching = assess(*hourly(9, 8, 9), low_c=2, high_c=8).excursions
    assert [(row.start, row.end) for row in touching] == [(0, HOUR_MS), (HOUR_MS, 2 * HOUR_MS)]


def test_one_limit_is_enough_and_none_says_nothing() -> None:
    assert assess(*hourly(-70, -60), high_c=-65).out_of_range_s == 1800
    assert assess(*hourly(3, 1), low_c=2).out_of_range_s == 1800
    assert assess(*hourly(3, 1)).out_of_range_s is None
    assert assess(*hourly(3, 3), low_c=2).out_of_range_s == 0


def test_nothing_is_interpolated_across_a_gap() -> None:
    times = [0, HOUR_MS, 2 * HOUR_MS, 8 * HOUR_MS, 9 * HOUR_MS, 10 * HOUR_MS]
    trace = assess(times, [5, 5, 10, 10, 5, 5], high_c=8)
    (gap,) = trace.gaps
    assert (gap.start, gap.end, gap.duration_s) == (2 * HOUR_MS, 8 * HOUR_MS, 6 * 3600)
    before, after = trace.excursions
    assert (before.end, after.start) == (2 * HOUR_MS, 8 * HOUR_MS)
    assert trace.out_of_range_s == pytest.approx(2 * 0.4 * 3600) and trace.unknown_s == 6 * 3600
    assert trace.gap_limit_ms == 1.5 * HOUR_MS
    assert assess(times, [5, 5, 10, 10, 5, 5], high_c=8, gap_limit_ms=DAY_MS).out_of_range_s == pytest.approx(
        6 * 3600 + 2 * 0.4 * 3600
    )


def test_a_missing_value_is_a_gap_however_short() -> None:
    trace = assess(*hourly(NAN, 9, NAN, 9, 5, 5, NAN), high_c=8)
    assert [(gap.start // HOUR_MS, gap.end // HOUR_MS) for gap in trace.gaps] == [(0, 1), (1, 3), (5, 6)]
    first, second = trace.excursions
    assert first == Excursion(HOUR_MS, HOUR_MS, 9, 0.0, "above")
    assert (second.start, second.end) == (3 * HOUR_MS, 3 * HOUR_MS + HOUR_MS // 4)
    assert trace.readings == 4 and trace.mean_c == 7


def test_a_single_reading_is_a_trace() -> None:
    trace = assess([5], [9.0], high_c=8)
    assert (trace.readings, trace.out_of_range_s, trace.mkt_c, trace.gaps) == (1, 0, pytest.approx(9), ())
    assert trace.excursions == (Excursion(5, 5, 9, 0.0, "above"),)


def test_a_mean_kinetic_temperature_never_excuses_a_frozen_product() -> None:
    trace = assess(*hourly(-80, -60, -80), high_c=-70, product="frozen")
    assert trace.mkt_c is None and "says nothing of a frozen product" in trace.mkt_reason
    assert trace.out_of_range_s == 3600
    live = assess(*hourly(5, 5, 12, 5, 5), low_c=2, high_c=8)
    assert live.mkt_c is not None and live.mkt_c < 8 and live.out_of_range_s and live.mkt_reason == ""


def test_readings_weigh_as_long_as_they_stand() -> None:
    times = [0, 60, 120, 180, 780, 840]
    assert reading_weights_ms([0, 60, 120], 90).tolist() == [60, 60, 60]
    assert reading_weights_ms(times, 90).tolist() == [60] * 6
    assert reading_weights_ms(times, 1000).tolist() == [60, 60, 60, 330, 330, 60]
    assert reading_weights_ms([7], 0).tolist() == [1]
    uneven = assess([0, 10 * MINUTE_MS, 11 * MINUTE_MS, 12 * MINUTE_MS], [5, 5, 25, 25], gap_limit_ms=HOUR_MS)
    assert uneven.mkt_c is not None and uneven.mkt_c < mean_kinetic_temperature_c([5, 5, 25, 25])


@pytest.mark.parametrize(
    ("times", "values", "options", "message"),
    [
        ([], [], {}, "one temperature or more"),
        ([0], [NAN], {}, "one temperature or more"),
        ([0, 1], [5.0], {}, "as many times"),
        ([0.5], [5.0], {}, "as many times"),
        ([1, 1], [5.0, 5.0], {}, "must ascend"),
        ([2, 1], [5.0, 5.0], {}, "must ascend"),
        ([0], [math.inf], {}, "numbers above -273.15"),
        ([0], [-300.0], {}, "numbers above -273.15"),
        ([0], [5.0], {"low_c": 8, "high_c": 2}, "must be below"),
        ([0], [5.0], {"low_c": NAN}, "must be a number"),
        ([0], [5.0], {"gap_limit_ms": 0}, "gap limit"),
    ],
)
def test_nonsense_is_refused(times: list[Any], values: list[float], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assess(times, values, **options)


@pytest.mark.parametrize("weights", [[1.0], [-1.0, 2.0], [0.0, 0.0], [NAN, 1.0]])
def test_impossible_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        mean_kinetic_temperature_c([5, 6], weights)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(-5, 15) | st.none()), min_size=1, max_size=25).filter(
        lambda rows: any(value is not None for _, value in rows)
    )
)
def test_the_integral_agrees_with_small_steps(rows: list[tuple[int, int | None]]) -> None:
    """Walk each known stretch in a thousand steps and add up what is out."""
    times = np.cumsum([step for step, _ in rows]) * MINUTE_MS
    values = [NAN if value is None else float(value) for _, value in rows]
    trace = assess(times, values, low_c=2, high_c=8, gap_limit_ms=10 * MINUTE_MS)
    out_ms = above = below = 0.0
    known = [(int(at), value) for at, value in zip(times, values, strict=True) if value == value]
    unknown = {(gap.start, gap.end) for gap in find_gaps(times, values, 10 * MINUTE_MS)}
    for (t0, v0), (t1, v1) in pairwise(known):
        if (t0, t1) in unknown:
            continue
        line = v0 + (v1 - v0) * (np.arange(1000) + 0.5) / 1000
        out_ms += (t1 - t0) * float(np.mean((line > 8) | (line < 2)))
        above += (t1 - t0) / MINUTE_MS * float(np.maximum(line - 8, 0).mean())
        below += (t1 - t0) / MINUTE_MS * float(np.maximum(2 - line, 0).mean())
    assert trace.out_of_range_s == pytest.approx(out_ms / 1000, abs=0.005 * len(rows) * 600 + 0.01)
    assert trace.degree_min("above") == pytest.approx(above, rel=1e-3, abs=1e-2)
    assert trace.degree_min("below") == pytest.approx(below, rel=1e-3, abs=1e-2)
    assert trace.mkt_c is not None and trace.min_c - 1e-9 <= trace.mkt_c <= trace.max_c + 1e-9


def test_a_month_of_seconds_is_judged_at_once() -> None:
    times = np.arange(2_600_000) * 1000
    values = 5 + 4 * np.sin(times / 3.0e7)
    begun = time.process_time()
    trace = assess(times, values, low_c=2, high_c=8)
    assert time.process_time() - begun < 5 and trace.excursions
