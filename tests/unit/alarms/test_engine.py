"""Delays, deadband, lost values, lost communication and acknowledgement, one story each."""

from dataclasses import replace

import pytest

from cultureops.alarms import Act, AlarmError, Engine, Kind, Priority, Rule, State, Transition
from cultureops.alarms.watch import LimitWatch
from cultureops.device.reading import Quality, Reading, Reason, bad_reading
from cultureops.errors import ConfigError, CultureOpsError

S = 1000
T0 = 1_767_600_000_000
CO2_LOW = Rule(
    id="incubator_1/co2/low",
    chamber="left",
    channel="incubator_1/co2",
    device="incubator_1",
    kind=Kind.LOW,
    limit=4.0,
    unit="%",
    deadband=0.2,
    on_delay_s=120,
    off_delay_s=60,
    misses=3,
    priority=Priority.HIGH,
    gmp_critical=True,
    consequence="The medium turns alkaline.",
    response="Change the cylinder.",
)
HOT = replace(CO2_LOW, id="incubator_1/temperature/high", channel="incubator_1/temperature", kind=Kind.HIGH, limit=38.0)
LINK = replace(
    CO2_LOW,
    id="incubator_1/communication",
    channel=None,
    kind=Kind.COMMUNICATION,
    limit=None,
    unit="",
    deadband=0.0,
    on_delay_s=0.0,
    off_delay_s=0.0,
)
LINK_2 = replace(LINK, id="incubator_2/communication", device="incubator_2", chamber="right")


def co2(value: float, at_s: float, quality: Quality = Quality.GOOD) -> Reading:
    at = T0 + round(at_s * S)
    reason = Reason.NONE if quality is Quality.GOOD else Reason.UNVERIFIED
    return Reading("incubator_1/co2", value, quality, reason, at, at)


def lost(channel: str, at_s: float, reason: Reason = Reason.TIMEOUT) -> Reading:
    return bad_reading(channel, reason, T0 + round(at_s * S), T0 + round(at_s * S))


def fed(engine: Engine, *readings: Reading) -> list[tuple[State, float]]:
    """Feed one reading per call and return (state entered, seconds)."""
    changes: list[Transition] = []
    for reading in readings:
        changes += engine.evaluate([reading])
    return [(change.to_state, (change.at - T0) / S) for change in changes]


def test_raise_needs_the_whole_on_delay_and_clear_the_whole_off_delay() -> None:
    engine = Engine([CO2_LOW])
    assert fed(engine, co2(3.9, 0), co2(3.9, 60), co2(3.9, 119.999)) == []
    assert fed(engine, co2(3.9, 120)) == [(State.UNACK, 120)]
    assert fed(engine, co2(4.1, 180), co2(4.2, 240), co2(4.201, 300), co2(4.3, 359.999)) == []
    assert fed(engine, co2(4.3, 360)) == [(State.RTN_UNACK, 360)]


def test_the_limit_itself_raises_and_the_edge_of_the_deadband_does_not_clear() -> None:
    engine = Engine([replace(CO2_LOW, on_delay_s=0, off_delay_s=0)])
    assert fed(engine, co2(4.0001, 0), co2(4.0, 1)) == [(State.UNACK, 1)]
    assert fed(engine, co2(4.2, 2), co2(4.2000001, 3)) == [(State.RTN_UNACK, 3)]


def test_high_side_mirrors_the_low_side() -> None:
    engine = Engine([replace(HOT, on_delay_s=0, off_delay_s=0)])
    hot = [co2(value, at)._replace(channel="incubator_1/temperature") for at, value in enumerate((37.99, 38, 37.8))]
    assert fed(engine, *hot) == [(State.UNACK, 1)]
    assert fed(engine, co2(37.79, 9)._replace(channel="incubator_1/temperature")) == [(State.RTN_UNACK, 9)]


def test_one_sample_inside_starts_the_on_delay_anew() -> None:
    engine = Engine([CO2_LOW])
    assert fed(engine, co2(3, 0), co2(3, 60), co2(4.01, 110), co2(3, 120), co2(3, 180)) == []
    assert fed(engine, co2(3, 240)) == [(State.UNACK, 240)]


def test_chattering_around_the_limit_raises_nothing_and_around_the_deadband_clears_nothing() -> None:
    engine = Engine([CO2_LOW])
    assert fed(engine, *(co2(3.9 if n % 2 else 4.1, 10 * n) for n in range(1, 1001))) == []
    start = 20_000
    assert fed(engine, co2(3.9, start), co2(3.9, start + 120)) == [(State.UNACK, start + 120)]
    assert fed(engine, *(co2(3.9 if n % 2 else 4.5, start + 200 + 10 * n) for n in range(1000))) == []
    assert [view.state for view in engine.active()] == [State.UNACK]


