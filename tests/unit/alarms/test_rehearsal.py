"""A rehearsal is as good as an engine that is fed live and ticked every second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.alarms import AlarmError, Engine, Transition
from cultureops.alarms.alarm import Act
from cultureops.alarms.command import AlarmCommand, Order, carry_out
from cultureops.alarms.rehearsal import Poll, Refused, rehearse, with_missed_polls
from cultureops.alarms.rule import Kind, Priority, Rule, Suppressor
from cultureops.clock import Instant
from cultureops.device.reading import Quality, Reading, Reason, bad_reading

T0 = 1_767_600_000_000
VALUE, SETPOINT, DOOR = "trace/value", "trace/value_setpoint", "trace/door"
ACT = Act("anna", "seen", "bert")


def rule(kind: Kind, **more: object) -> Rule:
    settings_of_rule: dict[str, object] = {
        "id": f"trace/value/{kind.value}",
        "chamber": "trace",
        "channel": None if kind is Kind.COMMUNICATION else VALUE,
        "device": "trace",
        "kind": kind,
        "limit": 10.0,
        "unit": "1",
        "deadband": 1.0,
        "on_delay_s": 0.0,
        "off_delay_s": 0.0,
        "misses": 2,
        "priority": Priority.MEDIUM,
        "gmp_critical": False,
        "consequence": "c",
        "response": "r",
    }
    return Rule(**settings_of_rule | more)  # type: ignore[arg-type]


DOOR_OPEN = Suppressor(DOOR, 12.0, 35.0)
RULES = (
    rule(Kind.HIGH, on_delay_s=17.0, off_delay_s=8.0, suppressors=(DOOR_OPEN,)),
    rule(Kind.LOW, limit=3.0, realarm_s=25.0, off_delay_s=23.0),
    rule(Kind.DEVIATION, limit=4.0, reference=SETPOINT, on_delay_s=5.0, latching=True, settle_s=20.0),
    rule(Kind.RATE, limit=30.0, window_s=30.0, deadband=5.0, suppressors=(DOOR_OPEN,)),
    rule(Kind.NO_DATA, limit=None, on_delay_s=31.0, off_delay_s=4.0),
    rule(Kind.COMMUNICATION, limit=None),
)
IDS = [one.id for one in RULES]


def poll(second: int, *cells: float | None) -> Poll:
    at = T0 + second * 1000
    return at, [
        bad_reading(channel, Reason.NOT_DELIVERED, at, at)
        if value is None
        else Reading(channel, value, Quality.GOOD, Reason.NONE, at, at)
        for channel, value in zip((VALUE, SETPOINT, DOOR), cells, strict=False)
    ]


def command(second: int, rule_id: str, order: Order, minutes: float = 0.5, *, one_shot: bool = False) -> AlarmCommand:
    return AlarmCommand(order, rule_id, ACT, T0 + second * 1000, minutes, one_shot)


def live(polls: list[Poll], commands: list[AlarmCommand]) -> Iterator[Transition | Refused]:
    """Feed an engine by hand, second by second: readings, tick, what people do, tick."""
    engine = Engine(RULES)
    first, last = polls[0][0], polls[-1][0]
    for now in range(first, last + 1, 1000):
        for at, readings in polls:
            if at == now:
                yield from engine.evaluate(readings)
        yield from ticked(engine, now)
        for one in commands:
            if one.at == now:
                try:
                    yield carry_out(engine, one, now)
                except AlarmError as error:
                    yield Refused(one, str(error))
                yield from ticked(engine, now)


def ticked(engine: Engine, now: Instant) -> Iterator[Transition]:
    while found := engine.tick(now):
        yield from found


CELLS = st.tuples(
    st.sampled_from([None, 2.0, 3.5, 5.0, 9.5, 10.0, 14.0]),
    st.sampled_from([None, 5.0, 5.0, 9.0]),
    st.sampled_from([None, 0.0, 0.0, 1.0]),
)
STEPS = st.lists(st.tuples(st.sampled_from([0, 1, 5, 10, 10, 10, 10, 20, 47, 90]), CELLS), min_size=1, max_size=40)
ORDERS = st.lists(
    st.builds(
        command,
        st.integers(0, 300),
        st.sampled_from(IDS),
        st.sampled_from(list(Order)),
        st.sampled_from([0.2, 0.5, 1.0]),
        one_shot=st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, ORDERS)
def test_a_rehearsal_equals_an_engine_ticked_every_second(
    steps: list[tuple[int, tuple[float | None, ...]]], orders: list[AlarmCommand]
) -> None:
    polls: list[Poll] = []
    second = 0
    for step_s, cells in steps:
        second += step_s
        polls.append(poll(second, *cells))
    polls = list(with_missed_polls(polls, 10_000, (VALUE, SETPOINT, DOOR), RULES))
    begin, end = polls[0][0], polls[-1][0]
    orders = sorted((one for one in orders if begin <= one.at <= end), key=lambda one: one.at)
    assert list(rehearse(RULES, polls, orders)) == list(live(polls, orders))


def test_a_delay_ends_at_its_own_time_between_two_polls() -> None:
    found = list(rehearse(RULES[:1], [poll(0, 12.0), poll(60, 12.0), poll(120, 12.0)]))
    assert [(one.at - T0, one.to_state.value) for one in found if isinstance(one, Transition)] == [(17_000, "UNACK")]


def test_a_reading_inside_at_the_very_end_of_a_delay_restarts_it() -> None:
    assert list(rehearse(RULES[:1], [poll(0, 12.0), poll(17, 5.0), poll(60, 5.0)])) == []


def test_a_gap_neither_raises_nor_clears() -> None:
    rules = (rule(Kind.HIGH, on_delay_s=25.0),)
    polls = [poll(0, 5.0), poll(10, 12.0), poll(600, 5.0)]
    assert len(list(rehearse(rules, polls))) == 2, "without the missed polls the old value would have raised it"
    assert list(rehearse(rules, with_missed_polls(polls, 10_000, [VALUE], rules))) == []


def test_missed_polls_stand_at_the_usual_period_and_no_more_than_can_be_told_apart() -> None:
    rules = (rule(Kind.COMMUNICATION, misses=4),)
    polls = [poll(0, 5.0), poll(10, 5.0), poll(25, 5.0), poll(55, 5.0), poll(1_000_000, 5.0)]
    found = [at - T0 for at, _ in with_missed_polls(polls, 10_000, [VALUE], rules)]
    assert found == [0, 10_000, 25_000, 35_000, 45_000, 55_000, 65_000, 75_000, 85_000, 95_000, 1_000_000_000]
    assert [poll[0] - T0 for poll in with_missed_polls(polls, 0, [VALUE], rules)] == [0, 10_000, 25_000, 55_000, 10**9]


def test_loss_of_communication_is_raised_within_a_gap_and_ends_with_it() -> None:
    rules = (rule(Kind.COMMUNICATION, misses=3), rule(Kind.NO_DATA, limit=None, on_delay_s=60.0))
    polls = with_missed_polls([poll(0, 5.0), poll(10, 5.0), poll(200, 5.0)], 10_000, [VALUE], rules)
    found = [one for one in rehearse(rules, polls) if isinstance(one, Transition)]
    assert [(one.at - T0, one.rule.kind, one.is_active) for one in found] == [
        (40_000, Kind.COMMUNICATION, True),
        (70_000, Kind.NO_DATA, True),
        (200_000, Kind.NO_DATA, False),
        (200_000, Kind.COMMUNICATION, False),
    ]


def test_commands_outside_the_trace_or_without_cause_are_refused() -> None:
    orders = [
        command(-1, IDS[0], Order.ACKNOWLEDGE),
        command(5, IDS[0], Order.ACKNOWLEDGE),
        command(61, IDS[0], Order.SHELVE),
    ]
    found = list(rehearse(RULES, [poll(0, 5.0), poll(60, 5.0)], orders))
    refused = [one for one in found if isinstance(one, Refused)]
    assert [one.command for one in refused] == orders
    assert ["begins later" in refused[0].why, "normal" in refused[1].why, "ends before" in refused[2].why] == [True] * 3


def test_a_shelving_ends_in_time_without_a_poll() -> None:
    polls = [poll(0, 12.0), poll(20, 12.0), poll(500, 12.0)]
    found = list(rehearse(RULES[:1], polls, [command(30, IDS[0], Order.SHELVE, 1.0)]))
    states = [(one.at - T0, one.to_state.value) for one in found if isinstance(one, Transition)]
    assert states == [(17_000, "UNACK"), (30_000, "SHELVED"), (90_000, "UNACK")]


def test_what_is_acknowledged_and_still_there_is_told_again_without_a_poll() -> None:
    polls = [poll(0, 2.0), poll(500, 2.0)]
    found = list(rehearse(RULES[1:2], polls, [command(5, IDS[1], Order.ACKNOWLEDGE)]))
    states = [(one.at - T0, one.to_state.value) for one in found if isinstance(one, Transition)]
    assert states == [(0, "UNACK"), (5_000, "ACK"), (30_000, "UNACK")]


@pytest.mark.parametrize("polls", [[], [poll(0, None)]])
def test_hardly_any_trace(polls: list[Poll]) -> None:
    assert list(rehearse(RULES, polls)) == []
