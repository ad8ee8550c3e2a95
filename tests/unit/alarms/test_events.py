"""Every transition becomes a ledger event that says everything, and the events give the alarms back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cultureops.alarms import Act, Engine, Kind, Priority, Rule, State, Transition, alarm_event, replay
from cultureops.clock import MINUTE_MS, SeededEntropy, SteppedClock, iso
from cultureops.device.reading import Quality, Reading, Reason, bad_reading
from cultureops.errors import StorageError
from cultureops.ledger.event import Actor, JsonValue, NewEvent, Source
from cultureops.ledger.store import SqlLedger

T0 = 1_767_600_000_000
RULE = Rule(
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
LINK = replace(RULE, id="incubator_1/communication", channel=None, kind=Kind.COMMUNICATION, limit=None, unit="")
BATCHES = ("B-001", "B-002")


@dataclass(frozen=True)
class Recorded:
    type: str
    data: Mapping[str, JsonValue]


def recorded(transition: Transition) -> Recorded:
    _, event_type, data = alarm_event(transition, BATCHES)
    return Recorded(event_type, data)


def co2(engine: Engine, *minutes_and_values: tuple[int, float | None]) -> list[Transition]:
    changes: list[Transition] = []
    for minute, value in minutes_and_values:
        at = T0 + minute * MINUTE_MS
        if value is None:
            changes += engine.evaluate([bad_reading("incubator_1/co2", Reason.TIMEOUT, at, at)])
        else:
            changes += engine.evaluate([Reading("incubator_1/co2", value, Quality.GOOD, Reason.NONE, at, at)])
    return changes


def test_a_raised_alarm_says_everything() -> None:
    (raised,) = co2(Engine([RULE]), (0, 3.5), (1, 3.2), (2, 3.1))
    stream, event_type, data = alarm_event(raised, BATCHES)
    assert (stream, event_type) == ("alarm:incubator_1/co2/low", "alarm_raised")
    assert data == {
        "rule_id": "incubator_1/co2/low",
        "chamber": "left",
        "device": "incubator_1",
        "channel": "incubator_1/co2",
        "kind": "low",
        "level": "alarm",
        "alarm_class": "environment",
        "limit": 4.0,
        "unit": "%",
        "value": 3.1,
        "priority": "high",
        "gmp_critical": True,
        "respond_within_s": 1800.0,
        "from_state": "NORMAL",
        "to_state": "UNACK",
        "is_active": True,
        "at": iso(T0 + 2 * MINUTE_MS),
        "since": iso(T0),
        "raised_at": iso(T0 + 2 * MINUTE_MS),
        "batch_ids": ["B-001", "B-002"],
        "actor_id": "",
        "role": "",
        "reason": "",
        "witness_id": "",
        "command_id": "",
        "latched": False,
        "shelf": None,
        "cause": "3.1 % at or below the low limit 4 % for 2 min",
        "text": "left: incubator_1/co2 3.1 % at or below the low limit 4 % for 2 min; batches inside: B-001, B-002",
    }


def test_the_four_types_follow_the_states() -> None:
    engine = Engine([RULE])
    changes = co2(engine, (0, 3), (2, 3))
    changes.append(engine.acknowledge(RULE.id, T0 + 3 * MINUTE_MS, Act("op-7", "changing the cylinder")))
    changes += co2(engine, (4, 5), (5, 5), (6, 3), (8, 3), (9, 5), (10, 5))
    changes.append(engine.acknowledge(RULE.id, T0 + 11 * MINUTE_MS, Act("op-7", "valve tightened")))
    events = [recorded(change) for change in changes]
    assert [event.type for event in events] == [
        "alarm_raised",
        "alarm_acknowledged",
        "alarm_cleared",
        "alarm_raised",
        "alarm_returned",
        "alarm_cleared",
    ]
    assert [event.data["text"] for event in events][1:3] == [
        "left: incubator_1/co2/low acknowledged by op-7: changing the cylinder; batches inside: B-001, B-002",
        "left: incubator_1/co2/low cleared; 5 % above the low limit 4 %, deadband 0.2 % for 1 min; "
        "batches inside: B-001, B-002",
    ]
    assert (events[5].data["actor_id"], events[5].data["reason"]) == ("op-7", "valve tightened")
    assert {event.data["raised_at"] for event in events[:3]} == {iso(T0 + 2 * MINUTE_MS)}
    assert replay(events) == ()


@pytest.mark.parametrize("steps", range(1, 6))
def test_a_restarted_engine_shows_and_does_what_the_other_would_have(steps: int) -> None:
    story = [(0, 3.0), (2, 3.0), (3, 5.0), (4, 5.0), (6, 3.0), (8, 3.0)]
    engine = Engine([RULE, LINK])
    past = co2(engine, *story[:steps])
    restarted = Engine([RULE, LINK])
    assert restarted.restore(replay(recorded(change) for change in past)) == ()
    restarted.refill(
        [
            Reading("incubator_1/co2", value, Quality.GOOD, Reason.NONE, T0 + m * MINUTE_MS, T0 + m * MINUTE_MS)
            for m, value in story[:steps]
        ]
    )
    assert restarted.active() == engine.active()
    rest = [*story[steps:], (9, None), (10, None), (11, None), (12, 5.0), (13, 5.0)]
    assert co2(restarted, *rest) == co2(engine, *rest)
    assert restarted.active() == engine.active()


def test_without_stored_readings_a_running_delay_starts_anew_and_an_active_alarm_stays() -> None:
    engine = Engine([RULE])
    past = co2(engine, (0, 3), (2, 3))
    restarted = Engine([RULE])
    restarted.restore(replay([recorded(change) for change in past]))
    assert [(view.state, view.value) for view in restarted.active()] == [(State.UNACK, 3.0)]
    assert co2(restarted, (10, 3), (20, 3), (21, 5)) == []
    assert [change.to_state for change in co2(restarted, (22, 5))] == [State.RTN_UNACK]
    assert co2(Engine([RULE]), (1, 3), (2, 3)) == []


def test_lost_communication_survives_a_restart_and_clears_with_the_first_good_poll() -> None:
    past = co2(Engine([LINK]), (0, None), (1, None), (2, None))
    restarted = Engine([LINK])
    restarted.restore(replay([recorded(change) for change in past]))
    assert co2(restarted, (3, None)) == []
    (back,) = co2(restarted, (4, 5.0))
    assert (back.to_state, back.cause) == (State.RTN_UNACK, "incubator_1 answered again")


def test_lost_communication_that_is_back_at_the_restart_clears_at_once() -> None:
    past = co2(Engine([LINK]), (0, None), (1, None), (2, None))
    restarted = Engine([LINK])
    restarted.restore(replay([recorded(change) for change in past]))
    assert [change.to_state for change in co2(restarted, (3, 5.0))] == [State.RTN_UNACK]


def test_an_alarm_whose_rule_is_gone_is_handed_back() -> None:
    past = co2(Engine([RULE]), (0, 3), (2, 3))
    engine = Engine([LINK])
    (orphan,) = engine.restore(replay([recorded(change) for change in past]))
    assert (orphan.rule_id, orphan.state, engine.active()) == (RULE.id, State.UNACK, ())


def broken(event: Recorded, **changes: JsonValue) -> Recorded:
    return Recorded(event.type, {**event.data, **changes})


def test_events_that_cannot_be_are_refused_and_foreign_ones_passed_over() -> None:
    engine = Engine([RULE])
    raised, returned = (recorded(change) for change in co2(engine, (0, 3), (2, 3), (3, 5), (4, 5)))
    assert replay([Recorded("batch_created", {}), Recorded("counted", {"rule_id": 7})]) == ()
    with pytest.raises(StorageError, match=r"alarm_returned of incubator_1/co2/low: no alarm_raised before it"):
        replay([returned])
    for wrong, complaint in (
        (broken(raised, rule_id=None), "rule_id should be a text"),
        (broken(raised, raised_at="yesterday"), "raised_at: .*ISO 8601"),
        (broken(raised, since=5), "since should be a text, is 5"),
        (broken(raised, value="warm"), "value should be a number, is 'warm'"),
        (broken(raised, value=True), "value should be a number"),
    ):
        with pytest.raises(StorageError, match=complaint):
            replay([wrong])
    with pytest.raises(StorageError, match="actor_id should be a text"):
        replay([raised, broken(Recorded("alarm_acknowledged", raised.data), to_state="ACK")])


async def test_a_real_ledger_takes_the_events_and_gives_the_alarms_back(tmp_path: Path) -> None:
    engine = Engine([RULE, LINK])
    changes = co2(engine, (0, 3), (2, 3), (3, None), (4, None), (5, None))
    changes.append(engine.acknowledge(LINK.id, T0 + 6 * MINUTE_MS, Act("op-7", "cable found unplugged")))
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", SteppedClock(T0), SeededEntropy(7))
    try:
        for change in changes:
            stream, event_type, data = alarm_event(change, BATCHES)
            event = NewEvent(event_type, data, Actor("cultureops", "system"), Source.SYSTEM, change.at)
            await ledger.append(stream, [event], None)
        restarted = Engine([RULE, LINK])
        assert restarted.restore(replay(ledger.read_all())) == ()
    finally:
        await ledger.close()
    assert restarted.active() == engine.active()
    assert [view.state for view in restarted.active()] == [State.UNACK, State.ACK]
