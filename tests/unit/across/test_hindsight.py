"""Late transitions: what matters now is told as it happened, what is over is told once."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.notify.stock import CRITICAL, START, acknowledged, moved, raised, returned, rule

from cultureops.across.hindsight import LATE_MS, LONGEST_MS, QUIET_MS, Hindsight
from cultureops.alarms.state import State
from cultureops.clock import HOUR_MS, MINUTE_MS

HIGH = rule()
NOW = START + HOUR_MS


def test_what_is_fresh_is_told_at_once() -> None:
    hindsight, fresh = Hindsight(), [raised(HIGH, NOW - LATE_MS), returned(HIGH, NOW, NOW - LATE_MS)]
    assert hindsight.take(fresh, NOW) == fresh and hindsight.tick(NOW + HOUR_MS) == ([], [])


def test_what_is_over_is_past_and_the_last_activation_of_it_is_told() -> None:
    hindsight = Hindsight()
    cycle = [raised(HIGH, START), returned(HIGH, START + MINUTE_MS, START), raised(HIGH, START + 2 * MINUTE_MS)]
    ended = returned(HIGH, START + 5 * MINUTE_MS, START + 2 * MINUTE_MS)
    assert hindsight.take([*cycle, ended], NOW) == [] and hindsight.tick(NOW + QUIET_MS - 1) == ([], [])
    assert hindsight.tick(NOW + QUIET_MS) == ([], [(cycle[2], ended)])
    assert hindsight.tick(NOW + HOUR_MS) == ([], [])


def test_what_still_stands_is_told_as_it_happened() -> None:
    hindsight = Hindsight()
    story = [raised(HIGH, START), returned(HIGH, START + 1, START), raised(HIGH, START + 2)]
    hindsight.take(story[:2], NOW)
    assert hindsight.take(story[2:], NOW + 1) == [], "what comes behind late ones waits with them"
    assert hindsight.tick(NOW + 1 + QUIET_MS) == (story, [])


def test_a_critical_alarm_that_nobody_acknowledged_is_not_past() -> None:
    hindsight, story = Hindsight(), [raised(CRITICAL, START), returned(CRITICAL, START + 1, START)]
    hindsight.take(story, NOW)
    assert hindsight.tick(NOW + QUIET_MS) == (story, [])
    over = [*story, moved(CRITICAL, State.RTN_UNACK, State.NORMAL, START + 2, raised_at=START, by="op-1")]
    hindsight.take(over, NOW)
    assert hindsight.tick(NOW + QUIET_MS) == ([], [(over[0], over[2])])


def test_what_was_known_before_goes_on() -> None:
    hindsight = Hindsight()
    story = [returned(HIGH, START, START - 1), acknowledged(HIGH, START + 1, START - 1)]
    hindsight.take(story, NOW)
    assert hindsight.tick(NOW + QUIET_MS) == (story, [])


def test_a_flood_is_told_at_the_latest_after_its_time() -> None:
    hindsight = Hindsight()
    for at in range(NOW, NOW + LONGEST_MS, QUIET_MS // 2):
        hindsight.take([raised(HIGH, START)], at)
        assert hindsight.tick(at) == ([], [])
    assert len(hindsight.tick(NOW + LONGEST_MS)[0]) == 30


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2 * LATE_MS), st.integers(0, 3000)), max_size=30))
def test_nothing_is_lost_and_each_alarm_keeps_its_order(steps: list[tuple[str, int, int]]) -> None:
    hindsight, told, now = Hindsight(), [], NOW
    given_ = []
    for number, (name, age, pause) in enumerate(steps):
        now += pause
        one = replace(raised(rule(f"{name}/x/high"), now - age), value=float(number))
        given_.append(one)
        told += hindsight.take([one], now) + hindsight.tick(now)[0]
    live, past = hindsight.tick(now + HOUR_MS)
    told += live
    assert past == [] and sorted(told, key=lambda one: one.value or 0) == given_
    for name in "abc":
        own = [one for one in told if one.rule.id.startswith(name)]
        assert own == [one for one in given_ if one.rule.id.startswith(name)]