def test_a_lost_value_keeps_the_delay_running_but_only_a_value_ends_it() -> None:
    engine = Engine([CO2_LOW])
    assert fed(engine, co2(3, 0), lost("incubator_1/co2", 60), lost("incubator_1/co2", 180)) == []
    assert engine.tick(T0 + 200 * S) == ()
    assert fed(engine, co2(3, 240)) == [(State.UNACK, 240)]
    assert fed(engine, co2(5, 300), lost("incubator_1/co2", 360)) == []
    assert engine.tick(T0 + 1000 * S) == ()
    assert fed(engine, co2(5, 1001)) == [(State.RTN_UNACK, 1001)]


def test_delays_complete_at_the_next_tick_and_only_once() -> None:
    engine = Engine([CO2_LOW])
    assert fed(engine, co2(3, 0)) == []
    assert engine.tick(T0 + 120 * S - 1) == ()
    (raised,) = engine.tick(T0 + 120 * S)
    assert (raised.to_state, raised.at, raised.since, raised.value) == (State.UNACK, T0 + 120 * S, T0, 3.0)
    assert engine.tick(T0 + 121 * S) == ()


def test_an_uncertain_value_counts_like_a_good_one() -> None:
    engine = Engine([CO2_LOW])
    assert fed(engine, co2(3, 0, Quality.UNCERTAIN), co2(3, 120, Quality.UNCERTAIN)) == [(State.UNACK, 120)]


def test_source_time_counts_not_the_time_of_receipt() -> None:
    engine = Engine([CO2_LOW])
    late = [co2(3, at)._replace(received_time=T0 + 9_999 * S) for at in (0, 60, 119)]
    assert fed(engine, *late) == []


def test_a_clock_set_back_delays_an_alarm_but_never_blinds_it() -> None:
    engine = Engine([CO2_LOW])
    hour = 3600
    assert fed(engine, co2(3, hour), co2(3, 0), co2(3, 60)) == []
    assert fed(engine, co2(3, 120)) == [(State.UNACK, 120)]


def test_several_samples_of_one_channel_in_one_call_count_each() -> None:
    engine = Engine([CO2_LOW])
    changes = engine.evaluate([co2(3, 0), co2(3, 120), co2(5, 180), co2(5, 240), co2(3, 300), co2(3, 420)])
    assert [change.to_state for change in changes] == [State.UNACK, State.RTN_UNACK, State.UNACK]
    assert changes[2].raised_at == T0 + 420 * S


def test_views_follow_the_alarm() -> None:
    engine = Engine([CO2_LOW, HOT])
    assert engine.active() == ()
    fed(engine, co2(3, 0), co2(2.5, 120), co2(2, 180))
    (view,) = engine.active()
    assert (view.rule, view.state, view.value) == (CO2_LOW, State.UNACK, 2.0)
    assert (view.since, view.raised_at, view.returned_at) == (T0, T0 + 120 * S, None)
    engine.acknowledge(CO2_LOW.id, T0 + 200 * S, Act("op-7", "cylinder empty, changing it"))
    (view,) = engine.active()
    assert (view.state, view.acknowledged_by) == (State.ACK, "op-7")
    fed(engine, co2(5, 240), co2(5, 300))
    assert engine.active() == ()


def test_a_new_activation_forgets_the_acknowledgement_of_the_one_before() -> None:
    engine = Engine([CO2_LOW])
    fed(engine, co2(3, 0), co2(3, 120))
    engine.acknowledge(CO2_LOW.id, T0 + 130 * S, Act("op-7", "seen"))
    fed(engine, co2(5, 200), co2(5, 260), co2(3, 300), co2(3, 420))
    (view,) = engine.active()
    assert (view.state, view.acknowledged_by, view.raised_at) == (State.UNACK, None, T0 + 420 * S)


def test_acknowledging_a_returned_alarm_clears_it() -> None:
    engine = Engine([CO2_LOW])
    fed(engine, co2(3, 0), co2(3, 120), co2(5, 180), co2(5, 240))
    change = engine.acknowledge(CO2_LOW.id, T0 + 999 * S, Act(" op-7 ", " door was open "))
    assert (change.from_state, change.to_state) == (State.RTN_UNACK, State.NORMAL)
    assert (change.actor_id, change.reason, change.at) == ("op-7", "door was open", T0 + 999 * S)
    assert engine.active() == ()


def test_what_cannot_be_acknowledged_is_refused_and_changes_nothing() -> None:
    engine = Engine([CO2_LOW])
    with pytest.raises(AlarmError, match="there is no alarm 'nowhere'"):
        engine.acknowledge("nowhere", T0, Act("op-7", "seen"))
    with pytest.raises(AlarmError, match="is normal; there is nothing to acknowledge"):
        engine.acknowledge(CO2_LOW.id, T0, Act("op-7", "seen"))
    fed(engine, co2(3, 0), co2(3, 120))
    for actor_id, reason in (("", "seen"), ("op-7", " ")):
        with pytest.raises(AlarmError, match="needs a name and a reason"):
            engine.acknowledge(CO2_LOW.id, T0, Act(actor_id, reason))
    assert engine.active()[0].state is State.UNACK
    engine.acknowledge(CO2_LOW.id, T0, Act("op-7", "seen"))
    with pytest.raises(CultureOpsError, match="was acknowledged by op-7"):
        engine.acknowledge(CO2_LOW.id, T0, Act("op-8", "seen too"))


