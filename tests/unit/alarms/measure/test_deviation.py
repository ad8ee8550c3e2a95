"""Distance to the setpoint, and what a new setpoint leaves time for."""

from hypothesis import given
from hypothesis import strategies as st

from cultureops.alarms.measure.deviation import Deviation

T, SET = "incubator_1/temperature", "incubator_1/temperature_setpoint"
MIN = 60_000


def settled(setpoint: float = 37.0, settle_s: float = 600.0) -> Deviation:
    measure = Deviation(T, SET, settle_s)
    assert measure.take(SET, setpoint, 0) is None
    return measure


def test_it_is_the_distance_to_the_setpoint_on_either_side() -> None:
    measure = settled()
    assert measure.take(T, 38.5, 0) == 1.5
    assert measure.take(T, 35.5, MIN) == 1.5


def test_nothing_is_judged_before_a_setpoint_was_read() -> None:
    measure = Deviation(T, SET, 600)
    assert measure.take(T, 20.0, 0) is None
    assert measure.take(SET, None, MIN) is None
    assert measure.take(T, 20.0, 2 * MIN) is None


def test_an_unreadable_setpoint_is_taken_to_be_as_it_was() -> None:
    measure = settled()
    assert measure.take(SET, None, MIN) is None
    assert measure.take(T, 38.0, MIN) == 1.0


def test_on_its_way_to_a_new_setpoint_a_value_does_not_deviate() -> None:
    measure = settled()
    measure.take(SET, 39.0, 10 * MIN)
    assert [measure.take(T, value, 11 * MIN) for value in (37.0, 38.0, 39.0)] == [0.0, 0.0, 0.0]
    assert measure.take(T, 36.5, 12 * MIN) == 0.5
    assert measure.take(T, 39.5, 12 * MIN) == 0.5
    assert measure.take(T, 37.0, 20 * MIN - 1) == 0.0
    assert measure.take(T, 37.0, 20 * MIN) == 2.0


def test_the_value_of_the_same_poll_is_judged_by_the_setpoint_that_was_known() -> None:
    measure = settled()
    assert measure.take(T, 37.2, MIN) == 37.2 - 37.0
    measure.take(SET, 30.0, MIN)
    assert measure.take(T, 37.0, 2 * MIN) == 0.0


def test_each_setpoint_counts_for_the_settling_time_after_it_was_left() -> None:
    measure = settled()
    measure.take(SET, 40.0, 10 * MIN)
    measure.take(SET, 30.0, 15 * MIN)
    assert measure.take(T, 40.0, 16 * MIN) == 0.0
    assert measure.take(T, 41.0, 21 * MIN) == 1.0  # 37 is over, 40 counts
    assert measure.take(T, 31.0, 25 * MIN) == 1.0


def test_a_setpoint_that_keeps_trembling_does_not_blind() -> None:
    measure = settled()
    for minute in range(1, 120):
        measure.take(SET, 37.0 + 0.1 * (minute % 2), minute * MIN)
        deviation = measure.take(T, 33.0, minute * MIN)
        assert deviation is not None
        assert deviation >= 3.9


def test_without_a_settling_time_a_new_setpoint_counts_at_once() -> None:
    measure = settled(settle_s=0.0)
    measure.take(SET, 39.0, MIN)
    assert measure.take(T, 37.0, MIN) == 2.0


def test_a_clock_set_back_does_not_keep_a_former_setpoint() -> None:
    measure = settled()
    measure.take(SET, 39.0, 500 * MIN)
    assert measure.take(T, 37.0, 495 * MIN) == 0.0
    assert measure.take(T, 37.0, 480 * MIN) == 2.0


def test_a_setpoint_of_an_earlier_time_starts_anew() -> None:
    measure = settled()
    measure.take(SET, 39.0, 500 * MIN)
    measure.take(SET, 40.0, 470 * MIN)
    assert measure.take(T, 38.0, 475 * MIN) == 1.0
    assert measure.take(T, 38.0, 480 * MIN) == 2.0


STEPS = st.lists(
    st.tuples(st.sampled_from([T, SET]), st.one_of(st.none(), st.integers(0, 9)), st.integers(0, 12)), max_size=60
)


@given(STEPS, st.integers(0, 20))
def test_it_is_the_distance_outside_all_setpoints_of_the_last_settling_time(
    steps: list[tuple[str, int | None, int]], settle_s: int
) -> None:
    measure, at = Deviation(T, SET, settle_s), 0
    setpoint: int | None = None
    left: list[tuple[int, int]] = []
    for channel, value, pause_s in steps:
        at += pause_s * 1000
        number = measure.take(channel, value, at)
        if channel == SET:
            assert number is None
            if value is not None and value != setpoint:
                left += [] if setpoint is None else [(at, setpoint)]
                setpoint = value
        elif value is None or setpoint is None:
            assert number is None
        else:
            span = [setpoint, *(former for since, former in left if at - since < settle_s * 1000)]
            assert number == max(min(span) - value, value - max(span), 0)
