"""Each alarm's drills against the engine itself, whole and broken: what a challenge must find before QA believes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from tests.unit.challenge.broken import Breaking, bad_restarts, door_for_ever, only_in, raises_once, shifted
from tests.unit.challenge.made import MINUTE, T0, good, lost, measured, room, rule

from cultureops.alarms.alarm import Act, Transition
from cultureops.alarms.engine import Engine
from cultureops.alarms.rule import Kind, Rule, Suppressor
from cultureops.alarms.state import State
from cultureops.challenge.drill import with_drills
from cultureops.challenge.drilling import Drilling
from cultureops.challenge.result import Change, Result, Verdict, result_row
from cultureops.challenge.room import Room
from cultureops.challenge.stimuli import STIMULI
from cultureops.challenge.stimulus import Drill, Stimulus
from cultureops.challenge.trial import Trial
from cultureops.device.channel import Kind as ChannelKind
from cultureops.device.reading import Reading, Reason

DOOR = Suppressor("inc/door", 600.0, 1800.0)
CO2 = rule(
    Kind.LOW,
    id="inc/co2/low",
    channel="inc/co2",
    limit=4.0,
    unit="%",
    on_delay_s=300.0,
    suppressors=(DOOR,),
    realarm_s=900.0,
)


def there(*rules: Rule) -> Room:
    rows = (
        measured(),
        measured("co2", bounds=(0.0, 20.0)),
        measured("door", kind=ChannelKind.STATE, bounds=(0.0, 1.0), decimals=0),
    )
    return room(*rules, natural={"inc/temperature": 37.0, "inc/co2": 5.0, "inc/door": 0.0}, channels=rows)


def stimulus_of(one: Rule) -> Stimulus:
    space = there(one)
    (stimulus,) = with_drills([STIMULI[one.kind](one, space)], space, ())
    return stimulus


class Laboratory:
    """An engine with one rule, a device polled each minute, and people who do what a trial wants."""

    def __init__(self, one: Rule) -> None:
        self.rule, self.engine, self.now, self.position = one, Engine([one]), T0, 0
        self.shown = {"inc/temperature": 37.0, "inc/co2": 5.0, "inc/door": 0.0}

    @property
    def state(self) -> State:
        view = self.engine.view(self.rule.id)
        assert view is not None
        return view.state

    def readings(self) -> tuple[Reading, ...]:
        bounds = {name: row.channel.valid_range for name, row in there(self.rule)._channels.items()}
        return tuple(
            good(value, self.now, channel)
            if (bounds[channel] or (value, value))[1] >= value
            else lost(self.now, channel, Reason.OUT_OF_RANGE)
            for channel, value in self.shown.items()
        )

    def tell(self, trial: Trial | Drilling, found: Iterable[Transition]) -> None:
        for one in found:
            self.position += 1
            trial.hear(Change(one.rule.id, "incubator_1", one.from_state, one.to_state, self.now, self.position))

    def answer(self, trial: Trial | Drilling) -> None:
        wish, act = trial.wish(self.now), Act("challenge", "test", "challenge-2")
        engine, name = self.engine, self.rule.id
        if wish.shelve_s is not None:
            until = self.now + round(wish.shelve_s * 1000)
            self.tell(trial, [engine.shelve(name, self.now, act, until)])
        elif wish.acknowledge and self.state.wants_acknowledgement:
            self.tell(trial, [engine.acknowledge(name, self.now, act)])
        trial.look(self.now, self.state)

    def run(self, trial: Trial | Drilling, polls: int = 300) -> None:
        until, next_poll = self.now + polls * MINUTE, self.now + MINUTE
        while not trial.is_over and self.now < until:
            self.answer(trial)
            self.shown |= trial.wish(self.now).show
            soon = trial.next_instant(self.now)
            self.now = min(next_poll, soon if soon is not None and soon > self.now else next_poll)
            if self.now == next_poll:
                next_poll += MINUTE
                readings = self.readings()
                self.tell(trial, self.engine.evaluate(readings))
                for reading in readings:
                    trial.take(reading)
            self.tell(trial, self.engine.tick(self.now))
            trial.look(self.now, self.state)


def challenge(one: Rule) -> Result:
    """Challenge one rule, trial and drills, as a lane does."""
    laboratory = Laboratory(one)
    trial = Trial(stimulus_of(one), laboratory.now, ())
    laboratory.run(trial)
    if trial.result.verdict is Verdict.PASS:
        laboratory.run(Drilling(trial.result, laboratory.now, ()))
    return trial.result


def test_a_sound_engine_is_drilled_in_everything() -> None:
    result = challenge(CO2)
    assert result.verdict is Verdict.PASS, result.reason
    assert result.shown == set(Drill)
    row = result_row(result)
    assert row["value_just_inside"] == pytest.approx(4.01) and row["value_at_wire"] == pytest.approx(3.99)
    assert set(row["drills"].values()) == {"shown"}  # type: ignore[union-attr]


def test_a_delay_longer_than_the_window_of_the_door_is_told_after_it() -> None:
    result = challenge(replace(CO2, on_delay_s=2400.0))
    assert result.verdict is Verdict.PASS and Drill.DOOR_WINDOW in result.shown


def test_what_was_not_drilled_is_said() -> None:
    rules = CO2, replace(CO2, id="other"), replace(CO2, id="third", suppressors=(), realarm_s=0.0)
    space = there(*rules)
    first, second, third = with_drills([STIMULI[one.kind](one, space) for one in rules], space, ())
    assert first.drills == set(Drill) - {Drill.JUST_INSIDE}
    assert second.drills == {Drill.DOOR_WINDOW} and third.drills == set()
    said = result_row(Result(third))["drills"]
    assert said == {
        "just inside": "not shown",
        "twice": "not shown",
        "bad reading": "not shown",
        "re-alarm": "does not apply",
        "shelving": "not shown",
        "door window": "does not apply",
    }


def test_an_instrument_that_resolves_less_than_its_channel_is_driven_farther() -> None:
    class Coarse(Laboratory):
        def readings(self) -> tuple[Reading, ...]:
            return tuple(good(round(value * 20) / 20, self.now, name) for name, value in self.shown.items())

    laboratory = Coarse(CO2)
    trial = Trial(stimulus_of(CO2), laboratory.now, ())
    laboratory.run(trial)
    assert trial.result.verdict is Verdict.PASS, trial.result.reason
    assert trial.result.shown_value == pytest.approx(3.95) or trial.result.shown_value == 4.0


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (door_for_ever, "beyond the limit behind an open door: still SUPPRESSED_BY_DESIGN"),
        (raises_once, "driven a second time, with one bad reading within the delay: still NORMAL"),
        (bad_restarts, "driven a second time, with one bad reading within the delay: still NORMAL after"),
        (only_in(State.SHELVED), "shelved for 60 s: still SHELVED after 6"),
        (only_in(State.ACK), "acknowledged and still there: still ACK after 90"),
        (shifted(0.004), "not raised within 361 s"),
        (shifted(-0.004), "is UNACK at 4.01 %, which is short of its limit"),
    ],
)
def test_a_broken_engine_is_found(monkeypatch: pytest.MonkeyPatch, break_it: Breaking, said: str) -> None:
    break_it(monkeypatch)
    result = challenge(CO2)
    assert result.verdict is Verdict.FAIL and said in result.reason
