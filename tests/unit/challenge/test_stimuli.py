"""What is put on the wire for each kind of rule: beyond its limit and no further than need be, within the sensor."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.challenge.made import measured, room, rule

from cultureops.alarms.rule import Kind, Level
from cultureops.challenge.plan import plan
from cultureops.challenge.room import NoRoom
from cultureops.challenge.stimuli import STIMULI
from cultureops.challenge.stimulus import Excused, Stimulus, Verdict, Why


def test_every_kind_has_a_stimulus() -> None:
    assert set(STIMULI) == set(Kind)


def test_high_rests_where_the_twin_does_and_goes_beyond_by_more_than_the_resolution() -> None:
    high = rule(limit=38.0)
    stimulus = STIMULI[Kind.HIGH](high, room(high))
    (value,) = stimulus.drive(0.0).values()
    assert stimulus.rest == {"inc/temperature": 37.0} and value == pytest.approx(38.01)
    assert stimulus.short[0] == {"inc/temperature": pytest.approx(37.99)} and stimulus.short_s == 720.0
    assert stimulus.within == {"inc/temperature": pytest.approx(37.9)}
    assert stimulus.raise_within_s == (600.0, 661.0) and stimulus.clear_within_s == (120.0, 181.0)


def test_a_warning_is_driven_short_of_its_alarm() -> None:
    warning, alarm = rule(limit=38.0, level=Level.WARNING), rule(limit=38.1)
    stimulus = STIMULI[Kind.HIGH](warning, room(warning, alarm))
    assert stimulus.drive(0.0)["inc/temperature"] == pytest.approx(38.01)
    assert stimulus.farther[-1]["inc/temperature"] == pytest.approx(38.05)


@settings(max_examples=80)
@given(
    low=st.floats(-19.0, 40.0),
    span=st.floats(0.0, 40.0),
    deadband=st.floats(0.0, 3.0),
    natural=st.floats(-20.0, 100.0),
)
def test_rest_is_inside_every_limit_or_refused(low: float, span: float, deadband: float, natural: float) -> None:
    rules = rule(Kind.LOW, limit=low, deadband=deadband), rule(limit=low + span, deadband=deadband)
    there = room(*rules, natural={"inc/temperature": natural})
    try:
        rest = there.rest("inc/temperature")
    except NoRoom:
        assert span <= 2 * deadband + 0.2
    else:
        assert low + deadband < rest < low + span - deadband


@settings(max_examples=80)
@given(limit=st.floats(-25.0, 105.0), kind=st.sampled_from([Kind.HIGH, Kind.LOW]), deadband=st.floats(0.0, 5.0))
def test_the_driven_value_is_beyond_the_limit_and_can_be_measured(limit: float, kind: Kind, deadband: float) -> None:
    one = rule(kind, limit=limit, deadband=deadband)
    planned = plan(one, room(one), {}, {}, "cultureops")
    if isinstance(planned, Excused):
        assert not -20.0 <= limit <= 100.0
        return
    (value,) = planned.drive(0.0).values()
    assert -20.0 <= value <= 100.0
    assert value >= limit if kind is Kind.HIGH else value <= limit


def test_what_the_twin_shows_beyond_the_limits_is_brought_to_rest() -> None:
    cold = rule(limit=8.0, deadband=0.5), rule(Kind.LOW, limit=2.0, deadband=0.5)
    there = room(*cold, natural={"inc/temperature": 21.5})
    assert there.at_rest(["inc/temperature"]) == {"inc/temperature": 5.0}


def test_states_rest_where_no_alarm_stands() -> None:
    mains = rule(Kind.LOW, channel="inc/door", limit=0.5, deadband=0.0)
    stimulus = STIMULI[Kind.LOW](mains, room(mains))
    assert stimulus.rest == {"inc/door": 1.0} and stimulus.drive(0.0) == {"inc/door": 0.0}
    assert room().at_rest(["inc/door", "inc/temperature"]) == {"inc/door": 0.0}


def test_deviation_stays_inside_the_limit_alarms_where_it_can() -> None:
    deviation = rule(Kind.DEVIATION, limit=0.8, deadband=0.1, reference="inc/temperature_setpoint", settle_s=1800.0)
    high = rule(limit=37.9, deadband=0.2)
    stimulus = STIMULI[Kind.DEVIATION](deviation, room(deviation, high))
    shown = stimulus.drive(0.0)
    assert shown["inc/temperature_setpoint"] == 37.0 and shown["inc/temperature"] < 36.2
    assert stimulus.rest_s >= 1800.0


def test_a_rate_runs_the_other_way_where_the_sensor_ends() -> None:
    rate = rule(Kind.RATE, limit=1.0, deadband=0.1, window_s=300.0)
    narrow = room(rate, channels=(measured(bounds=(-20.0, 40.0)),))
    stimulus = STIMULI[Kind.RATE](rate, narrow)
    assert stimulus.drive(60.0)["inc/temperature"] == pytest.approx(35.5)
    with pytest.raises(NoRoom, match="can't run away"):
        STIMULI[Kind.RATE](rate, room(rate, channels=(measured(bounds=(36.0, 38.0)),)))


def test_a_stuck_sensor_is_flat_while_the_door_opens_for_a_moment() -> None:
    stuck = rule(Kind.STUCK, limit=0.02, reference="inc/door", window_s=3600.0, settle_s=300.0, deadband=0.0)
    stimulus = STIMULI[Kind.STUCK](stuck, room(stuck))
    shown = [stimulus.drive(60.0 * minute) for minute in range(70)]
    assert len({row["inc/temperature"] for row in shown}) == 1
    assert sum(row["inc/door"] for row in shown) == 1
    assert abs(shown[0]["inc/temperature"] - stimulus.rest["inc/temperature"]) >= 0.02


def test_fills_end_three_times_and_then_no_more() -> None:
    fill = rule(Kind.FILL_TIME, channel="inc/door", limit=1.5, deadband=0.0)
    stimulus = STIMULI[Kind.FILL_TIME](fill, room(fill))
    shown = [stimulus.drive(60.0 * minute)["inc/door"] for minute in range(60)]
    ends = sum(before > after for before, after in itertools.pairwise(shown))
    assert ends == 3 and set(shown[32:]) == {1.0}


def test_no_data_is_shown_as_what_can_not_be_measured_or_by_silence() -> None:
    no_data = rule(Kind.NO_DATA, limit=None, on_delay_s=180.0)
    bounded = STIMULI[Kind.NO_DATA](no_data, room(no_data))
    assert bounded.drive(0.0)["inc/temperature"] > 100.0 and bounded.silences is None
    assert bounded.raise_within_s == (120.0, 181.0)
    boundless = STIMULI[Kind.NO_DATA](no_data, room(no_data, channels=(measured(bounds=None),)))
    assert boundless.silences == "inc"


def test_what_is_not_driven_is_listed_with_the_reason() -> None:
    def excused(one: Excused | Stimulus) -> tuple[Why, str]:
        assert isinstance(one, Excused)
        return one.why, one.reason

    there = room()
    assert excused(plan(rule(batch="COI-7F3K2"), there, {}, {}, "cultureops"))[0] is Why.BY_INSPECTION
    assert excused(plan(rule(device="cultureops"), there, {}, {}, "cultureops"))[0] is Why.BY_INSPECTION
    assert excused(plan(rule(), there, {}, {"inc": "no simulator speaks it"}, "cultureops")) == (
        Why.NO_SIMULATOR,
        "no simulator speaks it",
    )
    not_shown = plan(rule(), there, {"inc/temperature": "is not shown"}, {}, "cultureops")
    assert excused(not_shown) == (Why.NOT_POSSIBLE, "is not shown")
    assert isinstance(not_shown, Excused) and not_shown.verdict is Verdict.NOT_CHALLENGED
    out_of_reach = plan(rule(limit=math.inf), there, {}, {}, "cultureops")
    assert "outside what the instrument can measure" in excused(out_of_reach)[1]
