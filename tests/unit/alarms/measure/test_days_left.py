"""How long the nitrogen lasts, through refills, splashes and noise."""

import random

import pytest

from cultureops.alarms.measure.days_left import LONGEST_DAYS, DaysLeft

LEVEL = "tank_1/level"
MIN, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def test_a_steady_fall_lasts_as_long_as_it_says() -> None:
    measure = DaysLeft(LEVEL, 20.0, 86_400)
    for minute in range(0, 5 * 1440, 10):
        days = minute / 1440
        number = measure.take(LEVEL, 80.0 - 4.0 * days, minute * MIN)
        if minute < 360:
            assert number is None
        elif minute > 500:
            assert number == pytest.approx((60.0 - 4.0 * days) / 4.0, rel=0.01)


def test_at_the_level_that_must_be_left_nothing_is_left() -> None:
    measure = DaysLeft(LEVEL, 20.0, 86_400)
    numbers = [measure.take(LEVEL, 25.0 - hour * 0.5, hour * HOUR) for hour in range(20)]
    assert numbers[-1] == 0.0


@pytest.mark.parametrize("drift", [0.0, 0.001])
def test_without_consumption_it_lasts_as_long_as_can_be_said(drift: float) -> None:
    measure = DaysLeft(LEVEL, 20.0, 86_400)
    numbers = [measure.take(LEVEL, 80.0 + drift * hour, hour * HOUR) for hour in range(48)]
    assert numbers[-1] == LONGEST_DAYS


def test_an_empty_tank_that_consumes_nothing_has_nothing_left() -> None:
    measure = DaysLeft(LEVEL, 20.0, 86_400)
    assert [measure.take(LEVEL, 20.0, hour * HOUR) for hour in range(48)][-1] == 0.0


def test_faster_consumption_is_seen_within_the_window() -> None:
    measure = DaysLeft(LEVEL, 0.0, 86_400)
    level = 90.0
    for minute in range(0, 4 * 1440, 10):
        level -= (2.0 if minute < 2 * 1440 else 20.0) / 144
        number = measure.take(LEVEL, level, minute * MIN)
    assert number == pytest.approx(level / 20.0, rel=0.02)


def test_a_refill_starts_the_fall_anew_when_it_is_over() -> None:
    """Eight days at 3 % a day, refilled within half an hour: unknown for the calm and a quarter of the window."""
    noise, measure = random.Random(6), DaysLeft(LEVEL, 20.0, 86_400)
    level, unknown = 70.0, list[float]()
    for minute in range(8 * 1440):
        filling = 4 * 1440 <= minute < 4 * 1440 + 30
        level += 1.0 if filling else -3.0 / 1440
        number = measure.take(LEVEL, level + noise.gauss(0.0, 0.3), minute * MIN)
        days = minute / 1440
        if days > 0.6 and number is None:
            unknown.append(days)
        elif days > 1.0 and number is not None:
            assert number == pytest.approx((level - 20.0) / 3.0, rel=0.35)
        if 2.0 < days < 4.0 or days > 6.0:
            assert number == pytest.approx((level - 20.0) / 3.0, rel=0.15)
    assert 4.0 <= unknown[0] < 4.01
    assert unknown[-1] - unknown[0] < 0.25 + 90 / 1440
    assert len(unknown) == pytest.approx((unknown[-1] - unknown[0]) * 1440, abs=2)


def test_a_fill_with_a_pause_is_one() -> None:
    """The little that follows after the pause is less than a refill, and must not count against the consumption."""
    measure, numbers = DaysLeft(LEVEL, 20.0, 86_400), []
    for minute in range(2 * 1440, 3 * 1440):
        filled = 0.0 if minute < 3000 else 20.0 if minute < 3020 else 22.0
        numbers.append(measure.take(LEVEL, 70.0 + filled - 4.0 * minute / 1440, minute * MIN))
    first = next(n for n in range(300, len(numbers)) if numbers[n] is not None)
    assert numbers[first] == pytest.approx((92.0 - 4.0 * (first / 1440 + 2) - 20.0) / 4.0, rel=0.01)


def test_a_noisy_gauge_is_no_refill() -> None:
    noise, measure, numbers = random.Random(8), DaysLeft(LEVEL, 20.0, 86_400), []
    for minute in range(5 * 1440):
        numbers.append(measure.take(LEVEL, 80.0 - 2.0 * minute / 1440 + noise.gauss(0, 2.0), minute * MIN))
    assert None not in numbers[500:]


def test_a_splash_is_no_refill() -> None:
    measure, numbers = DaysLeft(LEVEL, 20.0, 86_400), []
    for minute in range(0, 3 * 1440, 5):
        splash = 15.0 if minute in (2000, 2005) else 0.0
        numbers.append(measure.take(LEVEL, 80.0 - 3.0 * minute / 1440 + splash, minute * MIN))
    assert None not in numbers[100:]
    assert numbers[-1] == pytest.approx((71.0 - 20.0) / 3.0, rel=0.01)


def test_a_coarse_gauge_that_trembles_is_no_refill() -> None:
    noise, measure, numbers = random.Random(7), DaysLeft(LEVEL, 20.0, 3 * 86_400), []
    for minute in range(0, 9 * 1440, 2):
        numbers.append(measure.take(LEVEL, round(80.0 - 2.0 * minute / 1440 + noise.gauss(0, 0.4)), minute * MIN))
    assert None not in numbers[600:]
    assert numbers[-1] == pytest.approx((62.0 - 20.0) / 2.0, rel=0.1)


def test_a_refill_over_a_gap_is_seen() -> None:
    measure = DaysLeft(LEVEL, 20.0, 86_400)
    for hour in range(48):
        measure.take(LEVEL, 60.0 - hour * 0.25, hour * HOUR)
    numbers = [measure.take(LEVEL, 90.0 - hour * 0.25, hour * HOUR) for hour in range(60, 84)]
    assert numbers[2] is None
    assert numbers[3] == pytest.approx((90.0 - 63 * 0.25 - 20.0) / 6.0, rel=0.05)
    assert numbers[-1] == pytest.approx((90.0 - 83 * 0.25 - 20.0) / 6.0, rel=0.05)


def test_bad_readings_are_passed_over() -> None:
    measure = DaysLeft(LEVEL, 20.0, 86_400)
    numbers = [measure.take(LEVEL, None if hour % 3 else 60.0 - hour / 4, hour * HOUR) for hour in range(49)]
    assert [number for hour, number in enumerate(numbers) if hour % 3] == [None] * 32
    assert numbers[-1] == pytest.approx(28.0 / 6.0, rel=0.06)


def test_a_time_set_back_starts_anew_and_does_not_blind() -> None:
    measure = DaysLeft(LEVEL, 20.0, 86_400)
    for hour in range(48):
        measure.take(LEVEL, 60.0 - hour / 4, 10 * DAY + hour * HOUR)
    numbers = [measure.take(LEVEL, 48.0 - hour / 4, hour * HOUR) for hour in range(24)]
    assert numbers[0] is None
    assert numbers[-1] == pytest.approx((48.0 - 23 / 4 - 20.0) / 6.0, rel=0.1)
