"""A single wild sample is held back; two in a row are a fact."""

from itertools import pairwise
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.alarms.measure.spike import SpikeFilter

T = "incubator_1/temperature"
QUIET = [37.0, 37.02, 36.98, 37.01, 37.0]


def through(values: list[float | None], deadband: float = 0.2) -> list[float | None]:
    measure = SpikeFilter(T, deadband)
    return [measure.take(T, value, n * 1000) for n, value in enumerate(values)]


def test_one_wild_sample_is_held_back() -> None:
    assert through([*QUIET, 85.0, 37.0, 37.01]) == [*QUIET, None, 37.0, 37.01]


def test_a_second_in_a_row_is_accepted_and_all_after_it() -> None:
    assert through([*QUIET, 39.0, 39.1, 39.2, 39.3]) == [*QUIET, None, 39.1, 39.2, 39.3]


def test_what_was_held_back_counts_with_the_second() -> None:
    """From 39.2 on most of the last five are at the new level: going back to the old one is the spike now."""
    values = [*QUIET, 39.0, 39.1, 39.2, 39.1, 37.0, 39.0]
    assert through(list(values)) == [*QUIET, None, 39.1, 39.2, 39.1, None, 39.0]


def test_wild_samples_with_a_usual_one_between_stay_out() -> None:
    assert through([*QUIET, 85.0, 37.0, 85.0, 37.0]) == [*QUIET, None, 37.0, None, 37.0]


def test_a_bad_reading_between_two_wild_samples_is_no_usual_one() -> None:
    assert through([*QUIET, 39.0, None, 39.0]) == [*QUIET, None, None, 39.0]


@pytest.mark.parametrize(
    ("flat", "step", "deadband"),
    [(37.0, 0.1, 0.0), (37.0, 0.1, 0.2), (5.0, 0.1, 0.2), (-150.0, 0.5, 0.0), (0.0, 0.1, 0.1)],
)
def test_a_step_of_one_unit_of_a_flat_signal_is_no_spike(flat: float, step: float, deadband: float) -> None:
    values: list[float | None] = [flat] * 8 + [flat + step, flat, flat - step, flat]
    assert through(values, deadband) == values


def test_a_signal_without_any_floor_loses_one_sample_of_a_step_and_no_more() -> None:
    assert through([0.0] * 6 + [0.1] * 4, deadband=0.0) == [0.0] * 6 + [None, 0.1, 0.1, 0.1]


def test_the_first_five_are_accepted_as_they_are() -> None:
    assert through([37.0, 85.0, 37.0, -40.0, 37.0]) == [37.0, 85.0, 37.0, -40.0, 37.0]


@given(st.lists(st.one_of(st.none(), st.integers(-30, 30), st.integers(-300, 300)), max_size=60), st.integers(0, 8))
def test_any_series_against_its_definition(values: list[int | None], deadband: int) -> None:
    accepted: list[float] = []
    held: float | None = None
    was_far = False
    expected: list[float | None] = []
    for value in values:
        if value is None:
            expected.append(None)
            continue
        far = False
        if len(accepted) >= 5:
            middle = median(accepted[-5:])
            mad = median(abs(one - middle) for one in accepted[-5:])
            far = abs(value - middle) > 5 * max(mad, 0.25 * deadband, 1e-3 * abs(middle))
        if far and not was_far:
            held, was_far = value, True
            expected.append(None)
            continue
        accepted += ([held] if far and held is not None else []) + [value]
        held, was_far = None, far
        expected.append(value)
    assert through(list(values), deadband) == expected
    real = [(value, number) for value, number in zip(values, expected, strict=True) if value is not None]
    assert not any(first[1] is None and second[1] is None for first, second in pairwise(real))
