"""What the readings alone show, by definitions written apart from the engine's."""

import pytest
from tests.unit.challenge.made import MINUTE, T0, good, lost, rule

from cultureops.alarms.rule import Kind
from cultureops.challenge.trend import DaysWitness, FillWitness, RateWitness, StuckWitness
from cultureops.challenge.witness import LinkWitness, ValueWitness, VoidWitness
from cultureops.device.reading import Reason


@pytest.mark.parametrize(
    ("kind", "value", "is_beyond", "is_inside"),
    [
        (Kind.HIGH, 38.0, True, False),
        (Kind.HIGH, 37.9, False, False),
        (Kind.HIGH, 37.7, False, True),
        (Kind.LOW, 38.0, True, False),
        (Kind.LOW, 38.1, False, False),
        (Kind.LOW, 38.3, False, True),
    ],
)
def test_a_limit_has_two_sides_and_a_band(kind: Kind, value: float, is_beyond: bool, is_inside: bool) -> None:
    witness = ValueWitness(rule(kind), 38.0, 0.2)
    assert not witness.is_beyond and not witness.is_inside
    witness.take(good(value, T0))
    assert (witness.is_beyond, witness.is_inside) == (is_beyond, is_inside)
    witness.take(lost(T0 + MINUTE))
    assert not witness.is_beyond and not witness.is_inside


def test_a_distance_needs_both() -> None:
    witness = ValueWitness(rule(Kind.DISAGREEMENT, reference="inc/sister", limit=1.0), 1.0, 0.2)
    witness.take(good(37.0, T0))
    assert not witness.is_inside
    witness.take(good(35.9, T0, "inc/sister"))
    assert witness.is_beyond


def test_one_channel_that_comes_through_is_an_answer() -> None:
    witness = LinkWitness("inc")
    witness.take(lost(T0, "inc/co2"))
    assert witness.is_beyond
    witness.take(good(37.0, T0))
    witness.take(lost(T0, "inc/o2"))
    assert witness.is_inside
    witness.take(lost(T0 + 1, reason=Reason.SENTINEL))
    assert witness.is_inside
    witness.take(lost(T0 + 2, "incubator/co2"))
    assert witness.is_inside


def test_void() -> None:
    witness = VoidWitness("inc/temperature")
    assert not witness.is_beyond
    witness.take(lost(T0, reason=Reason.OUT_OF_RANGE))
    assert witness.is_beyond


def test_rate() -> None:
    witness = RateWitness(rule(Kind.RATE, limit=0.5, deadband=0.1, window_s=300.0))
    for minute in range(10):
        witness.take(good(37.0, T0 + minute * MINUTE))
    assert witness.is_inside
    for minute in range(10, 17):
        witness.take(good(37.0 - 0.6 * (minute - 9), T0 + minute * MINUTE))
    assert witness.is_beyond


def test_a_quiet_sensor_is_stuck_only_if_something_moved() -> None:
    stuck = rule(Kind.STUCK, limit=0.02, reference="inc/door", window_s=3600.0, settle_s=300.0)
    for door_at, is_beyond in ((None, False), (20, True), (58, False)):
        witness = StuckWitness(stuck)
        for minute in range(61):
            witness.take(good(float(minute == door_at), T0 + minute * MINUTE, "inc/door"))
            witness.take(good(37.0, T0 + minute * MINUTE))
        assert witness.is_beyond is is_beyond


def test_days_left_follow_the_fall_since_the_refill() -> None:
    days = rule(Kind.DAYS_LEFT, limit=3.0, deadband=0.5, reference_limit=20.0, window_s=4 * 3600.0)
    witness = DaysWitness(days)
    at = T0
    for step in range(60):
        at += 5 * MINUTE
        witness.take(good(70.0 - 25.0 * step * 5 / 1440, at))
    assert witness.is_beyond  # 48 above what must be left, 25 a day
    for _ in range(60):
        at += 5 * MINUTE
        witness.take(good(72.0, at))
    assert witness.is_inside


def test_a_fill_is_slow_beside_those_before_it() -> None:
    witness = FillWitness(rule(Kind.FILL_TIME, limit=1.5, deadband=0.0))
    at = T0
    for length in (4, 4, 5, 5):
        for state in [1.0] * length + [0.0]:
            at += MINUTE
            witness.take(good(state, at))
            assert not witness.is_beyond
    for _ in range(8):
        at += MINUTE
        witness.take(good(1.0, at))
    assert witness.is_beyond
