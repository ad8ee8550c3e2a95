"""A sensor that does not answer to what it should is stuck; one that is merely quiet is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.alarms.measure.stuck import Stuck

T, DOOR, SISTER = "incubator_1/temperature", "incubator_1/door", "incubator_1/temperature_b"
MIN = 60_000


def by_door(window_s: float = 3600.0, settle_s: float = 600.0) -> Stuck:
    return Stuck(T, DOOR, 0.1, None, window_s, settle_s)


def flat(measure: Stuck, start_min: int, end_min: int, value: float = 37.0) -> list[float | None]:
    return [measure.take(T, value, minute * MIN) for minute in range(start_min, end_min)]


def test_a_quiet_chamber_is_rightly_flat() -> None:
    assert flat(by_door(), 0, 300) == [None] * 300


def test_flat_over_the_window_although_the_door_was_opened() -> None:
    measure = by_door()
    flat(measure, 0, 80)
    assert measure.take(DOOR, 1.0, 80 * MIN) is None
    assert flat(measure, 80, 90) == [None] * 10
    assert flat(measure, 90, 95) == [1.0] * 5


def test_what_moved_with_the_door_is_not_stuck() -> None:
    measure = by_door()
    flat(measure, 0, 80)
    measure.take(DOOR, 1.0, 80 * MIN)
    measure.take(T, 36.8, 81 * MIN)
    assert flat(measure, 82, 300) == [0.0] * 218


def test_a_door_that_stayed_closed_or_is_unreadable_witnesses_nothing() -> None:
    measure = by_door()
    for minute in range(200):
        measure.take(DOOR, None if minute % 2 else 0.0, minute * MIN)
        assert measure.take(T, 37.0, minute * MIN) is None


def test_a_whole_window_is_needed() -> None:
    measure = by_door()
    measure.take(DOOR, 1.0, 0)
    assert flat(measure, 0, 60) == [None] * 60
    assert measure.take(T, 37.0, 60 * MIN) == 1.0  # the door's opening is just within


def test_a_door_opened_before_the_window_is_forgotten() -> None:
    measure = by_door()
    measure.take(DOOR, 1.0, 0)
    assert flat(measure, 1, 200) == [None] * 199


def test_a_sister_that_moved_enough_is_a_witness() -> None:
    for move, expected in ((0.25, None), (0.5, 1.0)):
        measure = Stuck(T, SISTER, 0.1, 0.5, 3600, 600)
        flat(measure, 0, 70)
        measure.take(SISTER, 37.0, 70 * MIN)
        measure.take(SISTER, 37.0 + move, 71 * MIN)
        assert flat(measure, 71, 81) == [None] * 10
        assert flat(measure, 81, 90) == [expected] * 9


def test_it_stays_stuck_until_it_moves_however_slowly() -> None:
    measure = by_door()
    flat(measure, 0, 80)
    measure.take(DOOR, 1.0, 80 * MIN)
    flat(measure, 80, 200)
    assert flat(measure, 200, 300) == [1.0] * 100  # the door was long ago
    assert flat(measure, 300, 370, 37.06) == [1.0] * 70
    measure.take(DOOR, 1.0, 365 * MIN)
    assert flat(measure, 370, 380, 37.06) == [1.0] * 10
    assert flat(measure, 380, 400, 37.12) == [0.0] * 20


def test_once_freed_it_has_a_whole_window_to_show_that_it_lives() -> None:
    measure = by_door()
    flat(measure, 0, 80)
    measure.take(DOOR, 1.0, 80 * MIN)
    flat(measure, 80, 100)
    assert flat(measure, 100, 101, 38.0) == [0.0]
    measure.take(DOOR, 1.0, 101 * MIN)
    assert flat(measure, 101, 160, 38.0) == [0.0] * 59
    assert flat(measure, 160, 162, 38.0) == [1.0] * 2


def test_a_bad_reading_is_no_movement() -> None:
    measure = by_door()
    measure.take(DOOR, 1.0, 30 * MIN)
    for minute in range(60):
        assert measure.take(T, 37.0 if minute % 5 == 0 else None, minute * MIN) is None
    assert measure.take(T, 37.0, 60 * MIN) == 1.0


def test_a_long_gap_starts_the_window_anew_and_keeps_what_is_stuck() -> None:
    measure = by_door()
    measure.take(DOOR, 1.0, 40 * MIN)
    flat(measure, 0, 40)
    assert flat(measure, 61, 121) == [None] * 60
    measure.take(DOOR, 1.0, 100 * MIN)
    assert flat(measure, 121, 122) == [1.0]
    assert flat(measure, 300, 302) == [1.0] * 2


def test_a_time_set_back_starts_anew_and_does_not_blind() -> None:
    measure = by_door()
    measure.take(DOOR, 1.0, 1040 * MIN)
    flat(measure, 1000, 1055)
    flat(measure, 0, 60)
    measure.take(DOOR, 1.0, 45 * MIN)
    assert measure.take(T, 37.0, 60 * MIN) == 1.0


STEPS = st.lists(
    st.tuples(
        st.sampled_from([T, T, SISTER]),
        st.one_of(st.none(), st.integers(0, 2), st.integers(0, 5)),
        st.sampled_from([0, 1, 1, 2, 3, 3, 5, 11, -15]),
    ),
    max_size=80,
)


@given(STEPS, st.sampled_from([None, 3]), st.integers(0, 12), st.integers(1, 4))
def test_any_series_against_its_definition(
    steps: list[tuple[str, int | None, int]], reference_move: int | None, settle_s: int, least_move: int
) -> None:
    window_s, at, verdict = 20, 10_000, None
    measure = Stuck(T, SISTER, least_move, reference_move, window_s, settle_s)
    own: list[tuple[int, int]] = []
    witness: list[tuple[int, int]] = []
    while_stuck: list[int] = []
    for channel, value, pause_s in steps:
        at += pause_s
        number = measure.take(channel, value, at * 1000)
        if value is None or channel == SISTER:
            assert number is None
            if value is not None:
                witness = (witness if not witness or at >= witness[-1][0] else []) + [(at, value)]
            continue
        if own and (at < own[-1][0] or at - own[-1][0] > window_s / 3):
            own = []
        own.append((at, value))
        within = [one for since, one in own if since >= at - window_s]
        told = [one for since, one in witness if at - window_s <= since <= at - settle_s]
        if verdict == 1.0:
            while_stuck.append(value)
            if max(while_stuck) - min(while_stuck) >= least_move:
                verdict, own = 0.0, [(at, value)]
        elif max(within) - min(within) >= least_move:
            verdict = 0.0
        elif own[0][0] <= at - window_s and (
            any(told) if reference_move is None else bool(told) and max(told) - min(told) >= reference_move
        ):
            verdict, while_stuck = 1.0, within
        assert number == verdict


@pytest.mark.parametrize("settle_s", [0, 5])
def test_the_definition_is_met_by_random_series_at_all(settle_s: int) -> None:
    """The property above would be empty if nothing ever stuck."""
    measure = Stuck(T, SISTER, 2, 3, 20, settle_s)
    for at in range(60):
        measure.take(SISTER, float(at % 4), at * 1000)
        number = measure.take(T, float(at % 2), at * 1000)
    assert number == 1.0
