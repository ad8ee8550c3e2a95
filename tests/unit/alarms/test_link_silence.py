"""A device that nobody asks any more is lost too: by time, where polls that could be counted do not come."""

from collections.abc import Iterable

import pytest

from cultureops.alarms import ChamberInfo, rules_from
from cultureops.alarms.alarm import StoredAlarm, Transition
from cultureops.alarms.engine import Engine
from cultureops.alarms.rule import Rule
from cultureops.alarms.state import State
from cultureops.config import parse
from cultureops.device.channel import Channel
from cultureops.device.reading import Quality, Reading, Reason, bad_reading

T0 = 1_770_000_000_000
S = 1000
ROW = """
[[alarm]]
chamber = "incubator_1"
kind = "communication"
priority = "high"
consequence = "x"
response = "y"
"""
LINK = "incubator_1/communication"


def rule_of(period_s: float) -> Rule:
    channels = {"incubator_1": {"co2": Channel("co2", "%")}}
    chamber = ChamberInfo("incubator_1", "incubator", channels, {"incubator_1": period_s} if period_s else {})
    (rule,) = rules_from(parse(ROW, "site.toml").tables("alarm"), {"incubator_1": chamber})
    return rule


def good(at_s: float) -> Reading:
    at = T0 + round(at_s * S)
    return Reading("incubator_1/co2", 5.0, Quality.GOOD, Reason.NONE, at, at)


def lost(at_s: float) -> Reading:
    at = T0 + round(at_s * S)
    return bad_reading("incubator_1/co2", Reason.TIMEOUT, at, at)


def ticked(engine: Engine, seconds: Iterable[float]) -> list[Transition]:
    return [change for second in seconds for change in engine.tick(T0 + round(second * S))]


@pytest.mark.parametrize(
    ("period_s", "silence_s"), [(0.0, 0.0), (1.0, 60.0), (20.0, 60.0), (60.0, 180.0), (300.0, 900.0)]
)
def test_the_silence_that_counts_is_three_periods_and_a_minute_at_least(period_s: float, silence_s: float) -> None:
    assert rule_of(period_s).silence_s == silence_s


@pytest.mark.parametrize(("period_s", "silence_s"), [(5.0, 60), (300.0, 900)])
def test_a_device_that_is_asked_no_more_is_lost_and_back_with_the_first_answer(period_s: float, silence_s: int) -> None:
    engine = Engine([rule_of(period_s)])
    engine.tick(T0)
    engine.evaluate([good(0)])
    assert ticked(engine, range(1, silence_s)) == []
    (raised,) = ticked(engine, range(silence_s, silence_s + 100))
    assert (raised.to_state, raised.at, raised.since) == (State.UNACK, T0 + silence_s * S, T0)
    assert "no poll at all for" in raised.cause
    assert engine.evaluate([lost(silence_s + 200)]) == (), "a poll that brings nothing does not end it"
    (back,) = engine.evaluate([good(silence_s + 201)])
    assert back.to_state is State.RTN_UNACK
    assert len(ticked(engine, range(silence_s + 201, 3 * silence_s + 300))) == 1, "and it can be lost anew"


def test_a_device_that_was_never_asked_counts_from_the_first_tick() -> None:
    assert [change.at for change in ticked(Engine([rule_of(5)]), range(7, 100))] == [T0 + 67 * S]


@pytest.mark.parametrize("reading", [good, lost])
def test_whoever_is_asked_is_not_silent_whatever_comes_of_it(reading) -> None:  # type: ignore[no-untyped-def]
    engine, found = Engine([rule_of(300)]), []
    for second in range(0, 6_000):
        if second % 300 == 7 and (reading is good or second < 900):
            found += engine.evaluate([reading(second)])
        if second == 1_500:
            break
        found += engine.tick(T0 + second * S)
    assert [change.to_state for change in found] == ([] if reading is good else [State.UNACK])
    assert all("polls missed" in change.cause for change in found)


@pytest.mark.parametrize("leap_s", [3_600, -3_600])
def test_a_clock_that_is_set_or_a_machine_that_slept_makes_nobody_silent(leap_s: int) -> None:
    engine = Engine([rule_of(5)])
    for second in range(100):
        engine.evaluate([good(second)])
        assert engine.tick(T0 + second * S) == ()
    assert ticked(engine, range(100 + leap_s, 130 + leap_s)) == []
    engine.evaluate([good(130 + leap_s)])
    assert ticked(engine, range(130 + leap_s, 189 + leap_s)) == []
    assert len(ticked(engine, range(189 + leap_s, 300 + leap_s))) == 1, "what is silent afterwards is told"


def test_a_lab_that_is_stepped_from_poll_to_poll_in_hours_hears_its_devices() -> None:
    engine = Engine([rule_of(60)])
    for hour in range(48):
        assert engine.evaluate([good(3_600 * hour)]) == ()
        assert engine.tick(T0 + 3_600 * S * hour) == ()
    assert len(ticked(engine, range(48 * 3_600, 96 * 3_600, 3_600))) == 1, "but silence for many steps is silence"


def test_what_a_restart_remembers_is_no_silence_and_what_stood_still_stands() -> None:
    engine = Engine([rule_of(5)])
    engine.refill([good(-40_000)])
    assert ticked(engine, range(50)) == []
    woken = Engine([rule_of(5)])
    woken.restore([memory_of(ticked(engine, range(50, 70))[0])])
    assert ticked(woken, range(70, 400)) == []
    assert woken.evaluate([good(400)])[0].to_state is State.RTN_UNACK


def memory_of(raised: Transition) -> StoredAlarm:
    return StoredAlarm(
        raised.rule.id, raised.to_state, raised.since, raised.raised_at, None, None, None, is_active=True
    )


def test_a_rule_without_a_period_is_never_silent() -> None:
    assert ticked(Engine([rule_of(0)]), range(0, 100_000, 50)) == []
