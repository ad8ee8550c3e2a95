"""Two probes are compared only when both speak of the same time."""

from hypothesis import given
from hypothesis import strategies as st

from cultureops.alarms.measure.disagreement import Disagreement

A, B = "tank_1/temp_a", "tank_1/temp_b"


def test_the_newest_of_both_are_compared_either_way() -> None:
    measure = Disagreement(A, B, 60)
    assert measure.take(A, -180.0, 0) is None
    assert measure.take(B, -178.5, 1_000) == 1.5
    assert measure.take(A, -177.5, 10_000) == 1.0


def test_values_of_different_times_are_not_compared() -> None:
    measure = Disagreement(A, B, 60)
    measure.take(A, 1.0, 0)
    assert measure.take(B, 2.0, 60_001) is None
    assert measure.take(A, 1.0, 60_002) == 1.0
    assert measure.take(B, 2.0, 2) == 1.0  # 60 s before, and no more


def test_a_window_of_zero_wants_the_same_instant() -> None:
    measure = Disagreement(A, B, 0)
    measure.take(A, 1.0, 5)
    assert measure.take(B, 3.0, 6) is None
    assert measure.take(A, 1.0, 6) == 2.0


def test_a_bad_reading_is_no_value() -> None:
    measure = Disagreement(A, B, 60)
    measure.take(A, 1.0, 0)
    assert measure.take(B, None, 0) is None
    assert measure.take(B, 4.0, 30_000) == 3.0


@given(
    st.lists(
        st.tuples(st.sampled_from([A, B]), st.one_of(st.none(), st.integers(0, 9)), st.integers(-40, 60)), max_size=40
    )
)
def test_any_order_of_readings(steps: list[tuple[str, int | None, int]]) -> None:
    measure, at, newest = Disagreement(A, B, 50), 0, {}
    for channel, value, pause_s in steps:
        at += pause_s * 1000
        number = measure.take(channel, value, at)
        if value is not None:
            newest[channel] = (value, at)
        if value is None or len(newest) < 2 or abs(newest[A][1] - newest[B][1]) > 50_000:
            assert number is None
        else:
            assert number == abs(newest[A][0] - newest[B][0])
