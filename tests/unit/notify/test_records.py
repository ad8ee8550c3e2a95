"""What the ledger keeps of notifications, and a restart that takes it up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.notify.stock import CRITICAL, START, moved, rule, view
from tests.unit.notify.stock import settings as site

from cultureops.alarms.rule import Rule
from cultureops.alarms.state import State
from cultureops.clock import MINUTE_MS, iso
from cultureops.notify.escalation import Escalation
from cultureops.notify.incident import Key
from cultureops.notify.records import SENT, Attempt, Memory, delivery_event

HIGH = rule()
RULES = (HIGH, CRITICAL)
STEPS = {
    ("on", State.NORMAL): State.UNACK,
    ("on", State.RTN_UNACK): State.UNACK,
    ("off", State.UNACK): State.RTN_UNACK,
    ("off", State.ACK): State.NORMAL,
    ("ack", State.UNACK): State.ACK,
    ("ack", State.RTN_UNACK): State.NORMAL,
    ("realarm", State.ACK): State.UNACK,
}


class Lab:
    """Alarms, a ledger of events and an escalation that a restart replaces."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.told: list[tuple[int, str, str, str]] = []
        self.states = dict.fromkeys((one.id for one in RULES), State.NORMAL)
        self.raised: dict[str, int] = {}
        self.machine = self._machine()

    def _machine(self) -> Escalation:
        found = site()
        return Escalation(found.policies, found.roster, lambda _chamber, _at: True)

    def happen(self, one: Rule, what: str, at: int) -> None:
        before = self.states[one.id]
        if (after := STEPS.get((what, before))) is None:
            return
        self.states[one.id] = after
        if after is State.UNACK and before is not State.ACK:
            self.raised[one.id] = at
        transition = moved(
            one, before, after, at, raised_at=self.raised[one.id], by="qa-1" if what == "ack" else ""
        )  # fmt: skip
        data = {"rule_id": one.id, "at": iso(at), "raised_at": iso(self.raised[one.id]), "from_state": before.value}
        self.events.append(SimpleNamespace(type=f"alarm_{transition.what}", data=data))
        self.machine.note(transition)

    def tick(self, at: int) -> None:
        for call in self.machine.tick(at):
            self.machine.heard(call, at)
            self.told.append((at - START, call.rule.id, call.person, call.news.value))
            event = delivery_event(SENT, (call,), Attempt("mail", 1, at, at, ""))
            self.events.append(SimpleNamespace(type=event.type, data=event.data))

    def restart(self) -> None:
        memory = Memory()
        for event in self.events:
            memory.recall(event)
        self.machine = self._machine()
        for one in RULES:
            if (state := self.states[one.id]) is not State.NORMAL:
                raised_at = self.raised[one.id]
                opened_at = memory.opened_at(one.id, raised_at)
                self.machine.resume(view(one, raised_at, state), opened_at, memory.heard(one.id, opened_at))


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["", "", "on", "off", "ack", "realarm", "restart"]), max_size=40), st.data())
def test_restarts_change_nothing_of_what_people_are_told(occurrences: list[str], data: st.DataObject) -> None:
    ours, steady = Lab(), Lab()
    for minute, what in enumerate(occurrences):
        at = START + minute * MINUTE_MS
        if what == "restart":
            ours.restart()
        elif what:
            one = data.draw(st.sampled_from(RULES))
            for lab in (ours, steady):
                lab.happen(one, what, at)
        for lab in (ours, steady):
            lab.tick(at)
    assert sorted(ours.told) == sorted(steady.told)


@pytest.mark.parametrize(
    "occurrences",
    [
        "on . off . on restart . . . . . . . . . . . . . . .",  # its clock runs from the first activation
        "on . . off . . . . . restart . on . .",  # told that it returned before the restart, and that it is back after
        "on . . off . . . restart . . . . .",  # told that it returned once
        "on . ack . realarm restart . . . .",
    ],
)
def test_a_restart_in_the_midst_of_it(occurrences: str) -> None:
    ours, steady = Lab(), Lab()
    for minute, what in enumerate(occurrences.split()):
        at = START + minute * MINUTE_MS
        if what == "restart":
            ours.restart()
        for lab in (ours, steady):
            lab.happen(HIGH, what, at)
            lab.tick(at)
    assert ours.told == steady.told and len(ours.told) >= 2


def test_events_that_are_not_as_they_should_be_are_no_reason_not_to_tell() -> None:
    memory = Memory()
    for data in ({}, {"told": 5}, {"told": [1, {}]}, {"told": [{"rule_id": "a", "level": "b"}], "at": "yesterday"},
                 {"rule_id": 7, "at": None}):  # fmt: skip
        for type_ in (SENT, "alarm_raised", "alarm_acknowledged"):
            memory.recall(SimpleNamespace(type=type_, data=data))  # type: ignore[arg-type]
    assert memory.heard("a", START) == [] and memory.opened_at("b", START) == START


def test_a_record_that_came_late_belongs_to_its_own_incident() -> None:
    lab = Lab()
    lab.happen(HIGH, "on", START)
    lab.tick(START)
    late = lab.events.pop()
    lab.happen(HIGH, "ack", START + MINUTE_MS)
    lab.happen(HIGH, "realarm", START + 2 * MINUTE_MS)
    lab.events.append(late)
    memory = Memory()
    for event in lab.events:
        memory.recall(event)
    opened_at = memory.opened_at(HIGH.id, START)
    assert opened_at == START + 2 * MINUTE_MS and memory.heard(HIGH.id, opened_at) == []
    assert memory.heard(HIGH.id, START) == [(Key("high", 0, "op-1"), START, True)]
