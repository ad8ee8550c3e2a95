"""A gateway's alarm events at the hub: read back as they were written, and nothing else believed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.alarms.test_events import RULE, T0

from cultureops.alarms import Act, Engine, State
from cultureops.alarms.events import alarm_event
from cultureops.alarms.followed import Followed
from cultureops.alarms.gateway import Gateway
from cultureops.alarms.reported import reported
from cultureops.clock import MINUTE_MS
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import StorageError
from cultureops.ledger.event import Actor, Event, Source

HERE = Gateway("room_1", (RULE.chamber,), (RULE.device,), (RULE,))
RECORDED = Event(1, "s", 1, "e", "t", {}, Actor("a", "OP"), Source.SYSTEM, T0, T0, "", 1, "room_1", "", b"", "")


def recorded(transition: Any) -> Event:
    stream, event_type, data = alarm_event(transition, ())
    return replace(RECORDED, stream=stream, type=event_type, data=data)


def story() -> list[Any]:
    """Every kind of transition that an alarm goes through."""
    engine, found = Engine((replace(RULE, on_delay_s=0, off_delay_s=0),)), list[Any]()
    act = Act("op-1", "seen", "op-2", "OP", "C-1")

    def show(value: float, at: int) -> None:
        found.extend(engine.evaluate([Reading(RULE.channel or "", value, Quality.GOOD, Reason.NONE, at, at)]))

    show(1.0, T0)
    found.append(engine.acknowledge(RULE.id, T0 + 1, act))
    show(9.0, T0 + 2)
    show(1.0, T0 + 3)
    found.append(engine.shelve(RULE.id, T0 + 4, act, T0 + 5 * MINUTE_MS))
    show(9.0, T0 + 5)
    show(1.0, T0 + 6)
    found += engine.tick(T0 + 6 * MINUTE_MS)
    found.append(engine.take_out(RULE.id, T0 + 7 * MINUTE_MS, act))
    return found


def test_a_transition_is_read_back_as_it_was_and_followed_as_it_stood() -> None:
    followed, engine_like = Followed([HERE]), story()
    assert len({one.what for one in engine_like}) >= 6
    for transition in engine_like:
        event = recorded(transition)
        again = reported(HERE, event)
        assert again == replace(transition, rule=RULE) or (
            transition.shelf is not None and replace(again, shelf=None) == replace(transition, rule=RULE, shelf=None)
        )
        assert recorded(again).data == event.data
        followed.take(HERE, again)
        view = followed.view(RULE.id)
        assert view is not None and view.state is transition.to_state
    assert followed.suppressed()[0].state is State.OUT_OF_SERVICE and followed.active() == ()


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("rule_id", ""), ("rule_id", "a\nb"), ("rule_id", 1), ("rule_id", "a/#"), ("rule_id", "a//b"),
        ("rule_id", "x" * 201), ("to_state", "HAPPY"), ("at", 7), ("at", "never"), ("at", "-0001-01-01T00:00:00Z"),
        ("value", "much"), ("value", True), ("since", None), ("shelf", {"since": "x"}), ("from_state", None),
    ],
)  # fmt: skip
def test_what_is_no_alarm_is_refused(key: str, wrong: Any) -> None:
    event = recorded(story()[0])
    with pytest.raises(StorageError, match="gateway room_1, position 1"):
        reported(HERE, replace(event, data={**event.data, key: wrong}))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(sorted(recorded(story()[4]).data)), JSON))
def test_whatever_a_gateway_writes_it_speaks_of_itself_or_is_refused(changes: dict[str, Any]) -> None:
    event = recorded(story()[4])
    followed = Followed([HERE])
    try:
        transition = reported(HERE, replace(event, data={**event.data, **changes}))
        followed.take(HERE, transition)
    except StorageError:
        return
    rule = transition.rule
    assert rule.batch is None and rule.chamber in (RULE.chamber, "gateway/room_1")
    assert rule.id == RULE.id or rule.id.startswith(("room_1:", f"{RULE.device}/", f"{RULE.chamber}/"))


def test_names_go_there_and_back() -> None:
    assert HERE.here(RULE.id) == RULE.id == HERE.there(RULE.id)
    own = "cultureops/fault/high"
    assert HERE.here(own) == f"room_1:{own}" and HERE.there(HERE.here(own)) == own


def test_a_gateway_that_invents_rules_without_end_is_stopped() -> None:
    followed, first = Followed([HERE]), story()[0]
    for number in range(1_000):
        followed.take(HERE, reported(HERE, _of(first, f"x/{number}")))
    with pytest.raises(StorageError, match="more than 1000"):
        followed.take(HERE, reported(HERE, _of(first, "x/more")))
    followed.take(HERE, reported(HERE, recorded(first)))
    assert len(followed.active()) == 1_001


def _of(transition: Any, rule_id: str) -> Event:
    event = recorded(transition)
    return replace(event, data={**event.data, "rule_id": rule_id})
