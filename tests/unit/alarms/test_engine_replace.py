"""A rule that says something else now: its alarm stays as it stands, and is judged by the new words from then on."""

from dataclasses import replace

import pytest

from cultureops.alarms import Act, AlarmError, Engine, Kind, Priority, Rule, State
from cultureops.clock import MINUTE_MS
from cultureops.device.reading import Quality, Reading, Reason

T0 = 1_767_600_000_000
RULE = Rule(
    id="batch:B-1/clock/wash",
    chamber="",
    channel="batch:B-1/clock_wash",
    device="batch:B-1",
    kind=Kind.HIGH,
    limit=15.0,
    unit="min",
    deadband=0.0,
    on_delay_s=0.0,
    off_delay_s=0.0,
    misses=0,
    priority=Priority.LOW,
    gmp_critical=False,
    consequence="Cells suffer.",
    response="Wash now.",
    realarm_s=3600.0,
)
OTHER = replace(RULE, id="batch:B-1/clock/fill")
BETTER = replace(RULE, limit=10.0, priority=Priority.HIGH, gmp_critical=True, channel="batch:B-1/late_wash")
BY_NAME = Act("op-1", "seen", "op-2")


def read(engine: Engine, channel: str | None, value: float, at: int) -> list[tuple[str, State]]:
    assert channel is not None
    found = engine.evaluate([Reading(channel, value, Quality.GOOD, Reason.NONE, at, at)])
    return [(change.rule.id, change.to_state) for change in found]


def raised() -> Engine:
    engine = Engine([RULE, OTHER])
    read(engine, RULE.channel, 16.0, T0)
    return engine


@pytest.mark.parametrize("state", [State.UNACK, State.ACK, State.SHELVED, State.OUT_OF_SERVICE, State.RTN_UNACK])
def test_the_alarm_stays_as_it_stands(state: State) -> None:
    engine = raised()
    match state:
        case State.ACK:
            engine.acknowledge(RULE.id, T0 + 1, BY_NAME)
        case State.SHELVED:
            engine.shelve(RULE.id, T0 + 1, BY_NAME, T0 + MINUTE_MS)
        case State.OUT_OF_SERVICE:
            engine.take_out(RULE.id, T0 + 1, BY_NAME)
        case State.RTN_UNACK:
            read(engine, RULE.channel, 0.0, T0 + 1)
    before = engine.view(RULE.id)
    engine.replace(BETTER)
    assert before is not None and before.state is state
    assert engine.view(RULE.id) == replace(before, rule=BETTER)
    assert [rule.id for rule in engine.rules] == [RULE.id, OTHER.id], "in its place"
    if state is State.SHELVED:
        (back,) = engine.tick(T0 + MINUTE_MS)
        assert (back.rule, back.to_state) == (BETTER, State.UNACK), "its shelving ends as it was to end"
    if state is State.ACK:
        (again,) = engine.tick(T0 + 61 * MINUTE_MS)
        assert (again.rule, again.to_state) == (BETTER, State.UNACK)


def test_it_listens_to_its_own_channel_and_limit_from_then_on() -> None:
    engine = raised()
    engine.replace(BETTER)
    assert read(engine, RULE.channel, 0.0, T0 + 1) == [(OTHER.id, State.RTN_UNACK)], "the former channel is others'"
    assert read(engine, BETTER.channel, 11.0, T0 + 2) == []
    assert read(engine, BETTER.channel, 9.0, T0 + 3) == [(RULE.id, State.RTN_UNACK)]
    assert read(engine, RULE.channel, 16.0, T0 + 4) == [(OTHER.id, State.UNACK)]
    engine.acknowledge(RULE.id, T0 + 5, BY_NAME)
    assert engine.remove(RULE.id)
    assert read(engine, BETTER.channel, 99.0, T0 + 6) == []


def test_only_what_is_there_is_replaced() -> None:
    engine = Engine([OTHER])
    with pytest.raises(AlarmError, match="no alarm"):
        engine.replace(RULE)
