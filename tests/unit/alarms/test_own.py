"""The alarms that every site has: complete, and able to be raised and cleared by what they watch."""

from dataclasses import replace

import pytest

from cultureops.alarms.engine import Engine
from cultureops.alarms.own import (
    NOT_KEPT,
    OWN,
    OwnLimits,
    kept_reading,
    lag_rule,
    own_reading,
    record_rules,
)
from cultureops.alarms.own_machine import (
    CLOCK_JUMP,
    CLOCK_UNSYNCHRONISED,
    DISK_FREE,
    DISK_FREE_SHARE,
    machine_rules,
)
from cultureops.alarms.rule import AlarmClass, Kind, Level, Priority, Rule
from cultureops.alarms.state import State
from cultureops.clock import SECOND_MS
from cultureops.telemetry.mirror_lag import LAG_ID, OWN_DEVICE

START = 1_770_000_000_000
EVERY = (*record_rules(OwnLimits()), lag_rule(LAG_ID, OwnLimits()), *machine_rules(OwnLimits()))


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.id)
def test_each_says_why_what_and_what_to_do(rule: Rule) -> None:
    assert rule.cause and rule.consequence and rule.response and rule.respond_within_s > 0
    assert rule.alarm_class is AlarmClass.SYSTEM and rule.device == rule.chamber == OWN == OWN_DEVICE
    assert rule.channel is not None and rule.channel.startswith("cultureops/")
    assert not rule.gmp_critical, "no batch stands inside the program"


def test_ids_are_there_once_and_name_their_channel() -> None:
    ids = [rule.id for rule in EVERY]
    assert len(set(ids)) == len(ids)
    for rule in set(EVERY) - {NOT_KEPT}:
        suffix = "" if rule.level is Level.ALARM else f"/{rule.level}"
        assert rule.id == f"{rule.channel}/{rule.kind}{suffix}"
    assert NOT_KEPT.id == "cultureops/readings_not_kept", "ledgers know it by this name"


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.id)
def test_each_is_raised_by_its_channel_and_returns(rule: Rule) -> None:
    engine = Engine(EVERY)
    assert rule.channel is not None and rule.limit is not None
    worse, better = (0.5, 2.0) if rule.kind is Kind.LOW else (2.0, 0.0)
    now = START
    for factor, is_active in ((worse, True), (better, False)):
        for _ in range(1_000):
            now += SECOND_MS
            engine.evaluate([own_reading(rule.channel, factor * rule.limit, now)])
        view = engine.view(rule.id)
        assert view is not None and view.is_active is is_active
    assert view.state is State.RTN_UNACK


def test_the_disk_warns_first_and_by_whichever_measure_is_reached() -> None:
    engine = Engine(machine_rules(OwnLimits()))

    def raised(gb: float, pct: float, at: int) -> set[str]:
        now = START + at * SECOND_MS
        readings = [own_reading(DISK_FREE, gb, now), own_reading(DISK_FREE_SHARE, pct, now)]
        engine.evaluate(readings)
        return {view.rule.id for view in engine.active() if view.is_active}

    share, gb = "cultureops/disk_free_share/low", "cultureops/disk_free/low"
    assert raised(100, 50, 0) == set()
    assert raised(100, 9.9, 10) == set(), "a minute is not yet over"
    assert raised(100, 9.9, 70) == {f"{share}/warning"}
    assert raised(0.9, 9.9, 80) == {f"{share}/warning", gb}, "almost full is told at once"
    assert raised(0.9, 9.9, 140) == {f"{share}/warning", gb, f"{gb}/warning"}
    assert raised(100, 50, 150) != set()
    assert raised(100, 50, 220) == set()


def test_a_leap_of_the_clock_is_told_once_and_waits_for_somebody() -> None:
    engine = Engine(machine_rules(OwnLimits()))
    (told,) = engine.evaluate([own_reading(CLOCK_JUMP, 3600.0, START)])
    assert (told.rule.priority, told.to_state, told.value) == (Priority.MEDIUM, State.UNACK, 3600.0)
    for second in range(1, 70):
        engine.evaluate([own_reading(CLOCK_JUMP, 0.0, START + second * SECOND_MS)])
    view = engine.view(told.rule.id)
    assert view is not None and view.state is State.RTN_UNACK


def test_a_machine_that_has_just_started_has_time_to_find_its_time_server() -> None:
    engine = Engine(machine_rules(replace(OwnLimits(), clock_unsynchronised_s=900)))
    for second in range(0, 900, 10):
        assert not engine.evaluate([own_reading(CLOCK_UNSYNCHRONISED, 1.0, START + second * SECOND_MS)])
    assert engine.evaluate([own_reading(CLOCK_UNSYNCHRONISED, 1.0, START + 900 * SECOND_MS)])


def test_the_store_that_fails_is_told_at_once_and_clears() -> None:
    engine = Engine([NOT_KEPT])
    assert [step.to_state for step in engine.evaluate([kept_reading(True, START)])] == [State.UNACK]
    assert [step.to_state for step in engine.evaluate([kept_reading(False, START + 1)])] == [State.RTN_UNACK]