def test_communication_is_lost_after_three_polls_in_a_row_and_back_with_the_first_good_one() -> None:
    engine = Engine([LINK])
    assert fed(engine, *(lost("incubator_1/co2", at) for at in (0, 60))) == []
    (raised,) = engine.evaluate([lost("incubator_1/co2", 120, Reason.NOT_CONNECTED)])
    assert (raised.to_state, raised.at, raised.since, raised.value) == (State.UNACK, T0 + 120 * S, T0, None)
    assert raised.cause == "3 polls missed in a row: no link to the device"
    assert fed(engine, lost("incubator_1/co2", 180)) == []
    assert fed(engine, co2(5, 240)) == [(State.RTN_UNACK, 240)]
    assert fed(engine, lost("incubator_1/co2", 300), lost("incubator_1/co2", 360), co2(5, 420)) == []


@pytest.mark.parametrize("answer_first", [True, False])
def test_one_channel_that_came_through_makes_the_poll_a_good_one(answer_first: bool) -> None:
    engine = Engine([LINK])
    for at in range(0, 600, 60):
        poll = [co2(5, at), lost("incubator_1/door", at, Reason.NOT_DELIVERED), lost("incubator_1/o2", at)]
        assert engine.evaluate(poll if answer_first else poll[::-1]) == ()


@pytest.mark.parametrize("reason", [Reason.DEVICE_FAULT, Reason.SENTINEL, Reason.OUT_OF_RANGE, Reason.NOT_FINITE])
def test_a_device_that_answers_nonsense_still_answers(reason: Reason) -> None:
    engine = Engine([LINK])
    assert fed(engine, *(lost("incubator_1/co2", at, reason) for at in range(0, 600, 60))) == []


def test_mixed_devices_are_counted_each_on_its_own() -> None:
    engine = Engine([LINK, LINK_2])
    changes: list[Transition] = []
    for at in range(0, 240, 60):
        readings = [lost("incubator_2/co2", at), co2(5, at), lost("incubator_2/temperature", at)]
        changes += engine.evaluate(readings if at != 60 else readings[1:2])  # incubator_2 is not polled at 60 s
    assert [(change.rule.id, change.at) for change in changes] == [("incubator_2/communication", T0 + 180 * S)]


def test_a_poll_of_many_channels_is_one_miss_and_two_polls_in_one_call_are_two() -> None:
    engine = Engine([LINK])
    names = ("co2", "temperature", "humidity", "door")
    assert engine.evaluate([lost(f"incubator_1/{name}", 0) for name in names]) == ()
    (raised,) = engine.evaluate([lost(f"incubator_1/{name}", at) for at in (60, 120) for name in names])
    assert raised.at == T0 + 120 * S


def test_a_limit_alarm_and_a_cut_cable_at_once() -> None:
    engine = Engine([CO2_LOW, LINK])
    fed(engine, co2(3, 0), co2(3, 120))
    assert fed(engine, *(lost("incubator_1/co2", at) for at in (180, 240, 300, 360))) == [(State.UNACK, 300)]
    assert [view.rule.id for view in engine.active()] == [CO2_LOW.id, LINK.id]


def test_readings_that_no_rule_speaks_of_pass() -> None:
    engine = Engine([CO2_LOW])
    assert engine.evaluate([co2(99, 0)._replace(channel="batch:b-1/viability"), lost("x/y", 0)]) == ()
    assert Engine([]).evaluate([co2(0, 0)]) == ()


def test_refilled_readings_continue_a_delay_without_changing_a_state() -> None:
    engine = Engine([CO2_LOW, LINK_2])
    engine.refill([co2(3, 0), co2(3, 60), *(lost("incubator_2/co2", at) for at in (0, 60))])
    assert engine.active() == ()
    changes = engine.evaluate([co2(3, 120), lost("incubator_2/co2", 120)])
    assert [(change.rule.id, change.since) for change in changes] == [(CO2_LOW.id, T0), (LINK_2.id, T0)]


def test_a_lost_value_at_the_end_of_the_refill_waits_for_a_value_too() -> None:
    engine = Engine([CO2_LOW])
    engine.refill([co2(3, 0), lost("incubator_1/co2", 60)])
    assert engine.tick(T0 + 500 * S) == ()
    assert fed(engine, co2(3, 501)) == [(State.UNACK, 501)]


def test_rules_that_cannot_be_watched_are_refused() -> None:
    with pytest.raises(ConfigError, match="given twice"):
        Engine([CO2_LOW, CO2_LOW])
    with pytest.raises(ValueError, match="needs a limit"):
        Engine([replace(CO2_LOW, limit=None)])
    with pytest.raises(ValueError, match="no change is pending"):
        LimitWatch(1.0, 4.0, 4.0, 0.0, 0.0).flip()
