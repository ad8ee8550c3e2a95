"""One activation is one stretch of a condition, whatever is done to its alarm meanwhile."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.alarms import Act, Kind, Priority, Rule, Shelf, Transition, alarm_event
from cultureops.alarms.activation import Activation, Activations, follow, revised
from cultureops.alarms.alarm import Alarm
from cultureops.alarms.rule import AlarmClass
from cultureops.clock import MINUTE_MS, SeededEntropy, iso
from cultureops.errors import StorageError
from cultureops.ledger.event import Actor, Event, NewEvent, Source, decode, draft, seal

T0 = 1_767_600_000_000
RULE = Rule(
    id="incubator_1/co2/low",
    chamber="incubator_1",
    channel="incubator_1/co2",
    device="incubator_1",
    kind=Kind.LOW,
    limit=4.0,
    unit="%",
    deadband=0.2,
    on_delay_s=600,
    off_delay_s=60,
    misses=3,
    priority=Priority.HIGH,
    gmp_critical=True,
    consequence="The medium turns alkaline.",
    response="Change the cylinder.",
)
ACT = Act("operator-1", "gas changed", "operator-2")


def at(minute: float) -> int:
    return T0 + round(minute * MINUTE_MS)


def recorded(transition: Transition, version: int = 1) -> Event:
    stream, event_type, data = alarm_event(transition, ())
    return sealed(NewEvent(event_type, data, Actor("x", "system"), Source.SYSTEM, transition.at), stream, version)


def sealed(new: NewEvent, stream: str, version: int) -> Event:
    fields = draft(new, stream, SeededEntropy(version).event_id(T0), new.occurred_at or T0, "test")
    return decode(seal(fields, stream, version, version, b"\0" * 32), b"\0" * 32)


def after(*transitions: Transition) -> Activations:
    known = Activations()
    for transition in transitions:
        known.apply(recorded(transition))
    return known


def raised(alarm: Alarm, minute: float = 10) -> Transition:
    return alarm.begin(at(minute), at(minute - 10), 3.2, "3.2 % for 600 s")


def test_an_activation_reaches_from_the_begin_of_its_condition_to_its_end() -> None:
    alarm = Alarm(RULE)
    known = after(raised(alarm), alarm.acknowledge(at(12), ACT), alarm.realarm(at(40), "still there"))
    (lasting,) = known.overlapping("incubator_1", at(50), None)
    assert lasting.id == f"incubator_1/co2/low@{iso(at(10))}"
    assert (lasting.since, lasting.raised_at, lasting.ended_at, lasting.last_at) == (at(0), at(10), None, at(40))
    known.apply(recorded(alarm.end(at(60), at(59), 5.0, "5 %")))
    ended = known.latest(RULE.id)
    assert ended == known.get(lasting.id) and ended is not None and ended.ended_at == at(60)
    known.apply(recorded(alarm.acknowledge(at(70), ACT)))
    assert known.latest(RULE.id) == ended, "seen only when it was over"
    assert known.overlapping("incubator_1", at(60), at(61)) == (ended,)
    assert known.overlapping("incubator_1", at(60) + 1, None) == ()
    assert known.overlapping("incubator_1", at(-5), at(0)) == (), "out the instant it began"
    assert known.overlapping("incubator_1", at(-5), at(0) + 1) == (ended,)
    assert known.overlapping("incubator_1", at(20), at(20)) == (), "a stay of no length meets nothing"
    assert known.overlapping("incubator_2", at(0), None) == ()


def test_shelving_and_its_end_do_not_break_the_condition() -> None:
    alarm = Alarm(RULE)
    shelf = Shelf(ACT, at(15), at(25))
    known = after(raised(alarm), alarm.shelve(at(15), shelf, "shelved"))
    shelved = known.latest(RULE.id)
    assert shelved is not None and (shelved.suppressed, shelved.ended_at) == ("SHELVED", None)
    release = alarm.release(at(25), "shelved for long enough")
    assert release.raised_at == at(25), "people are told of a new activation"
    known.apply(recorded(release))
    (one,) = known.overlapping("incubator_1", at(0), None)
    assert (one.id, one.suppressed) == (shelved.id, "")


def test_a_condition_that_comes_while_it_is_suppressed_has_a_name_of_its_own() -> None:
    alarm = Alarm(RULE)
    before = raised(alarm)
    gone = alarm.end(at(12), at(11), 5.0, "5 %")
    hidden = alarm.shelve(at(15), Shelf(ACT, at(15), at(60)), "shelved")
    known = after(before, gone, hidden)
    assert [one.id for one in known.overlapping("incubator_1", at(13), None)] == []
    masked = alarm.begin(at(30), at(20), 3.0, "3 %")
    assert masked.raised_at == at(10), "that of the former activation"
    known.apply(recorded(masked))
    (one,) = known.overlapping("incubator_1", at(13), None)
    assert (one.raised_at, one.since, one.suppressed) == (at(30), at(20), "SHELVED")
    known.apply(recorded(alarm.end(at(40), at(39), 5.0, "5 %")))
    ended = known.latest(RULE.id)
    assert ended is not None and (ended.ended_at, ended.suppressed) == (at(40), "SHELVED")
    known.apply(recorded(alarm.release(at(60), "over")))
    assert known.latest(RULE.id) == ended


def test_what_is_about_to_be_recorded_is_what_the_record_will_say() -> None:
    alarm, known = Alarm(RULE), Activations()
    for transition in (
        raised(alarm),
        alarm.acknowledge(at(11), ACT),
        alarm.shelve(at(12), Shelf(ACT, at(12), at(14)), "shelved"),
        alarm.end(at(13), at(13), 5.0, "5 %"),
        alarm.begin(at(13.5), at(13.5), 3.0, "3 %"),
        alarm.release(at(14), "over"),
        alarm.end(at(20), at(19), 5.0, "5 %"),
    ):
        expected = follow(known.latest(RULE.id), transition)
        known.apply(recorded(transition))
        assert known.latest(RULE.id) == expected


def test_what_begins_and_what_ends_is_said() -> None:
    alarm, known = Alarm(RULE), Activations()
    changes = [
        known.apply(recorded(transition))
        for transition in (raised(alarm), alarm.acknowledge(at(11), ACT), alarm.end(at(20), at(19), 5.0, "5 %"))
    ]
    assert [change is not None for change in changes] == [True, False, True]


def test_events_of_a_former_version_are_read() -> None:
    alarm, known = Alarm(RULE), Activations()
    new = ("is_active", "level", "alarm_class", "reference")
    for transition in (raised(alarm), alarm.acknowledge(at(11), ACT)):
        stream, event_type, data = alarm_event(transition, ())
        old = {name: value for name, value in data.items() if name not in new}
        known.apply(sealed(NewEvent(event_type, old, Actor("x", "system"), Source.SYSTEM, at(10)), stream, 1))
        one = known.latest(RULE.id)
        assert one is not None and (one.ended_at, one.level, one.alarm_class) == (None, "alarm", "environment")
    returned = alarm.end(at(20), at(19), 5.0, "5 %")
    stream, _, data = alarm_event(returned, ())
    old = {name: value for name, value in data.items() if name not in new}
    known.apply(sealed(NewEvent("alarm_cleared", old, Actor("x", "system"), Source.SYSTEM, at(20)), stream, 2))
    one = known.latest(RULE.id)
    assert one is not None and one.ended_at == at(20)


def test_an_event_that_lacks_what_it_must_hold_is_named() -> None:
    stream, event_type, data = alarm_event(raised(Alarm(RULE)), ())
    for name, value in (("since", "yesterday"), ("to_state", None)):
        broken = {key: entry for key, entry in (data | {name: value}).items() if entry is not None or key != name}
        event = sealed(NewEvent(event_type, broken, Actor("x", "system"), Source.SYSTEM, T0), stream, 1)
        with pytest.raises(StorageError, match="alarm_raised 'incubator_1/co2/low': "):
            Activations().apply(event)


def test_a_rule_that_nobody_watches_any_more_ends_where_it_was_heard_of_last() -> None:
    known = after(raised(Alarm(RULE)))
    one = known.latest(RULE.id)
    assert one is not None
    cause = recorded(raised(Alarm(RULE)))
    stream, event_type, data = revised(one, ({"batch_id": "B-1"},), ("B-2",), at(30), cause)
    assert data["text"] == f"incubator_1: incubator_1/co2/low of {iso(at(10))} now has +B-1, -B-2"
    known.apply(sealed(NewEvent(event_type, data, Actor("x", "system"), Source.SYSTEM, at(30)), stream, 2))
    known.end_unwatched(frozenset({RULE.id}))
    assert known.overlapping("incubator_1", at(500), None) != ()
    known.end_unwatched(frozenset())
    ended = known.latest(RULE.id)
    assert ended is not None and ended.ended_at == at(30), "a batch was found to share it then"
    assert known.overlapping("incubator_1", at(31), None) == ()


def test_alarms_of_one_batch_or_of_the_program_endanger_no_neighbour() -> None:
    for changes in ({"alarm_class": AlarmClass.PROCESS}, {"alarm_class": AlarmClass.SYSTEM}, {"chamber": ""}):
        rule = replace(RULE, **changes)  # type: ignore[arg-type]
        assert after(raised(Alarm(rule))).overlapping(rule.chamber, at(0), None) == ()
    assert after(raised(Alarm(replace(RULE, alarm_class=AlarmClass.INSTRUMENT)))).overlapping(
        "incubator_1", at(0), None
    )


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30), st.booleans()), max_size=25)


@given(SPANS, st.integers(0, 100), st.one_of(st.none(), st.integers(0, 100)))
def test_what_overlaps_is_what_looking_at_each_says(
    spans: list[tuple[int, int, bool]], start: int, end: int | None
) -> None:
    known, expected = Activations(), set()
    for number, (begin, lasts, is_open) in enumerate(spans):
        rule = replace(RULE, id=f"incubator_1/co2/low{number}")
        alarm = Alarm(rule)
        transitions = [alarm.begin(at(begin), at(begin), 3.0, "low")]
        if not is_open:
            transitions.append(alarm.end(at(begin + lasts), at(begin + lasts), 5.0, "over"))
        for transition in transitions:
            known.apply(recorded(transition))
        ended_at = at(begin + lasts)
        is_there = end is None or (end > start and at(begin) < at(end))
        if is_there and (is_open or at(start) <= ended_at):
            expected.add(rule.id)
    found = known.overlapping("incubator_1", at(start), None if end is None else at(end))
    assert {one.rule_id for one in found} == expected and len(found) == len(expected)
    assert isinstance(found, tuple) and all(isinstance(one, Activation) for one in found)
