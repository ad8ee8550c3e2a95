"""What the ledger refuses of an alarm's event is left out and named; the rest, and every other event, is recorded."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.alarms.test_events import RULE, T0

from cultureops.alarms import Act, Engine, Transition, alarm_event
from cultureops.alarms.journal import AlarmJournal, Told
from cultureops.alarms.recordable import NAMELESS, SYSTEM, recordable
from cultureops.clock import SeededEntropy, SteppedClock
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import StorageError
from cultureops.ledger.event import Actor, Event, NewEvent, Source, draft
from cultureops.ledger.ledger import Group
from cultureops.ledger.store import SqlLedger

RULES = [
    replace(RULE, id=f"d_{n}/co2/low", device=f"d_{n}", channel=f"d_{n}/co2", on_delay_s=0, gmp_critical=False)
    for n in range(3)
]


def raised() -> list[Transition]:
    engine = Engine(RULES)
    return list(engine.evaluate([Reading(f"d_{n}/co2", 3.0, Quality.GOOD, Reason.NONE, T0, T0) for n in range(3)]))


async def nobody(transitions: Sequence[Transition]) -> Sequence[Told]:
    return [Told()] * len(transitions)


def event(**data: object) -> NewEvent:
    return NewEvent("alarm_raised", {"rule_id": "x", "text": "x raised", **data}, SYSTEM, Source.SYSTEM, T0)  # type: ignore[dict-item]


def test_what_can_be_recorded_stays_as_it_is() -> None:
    new = event(value=1.0)
    assert recordable("alarm:x", new) == ("alarm:x", new)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 2**60, "half \ud800", {"a": {1, 2}}])
def test_a_field_that_is_refused_is_null_and_named(value: object) -> None:
    stream, fit = recordable("alarm:x", event(value=value, limit=4.0))
    assert stream == "alarm:x" and fit.data["value"] is None and fit.data["limit"] == 4.0
    assert list(fit.data["not_recorded"]) == ["value"]  # type: ignore[arg-type]
    assert fit.data["text"] == "x raised; could not be recorded: value"
    draft(fit, stream, "id", T0, "test")


def test_a_person_a_time_and_a_name_that_are_refused_are_left_to_the_system() -> None:
    odd = replace(event(), actor=Actor(" ", "OP"), occurred_at=-5, reason="\ud800")
    stream, fit = recordable("alarm:" + "x" * 300, odd)
    assert stream == NAMELESS and fit.actor == SYSTEM and fit.occurred_at is None and fit.reason == ""
    assert set(fit.data["not_recorded"]) == {"actor", "occurred_at", "reason", "stream"}  # type: ignore[arg-type]
    draft(fit, stream, "id", T0, "test")


def test_a_value_that_is_no_number_is_told_in_words() -> None:
    _, _, data = alarm_event(replace(raised()[0], value=float("-inf")), ())
    assert data["value"] is None and "its value, -inf, is no finite number" in str(data["text"])


async def test_one_that_can_not_be_recorded_whole_holds_nothing_up(tmp_path: Path) -> None:
    first, bad, last = raised()
    bad = replace(bad, cause="broken \ud800 text")
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", SteppedClock(T0), SeededEntropy(1))
    try:
        journal = AlarmJournal(ledger, nobody)
        journal.note([first, bad, last])
        await journal.drain()
        events = list(ledger.read_all())
    finally:
        await ledger.close()
    assert journal.waiting == 0 and [each.type for each in events] == ["alarm_raised"] * 3
    assert [each.data["cause"] is None for each in events] == [False, True, False]
    assert "not_recorded" in events[1].data and "not_recorded" not in events[0].data


class Scripted:
    """A ledger that fails when it is told to, and otherwise remembers what it was given."""

    def __init__(self) -> None:
        self.is_full = False
        self.appended: list[list[str]] = []

    async def append_many(self, groups: Sequence[Group]) -> tuple[Event, ...]:
        if self.is_full:
            raise StorageError("the disk is full")
        self.appended.append([f"{stream} {new.type}" for stream, events, _ in groups for new in events])
        return ()


async def test_a_full_disk_is_no_matter_of_content() -> None:
    ledger = Scripted()
    journal = AlarmJournal(ledger, nobody)  # type: ignore[arg-type]
    journal.note(raised())
    ledger.is_full = True
    with pytest.raises(StorageError, match="full"):
        await journal.drain()
    assert journal.waiting == 3 and journal.oldest_at == T0
    ledger.is_full = False
    await journal.drain()
    assert journal.waiting == 0 and journal.oldest_at is None and len(ledger.appended[0]) == 3


async def test_one_of_which_batches_can_not_be_told_is_recorded_alone() -> None:
    async def picky(transitions: Sequence[Transition]) -> Sequence[Told]:
        if any(transition.rule.id == RULES[1].id for transition in transitions):
            raise ValueError("no such field")
        return [Told(("B-1",)) for _ in transitions]

    ledger = Scripted()
    journal = AlarmJournal(ledger, picky)  # type: ignore[arg-type]
    journal.note(raised())
    await journal.drain()
    said = [line for append in ledger.appended for line in append]
    assert sorted(said) == [f"alarm:d_{n}/co2/low alarm_raised" for n in range(3)] and journal.waiting == 0


async def test_what_a_person_did_goes_first_and_takes_along_what_came_before_it() -> None:
    engine = Engine(RULES)
    found = engine.evaluate([Reading(f"d_{n}/co2", 3.0, Quality.GOOD, Reason.NONE, T0, T0) for n in range(3)])
    ledger = Scripted()
    journal = AlarmJournal(ledger, nobody)  # type: ignore[arg-type]
    journal.note(found)
    journal.note([engine.acknowledge(RULES[2].id, T0 + 1, Act("op-1", "seen"))])
    await journal.drain_orders()
    assert ledger.appended == [["alarm:d_2/co2/low alarm_raised"], ["alarm:d_2/co2/low alarm_acknowledged"]]
    assert journal.waiting == 2
    await journal.drain()
    assert ledger.appended[2:] == [["alarm:d_0/co2/low alarm_raised", "alarm:d_1/co2/low alarm_raised"]]
