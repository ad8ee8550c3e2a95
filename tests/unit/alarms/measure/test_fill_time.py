"""A fill is compared with the fills before it, as far as they were seen whole."""

import pytest

from cultureops.alarms.measure.fill_time import FillTime

FILL = "tank_1/fill"
MIN, HOUR = 60_000, 3_600_000


def filled(measure: FillTime, start: int, minutes: int) -> list[float | None]:
    """A reading a minute: not filling, then filling for so long, then not; return what each minute of it came to."""
    measure.take(FILL, 0.0, start - MIN)
    numbers = [measure.take(FILL, 1.0, start + minute * MIN) for minute in range(minutes)]
    assert measure.take(FILL, 0.0, start + minutes * MIN) == 0.0
    return numbers


def quiet(measure: FillTime, start: int, end: int) -> None:
    for at in range(start, end, MIN):
        assert measure.take(FILL, 0.0, at) == 0.0


def with_history(*minutes: int) -> tuple[FillTime, int]:
    measure, at = FillTime(FILL), HOUR
    for one in minutes:
        filled(measure, at, one)
        quiet(measure, at + one * MIN, at + HOUR)
        at += HOUR
    return measure, at


def test_three_whole_fills_are_needed() -> None:
    measure, at = with_history(10, 12)
    assert filled(measure, at, 30) == [None] * 30
    quiet(measure, at + 30 * MIN, at + HOUR)
    assert filled(measure, at + HOUR, 2) == [0.0, pytest.approx(1 / 12)]


def test_it_grows_while_it_fills_and_is_nothing_once_it_has_ended() -> None:
    measure, at = with_history(10, 10, 10)
    numbers = filled(measure, at, 21)
    assert numbers == pytest.approx([minute / 10 for minute in range(21)])
    assert measure.take(FILL, 0.0, at + 22 * MIN) == 0.0


def test_usual_is_the_median_of_the_last_twenty() -> None:
    measure, at = with_history(*[5] * 30, *[10] * 9)
    assert filled(measure, at, 11)[10] == pytest.approx(2.0)
    quiet(measure, at + 11 * MIN, at + HOUR)
    measure, at = with_history(*[5] * 30, *[10] * 11)
    assert filled(measure, at, 11)[10] == pytest.approx(1.0)


def test_a_fill_across_bad_readings_is_judged_and_not_counted() -> None:
    measure, at = with_history(10, 20, 30)
    measure.take(FILL, 1.0, at)
    assert measure.take(FILL, None, at + 5 * MIN) is None
    assert measure.take(FILL, 1.0, at + 10 * MIN) == pytest.approx(0.5)
    assert measure.take(FILL, 1.0, at + 20 * MIN) == pytest.approx(1.0)
    quiet(measure, at + 25 * MIN, at + HOUR)
    assert filled(measure, at + HOUR, 21)[20] == pytest.approx(1.0)  # 25 min would make 22.5 of it


def test_a_fill_that_may_have_begun_unseen_is_not_counted() -> None:
    measure = FillTime(FILL)
    for start, end in ((0, 5), (10, 12)):  # the first thing that was heard; the first after BAD
        measure.take(FILL, 1.0, start * MIN)
        measure.take(FILL, 0.0, end * MIN)
        measure.take(FILL, None, end * MIN + 1)
    for hour in (1, 2, 3):
        assert filled(measure, hour * HOUR, 10) == [None] * 10
    assert filled(measure, 4 * HOUR, 2) == pytest.approx([0.0, 0.1])


def test_over_a_silence_a_fill_begins_anew_and_is_not_counted() -> None:
    measure, at = with_history(10, 20, 30)
    measure.take(FILL, 1.0, at)
    assert measure.take(FILL, 1.0, at + 3 * HOUR) == 0.0
    assert measure.take(FILL, 1.0, at + 3 * HOUR + 10 * MIN) == pytest.approx(0.5)
    quiet(measure, at + 3 * HOUR + 11 * MIN, at + 4 * HOUR)
    assert filled(measure, at + 4 * HOUR, 21)[20] == pytest.approx(1.0)


def test_a_time_set_back_starts_anew_and_does_not_blind() -> None:
    measure, at = with_history(10, 20, 30)
    measure.take(FILL, 1.0, at)
    back = at - 2 * HOUR
    assert [measure.take(FILL, 1.0, back + 10 * n * MIN) for n in range(5)] == [0.0, 0.5, 1.0, 1.5, 2.0]
    quiet(measure, back + 41 * MIN, back + HOUR)
    assert filled(measure, back + HOUR, 21)[20] == pytest.approx(1.0)
