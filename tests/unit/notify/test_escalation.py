"""The escalation machine alone: pure, in whatever time a test says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.notify.stock import (
    CRITICAL,
    LOW,
    MEDIUM,
    SITE,
    START,
    acknowledged,
    moved,
    raised,
    returned,
    rule,
    view,
)
from tests.unit.notify.stock import settings as site

from cultureops.alarms.rule import Rule, WhenEmpty
from cultureops.alarms.state import State
from cultureops.clock import HOUR_MS, MINUTE_MS, SECOND_MS
from cultureops.notify.escalation import Escalation
from cultureops.notify.incident import Call, Key, News

HIGH = rule()
Told = tuple[int, str, str, int]
"""Seconds since the start, person, news, level (0 for none)."""


class Table:
    """An escalation whose calls all succeed, but for people in ``unreachable``."""

    def __init__(self, text: str = SITE, **options: bool) -> None:
        self.occupied: set[str] = set()
        self.unreachable: set[str] = set()
        self.told: list[Told] = []
        found = site(text)
        self.machine = Escalation(found.policies, found.roster, lambda chamber, _: chamber in self.occupied, **options)

    def tick(self, at: int) -> list[Call]:
        calls = self.machine.tick(at)
        for call in calls:
            if not self.machine.is_wanted(call):
                self.machine.drop(call)
            elif call.person in self.unreachable:
                self.machine.unheard(call, at)
            else:
                self.machine.heard(call, at)
                level = call.key.level + 1 if call.key.policy else 0
                self.told.append(((at - START) // SECOND_MS, call.person, call.news.value, level))
        return calls

    def run(self, begin_s: int, end_s: int, every_s: int = 10) -> list[Told]:
        self.told.clear()
        for second in range(begin_s, end_s, every_s):
            self.tick(START + second * SECOND_MS)
        return list(self.told)


def test_levels_and_repeats_go_by_the_time_since_raising() -> None:
    table = Table()
    assert table.machine.note(raised(HIGH, START))
    assert table.run(0, 2000) == [
        (0, "op-1", "stands", 1),
        (600, "op-1", "reminder", 1),
        (900, "head", "stands", 2),
        (1200, "op-1", "reminder", 1),
        (1800, "op-1", "reminder", 1),
    ]


def test_an_acknowledgement_is_told_to_those_who_were_told_and_not_to_who_gave_it() -> None:
    for by, expected in (("op-1", []), ("qa-1", [(60, "op-1", "ended", 0)])):
        table = Table()
        table.machine.note(raised(HIGH, START))
        table.run(0, 60)
        table.machine.note(acknowledged(HIGH, START + 60_000, START, by=by))
        assert table.run(60, 7200) == expected
        assert not table.machine.incidents


def test_a_quiet_acknowledgement() -> None:
    table = Table(tell_when_acknowledged=False)
    table.machine.note(raised(HIGH, START))
    table.run(0, 60)
    table.machine.note(acknowledged(HIGH, START + 60_000, START, by="qa-1"))
    assert table.run(60, 7200) == []


@pytest.mark.parametrize("state", [State.SHELVED, State.OUT_OF_SERVICE])
def test_suppression_by_a_person_ends_it(state: State) -> None:
    table = Table()
    table.machine.note(raised(HIGH, START))
    table.run(0, 60)
    table.machine.note(moved(HIGH, State.UNACK, state, START + 60_000, raised_at=START, by="qa-1"))
    assert table.run(60, 7200) == [(60, "op-1", "ended", 0)]


def test_one_that_returned_calls_nobody_further_but_says_so_once() -> None:
    table = Table()
    table.machine.note(raised(HIGH, START))
    table.run(0, 400)
    table.machine.note(returned(HIGH, START + 400_000, START))
    assert table.run(400, 7200) == [(400, "op-1", "returned", 0)]
    assert len(table.machine.incidents) == 1  # until somebody acknowledges
    table.machine.note(moved(HIGH, State.RTN_UNACK, State.NORMAL, START + 7_200_000, raised_at=START, by="qa-1"))
    assert table.run(7200, 9000) == [(7200, "op-1", "ended", 0)]


def test_a_critical_one_that_returned_goes_on_escalating() -> None:
    table = Table()
    table.machine.note(raised(CRITICAL, START))
    table.run(0, 100)
    table.machine.note(returned(CRITICAL, START + 100_000, START))
    told = table.run(100, 700)
    assert (600, "head", "stands", 2) in told and (300, "op-1", "reminder", 1) in told
    assert not [row for row in told if row[2] == "returned"]  # the reminder has said so


def test_chattering_does_not_start_the_clock_anew_and_does_not_chatter_at_people() -> None:
    table = Table()
    table.machine.note(raised(HIGH, START))
    told = []
    for minute in range(1, 21):
        told += table.run(60 * minute - 60, 60 * minute)
        at = START + minute * MINUTE_MS
        if minute % 2:
            table.machine.note(returned(HIGH, at, START))
        else:
            table.machine.note(moved(HIGH, State.RTN_UNACK, State.UNACK, at))
    assert "head" in [person for _, person, _, _ in told]  # after 15 minutes, though it never lasted two
    assert len(told) <= 10


def test_one_that_comes_again_after_it_was_said_to_be_gone_is_said_to_be_back() -> None:
    table = Table()
    table.machine.note(raised(HIGH, START))
    table.run(0, 400)
    table.machine.note(returned(HIGH, START + 400_000, START))
    table.run(400, 450)
    table.machine.note(moved(HIGH, State.RTN_UNACK, State.UNACK, START + 450_000))
    told = table.run(450, 750)
    assert told == [(450, "op-1", "again", 0), (600, "op-1", "reminder", 1)]


def test_a_realarm_is_a_new_incident() -> None:
    table = Table()
    table.machine.note(raised(HIGH, START))
    table.run(0, 60)
    table.machine.note(acknowledged(HIGH, START + 60_000, START))
    table.run(60, 1000)
    table.machine.note(moved(HIGH, State.ACK, State.UNACK, START + 1_000_000, raised_at=START))
    assert table.run(1000, 1100) == [(1000, "op-1", "stands", 1)]


def test_a_level_that_nobody_hears_calls_the_next_at_once() -> None:
    table = Table()
    table.unreachable = {"op-1"}
    table.machine.note(raised(HIGH, START))
    assert table.run(0, 60) == [(10, "head", "stands", 2)]  # the next tick, not in 15 min
    table.unreachable.clear()
    assert table.run(60, 900)[0] == (60, "op-1", "stands", 1)  # tried again though it escalated


def test_nobody_at_all_can_be_reached_and_it_goes_on_trying() -> None:
    table = Table()
    table.unreachable = {"op-1", "head"}
    table.machine.note(raised(CRITICAL, START))
    tried = [call.person for second in range(0, 3600, 10) for call in table.tick(START + second * SECOND_MS)]
    assert 10 <= len(tried) <= 20 and set(tried) == {"op-1", "head"} and table.machine.incidents


@pytest.mark.parametrize("set_at_s", [1, 60, 299, 650])
@pytest.mark.parametrize("by_s", [1, 60, 3600, 86_400])
def test_a_clock_set_back_neither_delays_nor_repeats_anything(set_at_s: int, by_s: int) -> None:
    def told(back_s: int) -> list[tuple[int, Told]]:
        table, found = Table(), []
        table.machine.note(raised(CRITICAL, START))
        for second in range(0, 1500):
            table.told.clear()
            table.tick(START + (second - (back_s if second >= set_at_s else 0)) * SECOND_MS)
            found += [(second, row[1:]) for row in table.told]
        return found

    expected, found = told(0), told(by_s)
    assert [row for _, row in found] == [row for _, row in expected]
    assert all(abs(at - due) <= 1 for (at, _), (due, _) in zip(found, expected, strict=True))  # one look apart


def test_a_clock_set_back_while_it_was_off_delays_nothing_beyond_its_delay() -> None:
    table = Table()
    late = START + HOUR_MS
    table.machine.resume(view(CRITICAL, late), late, [(Key("gmp_critical", 0, "op-1"), late, True)])
    assert table.run(0, 700) == [(300, "op-1", "reminder", 1), (600, "op-1", "reminder", 1), (600, "head", "stands", 2)]


ALL_MUTED = SITE.replace("low,medium", "low,medium,high").replace(
    'id = "head"\nroutes = ["hook"]', 'id = "head"\nroutes = ["hook"]\nmute = ["daily 18:00-07:00 high"]'
)


def test_a_high_alarm_that_everybody_mutes_is_told_to_all_of_each_level() -> None:
    table, night = Table(ALL_MUTED), 13 * 3600  # 22:00 in Berlin
    begin = START + night * SECOND_MS
    table.machine.note(raised(HIGH, begin))
    table.machine.note(raised(MEDIUM, begin))  # may be muted by all
    calls = table.tick(begin)
    assert [(call.person, call.is_muted, call.rule.id) for call in calls] == [("op-2", True, HIGH.id)]
    assert table.run(night + 10, night + 1000) == [
        (night + 600, "op-2", "reminder", 1),
        (night + 900, "head", "stands", 2),
    ]
    table.machine.note(returned(HIGH, begin + 1_000_000, begin))
    assert {row[1:3] for row in table.run(night + 1000, night + 2000)} == {("op-2", "returned"), ("head", "returned")}
    table.machine.note(moved(HIGH, State.RTN_UNACK, State.UNACK, begin + 2_000_000, raised_at=begin))
    assert {row[1:3] for row in table.run(night + 2000, night + 2010)} >= {("head", "again")}


def test_who_mutes_high_alarms_is_left_alone_while_another_of_the_level_is_told() -> None:
    table, night = Table(SITE.replace("low,medium", "low,medium,high").replace('["on_call"]', '["everybody"]')), 46_800
    table.machine.note(raised(HIGH, START + night * SECOND_MS))
    told = table.run(night, night + 1000)
    assert {row[1] for row in told} == {"op-1", "head"}


def test_muted_people_are_told_when_they_may_be() -> None:
    table, night = Table(), 11 * 3600  # 20:00 in Berlin; op-2 is muted until 7:00 for medium ones
    table.machine.note(raised(MEDIUM, START + night * SECOND_MS))
    told = table.run(night, night + 12 * 3600, every_s=60)
    assert told == [(22 * 3600, "op-2", "stands", 1)]


def test_who_comes_on_call_hears_of_what_stands() -> None:
    table = Table()
    table.machine.note(raised(replace(HIGH, id="late"), START + int(9.5 * HOUR_MS)))
    told = table.run(int(9.5 * 3600), 11 * 3600, every_s=60)
    assert told[0][1] == "op-1"
    assert (10 * 3600, "op-2", "stands", 1) in told  # 19:00 in Berlin
    assert not [row for row in told if row[1] == "op-1" and row[0] > 10 * 3600]


def test_low_alarms_are_only_shown_where_the_site_says_so() -> None:
    table = Table()
    table.machine.note(raised(LOW, START))
    assert table.run(0, 7200, every_s=60) == [] and len(table.machine.incidents) == 1


def test_an_empty_chamber_downgrades_until_a_batch_is_put_inside() -> None:
    table = Table()
    empty = replace(CRITICAL, when_empty=WhenEmpty.DOWNGRADE)
    table.machine.note(raised(empty, START))
    assert table.run(0, 3600) == []  # low: only shown
    table.occupied.add(empty.chamber)
    told = table.run(3600, 4400)
    assert told[0] == (3600, "op-1", "stands", 1)  # at the next tick
    assert (4200, "head", "stands", 2) in told and ("head" not in [row[1] for row in told if row[0] < 4200])
    table.occupied.clear()
    assert table.run(4400, 9000) == []


def test_what_was_queued_is_not_sent_when_nobody_needs_it_any_more() -> None:
    table = Table()
    table.machine.note(raised(HIGH, START))
    (call,) = table.machine.tick(START)
    table.machine.note(acknowledged(HIGH, START + 1000, START, by="qa-1"))
    assert not table.machine.is_wanted(call)
    table.machine.drop(call)
    assert table.machine.tick(START + 2000) == []  # not told, so not told of the end either


def test_who_was_told_while_it_was_acknowledged_hears_of_that_too() -> None:
    table = Table()
    table.machine.note(raised(HIGH, START))
    (call,) = table.machine.tick(START)
    table.machine.note(acknowledged(HIGH, START + 1000, START, by="qa-1"))
    table.machine.heard(call, START + 2000)
    assert [(one.person, one.news) for one in table.machine.tick(START + 2000)] == [("op-1", News.ENDED)]


def test_a_later_level_without_repeats_does_not_silence_those_of_an_earlier_one() -> None:
    text = SITE.replace('who = ["head"]\nrepeat_every_s = 600', 'who = ["everybody"]')
    table = Table(text)
    table.machine.note(raised(CRITICAL, START))
    told = table.run(0, 1300)
    assert [row for row in told if row[1] == "op-1"] == [
        (0, "op-1", "stands", 1),
        (300, "op-1", "reminder", 1),
        (600, "op-1", "reminder", 2),
        (900, "op-1", "reminder", 2),
        (1200, "op-1", "reminder", 2),
    ]
    assert [row for row in told if row[1] == "head"] == [(600, "head", "stands", 2)]


def test_a_restart_sends_what_was_not_sent_and_nothing_twice() -> None:
    table = Table()
    heard = [(Key("high", 0, "op-1"), START + 1000, True)]
    table.machine.resume(view(HIGH, START), START, heard)
    table.machine.resume(view(CRITICAL, START), START, [])
    table.machine.resume(view(MEDIUM, START, State.ACK), START, [])
    assert table.run(120, 700) == [
        (120, "op-1", "stands", 1),  # of the critical one
        (420, "op-1", "reminder", 1),
        (600, "head", "stands", 2),
        (610, "op-1", "reminder", 1),  # of the high one, ten minutes after it was told before the restart
    ]


def test_after_a_restart_the_delays_still_run_from_when_the_batch_was_put_inside() -> None:
    table = Table()
    empty = replace(CRITICAL, when_empty=WhenEmpty.DOWNGRADE)
    table.occupied.add(empty.chamber)
    key = Key("gmp_critical", 0, "op-1")
    heard = [(key, START + second * SECOND_MS, True) for second in (3600, 3900)]
    table.machine.resume(view(empty, START), START, heard)
    assert table.run(3910, 4300) == [(4200, "op-1", "reminder", 1), (4200, "head", "stands", 2)]


RULES = (HIGH, CRITICAL, MEDIUM)


@settings(max_examples=25)
@given(st.data())
def test_whatever_happens_a_critical_alarm_is_told_within_its_repeat_until_it_is_acknowledged(
    data: st.DataObject,
) -> None:
    """A model of our own: per rule its state; after each minute somebody has heard of every critical open one."""
    table = Table()
    states: dict[str, State] = {}
    opened: dict[str, int] = {}
    last: dict[str, int] = {}
    for minute in range(60):
        at = START + minute * MINUTE_MS
        for one in RULES:
            if (what := data.draw(st.sampled_from(["", "", "", "on", "off", "ack"]))) == "":
                continue
            transition = _follow(one, states, what, at, opened)
            if transition is not None:
                table.machine.note(transition)
        for call in table.tick(at):
            assert call.news is News.ENDED or states[call.rule.id] is not State.NORMAL
            assert call.news is News.ENDED or states[call.rule.id] is not State.ACK
            last[call.rule.id] = at
        if states.get(CRITICAL.id) in (State.UNACK, State.RTN_UNACK):
            assert at - last[CRITICAL.id] <= 5 * MINUTE_MS
    wanted = {one.id for one in RULES if states.get(one.id) in (State.UNACK, State.RTN_UNACK)}
    assert {incident.rule.id for incident in table.machine.incidents} == wanted


def _follow(one: Rule, states: dict[str, State], what: str, at: int, opened: dict[str, int]):  # type: ignore[no-untyped-def]
    before = states.get(one.id, State.NORMAL)
    table = {
        ("on", State.NORMAL): State.UNACK,
        ("on", State.RTN_UNACK): State.UNACK,
        ("off", State.UNACK): State.RTN_UNACK,
        ("off", State.ACK): State.NORMAL,
        ("ack", State.UNACK): State.ACK,
        ("ack", State.RTN_UNACK): State.NORMAL,
    }
    after = table.get((what, before))
    if after is None:
        return None
    states[one.id] = after
    if after is State.UNACK:
        opened[one.id] = at
    return moved(one, before, after, at, raised_at=opened[one.id], by="qa-1" if what == "ack" else "")
