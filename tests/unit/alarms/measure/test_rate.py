"""The slope of the last minutes, against one that is computed anew each time."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.alarms.measure.rate import Rate

T = "incubator_1/temperature"
MIN = 60_000
START = 1_767_600_000_000


def slow_slope(samples: list[tuple[int, float]]) -> float:
    """Least squares in exact arithmetic of numpy on centred times [unit/min]."""
    minutes = np.array([at - samples[0][0] for at, _ in samples]) / MIN
    values = np.array([value for _, value in samples])
    centred = minutes - minutes.mean()
    return float((centred * (values - values.mean())).sum() / (centred**2).sum())


@pytest.mark.parametrize("slope", [0.5, -0.5])
def test_a_straight_line_has_its_slope_either_way(slope: float) -> None:
    measure = Rate(T, 300)
    numbers = [measure.take(T, 37.0 + slope * second / 60, START + second * 1000) for second in range(0, 1200, 10)]
    assert numbers[:15] == [None] * 15
    assert numbers[15:] == pytest.approx([0.5] * (len(numbers) - 15))


def test_three_readings_over_half_of_the_window_are_needed() -> None:
    measure = Rate(T, 300)
    assert measure.take(T, 1.0, 0) is None
    assert measure.take(T, 2.0, 5 * MIN) is None
    assert measure.take(T, 2.0, 5 * MIN) == pytest.approx(0.2)


def test_half_of_the_window_is_enough() -> None:
    measure = Rate(T, 300)
    numbers = [measure.take(T, at / MIN, at) for at in (0, MIN, 149_999, 150_000)]
    assert numbers == [None, None, None, pytest.approx(1.0)]


def test_what_is_older_than_the_window_is_forgotten() -> None:
    measure = Rate(T, 300)
    for second in range(0, 3000, 10):
        number = measure.take(T, 37.0 + max(0, second - 1500) / 60, second * 1000)
        if 300 <= second <= 1500:
            assert number == pytest.approx(0.0, abs=1e-9)
        elif second >= 1800:
            assert number == pytest.approx(1.0)


def test_bad_readings_are_passed_over() -> None:
    measure = Rate(T, 300)
    for second in range(0, 300, 10):
        value = None if second % 30 == 0 else 37.0 + second / 60
        number = measure.take(T, value, second * 1000)
        assert number is None if value is None or second < 160 else number == pytest.approx(1.0)


def test_a_time_set_back_starts_the_window_anew() -> None:
    measure = Rate(T, 60)
    for second in range(0, 600, 10):
        measure.take(T, float(second), START + second * 1000)
    assert measure.take(T, 0.0, START) is None
    assert measure.take(T, 1.0, START + 20_000) is None
    assert measure.take(T, 2.0, START + 40_000) == pytest.approx(3.0)


def test_readings_of_one_instant_only_have_no_slope() -> None:
    measure = Rate(T, 0)
    assert [measure.take(T, float(n), START) for n in range(5)] == [None] * 5


def test_rounding_does_not_pile_up_over_a_year() -> None:
    """A year of readings every ten minutes at a large offset, with one wild value that has to leave no trace."""
    noise, measure = random.Random(6), Rate(T, 3600)
    samples: list[tuple[int, float]] = []
    for n in range(52_560):
        sample = START + n * 10 * MIN + noise.randrange(1000), 1e5 + noise.random() + (1e9 if n == 100 else 0.0)
        samples = [old for old in samples if sample[0] - old[0] <= 60 * MIN] + [sample]
        number = measure.take(T, sample[1], sample[0])
        if n % 97 == 0 and n > 200:
            assert number == pytest.approx(abs(slow_slope(samples)), rel=1e-6, abs=1e-9)


@given(
    st.integers(2, 120),
    st.lists(st.tuples(st.floats(-1e3, 1e3, width=32), st.sampled_from([-200, 0, 0, 1, 5, 10, 30, 90])), max_size=80),
)
def test_any_series_has_the_slope_of_its_window(window_s: int, steps: list[tuple[float, int]]) -> None:
    measure, at, samples = Rate(T, window_s), START, list[tuple[int, float]]()
    for value, pause_s in steps:
        at += pause_s * 1000
        samples = [] if pause_s < 0 else [old for old in samples if at - old[0] <= window_s * 1000]
        samples.append((at, value))
        number = measure.take(T, value, at)
        if len(samples) < 3 or at - samples[0][0] < window_s * 500:
            assert number is None
        else:
            assert number == pytest.approx(abs(slow_slope(samples)), rel=1e-6, abs=1e-6)
