"""One alarm's challenge against alarms that do what they should, and against every way of not doing it."""

from collections.abc import Callable

import pytest
from tests.unit.challenge.made import MINUTE, T0, good, lost, room, rule

from cultureops.alarms.rule import Kind, Rule
from cultureops.alarms.state import State
from cultureops.challenge.result import result_row
from cultureops.challenge.stimuli import STIMULI
from cultureops.challenge.stimulus import Verdict
from cultureops.challenge.trial import Change, Trial

Decide = Callable[[float | None, float, bool], State | None]


class AlarmOfATest:
    """An alarm with the delays and faults that a test gives it, which sees what the trial shows at each poll."""

    def __init__(
        self, on_s: float = 600.0, off_s: float = 120.0, release: float = 37.8, latching: bool = False
    ) -> None:
        self.state = State.NORMAL
        self.on_s, self.off_s, self.release, self.latching = on_s, off_s, release, latching
        self.since: int | None = None

    def step(self, value: float, now: int) -> State | None:
        is_active = self.state.is_active
        is_changing = value < self.release if is_active else value >= 38.0
        self.since = (self.since or now) if is_changing else None
        if self.since is None or now - self.since < (self.off_s if is_active else self.on_s) * 1000:
            return None
        self.since = None
        if not is_active:
            return State.UNACK
        return State.LATCH_ACK if self.latching else State.NORMAL


def challenge(alarm: AlarmOfATest, one: Rule | None = None, polls: int = 60, *, acknowledges: bool = True) -> Trial:
    """Run a trial with a poll a minute and a look each second where it asks for that."""
    one = rule() if one is None else one
    trial = Trial(STIMULI[Kind.HIGH](one, room(one)), T0, ())
    now, next_poll, position = T0, T0, 0
    while not trial.is_over and now < T0 + polls * MINUTE:
        wish = trial.wish(now)
        wanted = State.ACK if wish.acknowledge and acknowledges else State.NORMAL if wish.reset else None
        is_possible = alarm.state in (State.UNACK, State.LATCH_ACK)
        if wanted is not None and is_possible:
            position += 1
            trial.hear(Change(one.id, "incubator_1", alarm.state, wanted, now, position))
            alarm.state = wanted
            trial.look(now, alarm.state)
            wish = trial.wish(now)
        soon = trial.next_instant(now)
        now = min(next_poll, soon if soon is not None and soon > now else next_poll)
        value = wish.show["inc/temperature"]
        if now == next_poll:
            trial.take(good(value, now))
            next_poll += MINUTE
        if (changed := alarm.step(value, now)) is not None:
            position += 1
            trial.hear(Change(one.id, "incubator_1", alarm.state, changed, now, position))
            alarm.state = changed
        trial.look(now, alarm.state)
    return trial


def test_an_alarm_that_does_what_its_rule_says_passes() -> None:
    trial = challenge(AlarmOfATest())
    assert trial.is_over and trial.result.verdict is Verdict.PASS, trial.result.reason
    row = result_row(trial.result)
    assert row["raise"] == {"delay_s": 600.0, "allowed_s": [600.0, 661.0]}
    assert row["held_within_deadband_s"] == 240.0
    assert row["ledger_positions"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("alarm", "said"),
    [
        (AlarmOfATest(on_s=700), "not raised within 661 s"),
        (AlarmOfATest(on_s=1e9), "not raised within 661 s"),
        (AlarmOfATest(on_s=540), "raised after 540 s, before its delay of 600 s was over"),
        (AlarmOfATest(on_s=0), "raised after 0 s"),
        (AlarmOfATest(off_s=1e9), "not cleared within 181 s"),
        (AlarmOfATest(off_s=60), "cleared after 60 s, before its delay of 120 s was over"),
        (AlarmOfATest(release=38.0), "cleared although the value had not come back beyond the deadband"),
        (AlarmOfATest(latching=True), "is LATCH_ACK after its condition has gone, not NORMAL"),
    ],
)
def test_an_alarm_that_does_not_is_found(alarm: AlarmOfATest, said: str) -> None:
    trial = challenge(alarm)
    assert trial.is_over and trial.result.verdict is Verdict.FAIL
    assert said in trial.result.reason


def test_a_latched_alarm_is_reset_and_one_that_does_not_latch_is_found() -> None:
    latching = rule(latching=True)
    assert challenge(AlarmOfATest(latching=True), latching).result.verdict is Verdict.PASS
    assert "NORMAL after its condition has gone, not latched" in challenge(AlarmOfATest(), latching).result.reason


def test_an_alarm_that_can_not_be_acknowledged_fails() -> None:
    assert "could not be acknowledged" in challenge(AlarmOfATest(), acknowledges=False).result.reason


def test_an_alarm_that_never_rests_fails() -> None:
    alarm = AlarmOfATest()
    alarm.state = State.SUPPRESSED_BY_DESIGN
    alarm.step = lambda value, now: None  # type: ignore[method-assign]
    trial = challenge(alarm, polls=200)
    assert "did not come to rest: it stays SUPPRESSED_BY_DESIGN" in trial.result.reason


def test_a_value_that_never_arrives_is_no_pass() -> None:
    one = rule()
    trial = Trial(STIMULI[Kind.HIGH](one, room(one)), T0, ())
    for minute in range(20):
        trial.take(good(37.0, T0 + minute * MINUTE))
        trial.look(T0 + minute * MINUTE, State.NORMAL)
    assert trial.is_over and trial.result.verdict is Verdict.NOT_CHALLENGED
    assert "no reading showed the condition" in trial.result.reason


def test_a_poll_that_is_missed_disturbs_and_other_alarms_are_noted() -> None:
    one = rule()
    trial = Trial(STIMULI[Kind.HIGH](one, room(one)), T0, ())
    trial.hear(Change("inc/co2/low", "incubator_1", State.NORMAL, State.UNACK, T0, 5))
    trial.take(lost(T0))
    assert trial.result.also_raised == ["inc/co2/low"]
    assert "nobody planned it" in trial.disturbance
