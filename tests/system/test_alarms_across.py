"""Alarms of gateways at their hub: named batches, orders that are carried down, partitions, restarts, silence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.system.rooms import (
    CO2_LOW,
    LOW,
    ROOMS,
    hub_site,
    log_of,
    meet,
    open_house,
    open_hub_lab,
    open_room,
    room_site,
    sha256_of,
)
from tests.system.test_alarm_exposure import START, batch_of, seed_batch

from cultureops.across.hindsight import Past
from cultureops.alarms import Act, AlarmError, State
from cultureops.alarms.command import AlarmCommand, Order
from cultureops.clock import HOUR_MS, MINUTE_MS, SECOND_MS, SteppedClock, iso
from cultureops.errors import StorageError
from cultureops.gathering import open_alarms
from cultureops.lab import Lab
from cultureops.ledger.event import Actor, Event, NewEvent, Source
from cultureops.ledger.head import Head
from cultureops.notify.notifier import Notifier
from cultureops.sync import ClockOffset, Hello, OriginStatus
from cultureops.web.stream import alarm_row

SEEN = Act("operator-1", "on my way", role="OP")
WITNESSED = Act("operator-1", "gas is changed", "operator-2", "OP")


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


def alarm_log(lab: Lab, rule_id: str = LOW) -> list[tuple[str, int | None]]:
    return [(event.type, event.data.get("origin_position")) for event in lab.ledger.read(f"alarm:{rule_id}")]  # type: ignore[misc]


def types(lab: Lab, rule_id: str = LOW) -> list[str]:
    return [event.type for event in lab.ledger.read(f"alarm:{rule_id}")]


def order(what: Order, act: Act, clock: SteppedClock, **more: Any) -> AlarmCommand:
    return AlarmCommand(what, LOW, act, clock.now(), **more)


async def test_an_alarm_at_a_gateway_names_batches_at_the_hub(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await seed_batch(hub, clock)
        await room.breathe(clock, 3.0, 11, hub)
        (theirs,), (ours,) = room.lab.ledger.read(f"alarm:{LOW}"), hub.ledger.read(f"alarm:{LOW}")
        assert theirs.data["batch_ids"] == ["B-1"], "the gateway knows who stands there from the hub"
        assert ours.data["batch_ids"] == ["B-1"] and ours.occurred_at == theirs.occurred_at
        assert (ours.data["origin"], ours.data["origin_position"]) == ("room_1", theirs.position)
        (row,) = ours.data["exposures"]  # type: ignore[misc, union-attr]
        assert (row["minutes"], row["degree_minutes"], row["unknown_minutes"]) == (10.0, 10.0, 0.0)  # type: ignore[index, call-overload]
        (draft,) = batch_of(hub).open_deviations
        assert draft.drafted and batch_of(hub).exposures[0].wants_assessment
        (view,) = hub.alarms.active()
        assert (view.rule.id, view.state, view.value) == (LOW, State.UNACK, 3.0)
        assert [one.rule_id for one in open_alarms(hub.alarms) if one.gmp_critical] == [LOW], "a release is held"
        assert hub.engine.view(LOW) is None, "it is judged once, by its owner"
        await room.breathe(clock, 5.0, 3, hub)
        assert types(hub) == ["alarm_raised", "alarm_returned"] and hub.alarms.active()[0].state is State.RTN_UNACK
        (exposure,) = batch_of(hub).exposures
        assert (exposure.cleared_at, exposure.minutes, exposure.unknown_minutes) == (clock.now() - MINUTE_MS, 10.5, 0)


async def test_an_order_at_the_hub_is_carried_out_at_the_gateway(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await seed_batch(hub, clock)
        await room.breathe(clock, 3.0, 11, hub)
        view = await hub.alarming.desk.carry_out(order(Order.ACKNOWLEDGE, SEEN, clock))
        assert view is not None and view.state is State.UNACK
        assert view.waits == "acknowledge by operator-1 waits for gateway room_1"
        await meet(room, hub)
        assert room.lab.engine.active()[0].acknowledged_by == "operator-1"
        (acked,) = hub.alarms.active()
        assert (acked.state, acked.acknowledged_by, acked.waits) == (State.ACK, "operator-1", "")
        done = hub.ledger.read(f"alarm:{LOW}")[-1]
        asked = hub.ledger.read(f"alarm:{LOW}")[-2]
        assert (done.type, done.data["command_id"], done.actor.id) == (
            "alarm_acknowledged", asked.event_id, "operator-1",
        )  # fmt: skip
        assert hub.across.orders("room_1") == ()
        with pytest.raises(AlarmError, match="nothing to acknowledge"):
            await hub.alarming.desk.carry_out(order(Order.ACKNOWLEDGE, SEEN, clock))
        with pytest.raises(AlarmError, match="second person"):
            await hub.alarming.desk.carry_out(order(Order.SHELVE, SEEN, clock, minutes=10.0))


async def test_an_order_that_comes_twice_is_carried_out_once(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await room.breathe(clock, 3.0, 11, hub)
        await hub.alarming.desk.carry_out(order(Order.ACKNOWLEDGE, SEEN, clock))
        assert room.lab.outpost is not None
        for _ in range(3):
            await room.lab.outpost.on_orders(hub.across.orders("room_1"))
        await room.lab.settle()
        await room.lab.outpost.on_orders(hub.across.orders("room_1"))
        await room.lab.settle()
        assert types(room.lab) == ["alarm_raised", "alarm_command", "alarm_acknowledged"]
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await room.lab.outpost.on_orders(hub.across.orders("room_1"))  # type: ignore[union-attr]
        await room.lab.settle()
        assert types(room.lab).count("alarm_acknowledged") == 1, "nor after a restart of both"
        await meet(room, hub)
        assert hub.across.orders("room_1") == () and hub.alarms.active()[0].state is State.ACK


async def test_an_answer_that_comes_at_once_is_what_the_person_hears(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await room.breathe(clock, 3.0, 11, hub)
        hub.across.answer_within_s = 30.0
        room.lab._on_transitions([room.lab.engine.acknowledge(LOW, clock.now(), Act("op-there", "here already"))])

        async def answer() -> None:
            while not hub.across.orders("room_1"):
                await asyncio.sleep(0)
            await room.take_down(hub)
            await room.hand_up(hub)
            await hub.settle()

        asked = hub.alarming.desk.carry_out(order(Order.ACKNOWLEDGE, SEEN, clock))
        with pytest.raises(AlarmError, match="was acknowledged by op-there"):
            await asyncio.gather(asked, answer())
        hub.across.answer_within_s = 0.0
        view = await hub.alarming.desk.carry_out(order(Order.SHELVE, WITNESSED, clock, minutes=5.0))
        assert view is None or view.waits, "nobody answers: it is told as waiting"


async def test_no_gateway_answers_for_another(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock, ("room_1", "room_2")) as (hub, (room, _)):
        await room.breathe(clock, 3.0, 11, hub)
        await hub.alarming.desk.carry_out(order(Order.ACKNOWLEDGE, SEEN, clock))
        (asked,) = hub.across.orders("room_1")
        (raised,) = room.lab.ledger.read(f"alarm:{LOW}")
        forged = replace(
            raised, position=1, type="alarm_command_refused", data={"command_id": asked.id, "message": "no"}
        )
        await hub.across.take("room_2", [forged])
        await hub.settle()
        assert hub.across.orders("room_1") == (asked,)
        await meet(room, hub)
        assert hub.across.orders("room_1") == () and hub.alarms.view(LOW).state is State.ACK  # type: ignore[union-attr]


async def test_an_order_of_another_process_is_checked_at_the_hub(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await room.breathe(clock, 3.0, 11, hub)
        command = order(Order.RESET, SEEN, clock)
        asked = NewEvent("alarm_command", command.data(), Actor("operator-1", "OP"), Source.HUMAN, clock.now())
        (event,) = await hub.ledger.append(f"alarm:{LOW}", [asked], None)
        await hub.settle()
        refused = hub.ledger.read(f"alarm:{LOW}")[-1]
        assert (refused.type, refused.data["command_id"]) == ("alarm_command_refused", event.event_id)
        assert hub.across.orders("room_1") == ()


async def test_orders_while_cut_off_are_refused_when_stale_but_for_acknowledgements(
    tmp_path: Path, clock: SteppedClock
) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await room.breathe(clock, 3.0, 11, hub)
        room.is_cut_off = True
        raised_at = hub.alarms.active()[0].raised_at
        await hub.alarming.desk.carry_out(order(Order.TAKE_OUT, WITNESSED, clock))
        await hub.alarming.desk.carry_out(order(Order.ACKNOWLEDGE, SEEN, clock, raised_at=raised_at))
        await room.breathe(clock, 3.0, 60, hub)
        assert hub.alarms.active()[0].waits.startswith("acknowledge by operator-1")
        room.is_cut_off = False
        await meet(room, hub)
        assert types(hub)[-2:] == ["alarm_acknowledged", "alarm_command_refused"] or types(hub)[-2:] == [
            "alarm_command_refused", "alarm_acknowledged",
        ]  # fmt: skip
        refused = next(one for one in hub.ledger.read(f"alarm:{LOW}") if one.type == "alarm_command_refused")
        assert "too long ago" in str(refused.data["message"]) and refused.data["origin"] == "room_1"
        assert hub.alarms.active()[0].state is State.ACK and hub.alarms.active()[0].waits == ""


async def test_what_happened_in_a_partition_is_told_afterwards_once(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await seed_batch(hub, clock)
        await room.breathe(clock, 5.0, 2, hub)
        room.is_cut_off = True
        await room.breathe(clock, 3.0, 15, hub)
        await room.breathe(clock, 5.0, 10, hub)
        await room.breathe(clock, 3.0, 15, hub)
        assert types(room.lab) == ["alarm_raised", "alarm_returned", "alarm_raised"] and types(hub) == []
        assert "min ago: the hub is out of reach" in str(room.lab.ledger.read(f"alarm:{LOW}")[-1].data["text"])
        assert room.lab.ledger.read(f"alarm:{LOW}")[-1].data["batch_ids"] == ["B-1"]
        room.is_cut_off = False
        room.sends_readings = False
        await meet(room, hub)
        assert types(hub) == [], "the record waits a moment for the readings"
        clock.advance(6 * SECOND_MS)
        await hub.settle()
        assert types(hub) == ["alarm_raised", "alarm_returned", "alarm_raised"]
        first, second = batch_of(hub).exposures
        assert first.minutes is None and second.minutes is None, "nothing is invented"
        room.sends_readings = True
        await meet(room, hub)
        first, second = batch_of(hub).exposures
        assert (first.cleared_at, first.minutes, first.unknown_minutes) == (START + 19 * MINUTE_MS, 14.5, 0)
        assert second.cleared_at is None and second.minutes is not None and second.minutes >= 14
        assert len(batch_of(hub).open_deviations) == 1, "one that chatters drafts one"
        before = len(log_of(hub))
        await meet(room, hub)
        await hub.across.take("room_1", log_of(room.lab))
        await hub.settle()
        assert len(log_of(hub)) == before, "nothing is told twice"


class CutPower(Exception):
    """The process is gone at this append."""


@pytest.mark.parametrize("fatal", [2, 4, *(pytest.param(at, marks=pytest.mark.soak) for at in (1, 3, 5))])
async def test_a_hub_killed_at_any_append_tells_all_of_it_once(tmp_path: Path, clock: SteppedClock, fatal: int) -> None:
    rooms = [room_site(tmp_path, "room_1")]
    site = hub_site(tmp_path, rooms)
    async with open_room(tmp_path, rooms[0], clock) as room:
        async with open_hub_lab(tmp_path, site, clock) as hub:
            await seed_batch(hub, clock)
            await room.take_down(hub)
            for co2 in (3.0, 5.0, 3.0, 5.0):
                await room.breathe(clock, co2, 12)
            appended, append = 0, hub.ledger.append_many

            async def failing(groups: Any) -> tuple[Event, ...]:
                nonlocal appended
                appended += 1
                if appended >= fatal:
                    raise StorageError("no power")
                return await append(groups)

            hub.ledger.append_many = failing  # type: ignore[method-assign]
            with pytest.raises(StorageError) if fatal < 5 else _nothing():
                await room.hand_up(hub)
                await hub.settle()
            hub.ledger.append_many = append  # type: ignore[method-assign]
            hub.across._relay._queues.clear()  # what is in memory is gone with the process
        async with open_hub_lab(tmp_path, site, clock, seed=2) as hub:
            assert hub.across.taken("room_1") == max([place or 0 for _, place in alarm_log(hub)], default=0)
            await meet(room, hub)
            theirs = [(one.type, one.position) for one in room.lab.ledger.read(f"alarm:{LOW}")]
            ours = [one for one in alarm_log(hub) if one[0] != "alarm_exposure_revised"]
            assert ours == theirs and len(theirs) == 4
            assert [one.cleared_at is not None for one in batch_of(hub).exposures] == [True, True]
            assert len(batch_of(hub).deviations) == 1
            assert hub.alarms.active()[0].state is State.RTN_UNACK


def _nothing() -> Any:
    import contextlib

    return contextlib.nullcontext()


async def test_a_restarted_hub_knows_how_followed_alarms_stand(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await seed_batch(hub, clock)
        await room.breathe(clock, 3.0, 11, hub)
        before = hub.alarms.active()
    async with open_house(tmp_path, clock) as (hub, (room,)):
        assert replace(hub.alarms.active()[0], value=None) == replace(before[0], value=None)
        assert types(hub) == ["alarm_raised"], "nothing is closed, nothing told anew"


async def test_own_alarms_of_two_gateways_are_two(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock, ("room_1", "room_2")) as (hub, rooms):
        for room in rooms:
            room.lab._watch_store()
            room.lab.alarming.take([_own_fault(clock)])
            await meet(room, hub)
        ids = [view.rule.id for view in hub.alarms.active()]
        assert ids == ["room_1:cultureops/fault/high", "room_2:cultureops/fault/high"]
        seen = AlarmCommand(Order.ACKNOWLEDGE, ids[0], SEEN, clock.now())
        await hub.alarming.desk.carry_out(seen)
        await meet(rooms[0], hub)
        assert [view.state for view in hub.alarms.active()] == [State.ACK, State.UNACK]
        assert [view.state for view in rooms[0].lab.engine.active()] == [State.ACK]


def _own_fault(clock: SteppedClock) -> Any:
    from cultureops.alarms.own import FAULT, own_reading

    return own_reading(FAULT, 1.0, clock.now())


async def test_a_gateway_speaks_of_its_own_chambers_alone(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock, ("room_1", "room_2")) as (hub, (room_1, _)):
        await seed_batch(hub, clock, "B-1", "incubator_1")
        await room_1.breathe(clock, 3.0, 11, None)
        (theirs,) = room_1.lab.ledger.read(f"alarm:{LOW}")
        forged = [
            replace(theirs, position=1),
            replace(theirs, position=2, data={**theirs.data, "rule_id": "x", "chamber": "incubator_1", "batch": "B-1"}),
            replace(theirs, position=3, data={**theirs.data, "at": "never"}),
            replace(theirs, position=4, data={**theirs.data, "to_state": "HAPPY"}),
            replace(theirs, position=5, type="alarm_command_refused", data={}),
        ]
        await hub.across.take("room_2", forged)
        await hub.settle()
        assert hub.alarms.view(LOW).state is State.NORMAL  # type: ignore[union-attr]
        assert {view.rule.chamber for view in hub.alarms.active()} == {"gateway/room_2"}
        assert batch_of(hub).exposures == () and hub.across.taken("room_2") == 5


async def test_the_alarm_of_a_rule_that_left_the_gateway_is_closed_there_and_here(
    tmp_path: Path, clock: SteppedClock
) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await room.breathe(clock, 3.0, 11, hub)
    async with open_house(tmp_path, clock, rules="") as (hub, (room,)):
        assert [view.rule.id for view in hub.alarms.active()] == [LOW], "it stands until the gateway says otherwise"
        await meet(room, hub)
        assert types(hub)[-1] == "alarm_cleared" and hub.alarms.active() == ()
        assert "left the site file" in str(hub.ledger.read(f"alarm:{LOW}")[-1].data["cause"])


async def test_the_alarm_of_a_gateway_that_left_is_closed(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await room.breathe(clock, 3.0, 11, hub)
    async with open_hub_lab(tmp_path, hub_site(tmp_path, []), clock) as hub:
        await hub.settle()
        assert types(hub)[-1] == "alarm_cleared" and hub.alarms.active() == ()


async def test_unknown_occupancy_counts_as_occupied(tmp_path: Path, clock: SteppedClock) -> None:
    quiet = CO2_LOW.format(chamber="incubator_1", critical="false") + 'when_empty = "suppress"\n'
    async with open_house(tmp_path, clock, rules=quiet) as (hub, (room,)):
        room.is_cut_off = True
        await room.breathe(clock, 3.0, 12, hub)
        assert [view.rule.id for view in room.lab.engine.active()] == [LOW], "nobody has said who stands there"
        assert "not known" in str(room.lab.ledger.read(f"alarm:{LOW}")[0].data["text"])
        await room.breathe(clock, 5.0, 3, hub)
        room.is_cut_off = False
        await meet(room, hub)
        await hub.alarming.desk.carry_out(order(Order.ACKNOWLEDGE, SEEN, clock))
        await meet(room, hub)
        await room.breathe(clock, 3.0, 14, hub)
        assert types(room.lab).count("alarm_raised") == 1, "an empty chamber alarms nobody"
        room.is_cut_off = True
        await room.breathe(clock, 3.0, 20, hub)
        assert types(room.lab)[-1] == "alarm_raised", "what was known is too old"


async def test_a_restarted_gateway_still_names_the_batches(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await seed_batch(hub, clock)
        await meet(room, hub)
    clock.advance(2 * HOUR_MS)
    async with open_room(tmp_path, room_site(tmp_path, "room_1"), clock) as room:
        await room.breathe(clock, 3.0, 11)
        (raised,) = room.lab.ledger.read(f"alarm:{LOW}")
        assert raised.data["batch_ids"] == ["B-1"] and "as known at 2026-01-05T08:0" in str(raised.data["text"])


def status(clock: SteppedClock, **more: Any) -> OriginStatus:
    hello = Hello("room_1", "1", "b", more.pop("site_sha256", "0" * 64), clock.now(), Head(), 0, None, None)
    known: dict[str, Any] = {
        "heard_at": clock.now(), "held": Head(), "newest_head": None, "cursor": "", "hello": hello, "offset": None,
        "events_waiting": 0, "readings_waiting": 0, "waiting_since": None, "certificate_ends": clock.now(),
        "forked": False, "problem": None,
    }  # fmt: skip
    return OriginStatus(**(known | more))


async def test_a_silent_gateway_is_an_alarm_that_names_all_its_batches(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await seed_batch(hub, clock)
        said = {"room_1": status(clock, site_sha256=sha256_of(room.lab.site))}
        hub.across.watch(lambda: said)
        for _ in range(61):
            hub.tick(clock.advance(SECOND_MS))
        await hub.settle()
        (view,) = hub.alarms.active()
        assert view.rule.id == "cultureops/gateway_room_1_silent_s/high" and view.rule.chamber == "gateway/room_1"
        (raised,) = hub.ledger.read(f"alarm:{view.rule.id}")
        assert raised.data["batch_ids"] == ["B-1"] and "batch inside: B-1" in str(raised.data["text"])
        assert str(raised.data["text"]).startswith("gateway room_1: ")
        assert [one.rule_id for one in batch_of(hub).exposures] == [view.rule.id]
        assert batch_of(hub).deviations == (), "values that come late tell what the batch lived through"
        said["room_1"] = status(clock, site_sha256=sha256_of(room.lab.site))
        hub.tick(clock.advance(SECOND_MS))
        await hub.settle()
        (exposure,) = batch_of(hub).exposures
        assert exposure.cleared_at is not None and exposure.minutes == exposure.unknown_minutes == 0.0333
        said["room_1"] = status(clock, site_sha256=sha256_of(room.lab.site), heard_at=clock.now() + HOUR_MS)
        hub.tick(clock.advance(SECOND_MS))
        assert hub.engine.active()[0].rule.id == view.rule.id, "the hub's clock was set back: nobody knows"


@pytest.mark.parametrize(
    ("wrong", "rule_id"),
    [
        ({"offset": ClockOffset(7_000, 100)}, "cultureops/gateway_room_1_clock_s/high"),
        ({"site_sha256": "f" * 64}, "cultureops/gateway_room_1_site_differs/high"),
        ({"forked": True, "problem": "it forked"}, "cultureops/gateway_room_1_log_forked/high"),
        ({"problem": "can't be read"}, "cultureops/gateway_room_1_refused/high"),
    ],
)
async def test_a_gateway_that_is_not_what_it_should_be_is_an_alarm(
    tmp_path: Path, clock: SteppedClock, wrong: dict[str, Any], rule_id: str
) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await seed_batch(hub, clock)
        right = {"site_sha256": sha256_of(room.lab.site), "offset": ClockOffset(-6_000, 1_500)}
        hub.across.watch(lambda: {"room_1": status(clock, **right)})
        hub.tick(clock.advance(SECOND_MS))
        assert hub.alarms.active() == ()
        hub.across.watch(lambda: {"room_1": status(clock, **(right | wrong))})
        for _ in range(62):
            hub.tick(clock.advance(SECOND_MS))
            await hub.settle()
        assert [view.rule.id for view in hub.alarms.active()] == [rule_id]
        unheard = rule_id.endswith(("log_forked/high", "refused/high"))
        (raised,) = hub.ledger.read(f"alarm:{rule_id}")
        assert raised.data["batch_ids"] == (["B-1"] if unheard else []), "whose chambers nobody here hears of"


async def test_what_a_gateway_left_open_that_is_none_any_more_is_closed_on_record(
    tmp_path: Path, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await seed_batch(hub, clock)
        await room.breathe(clock, 3.0, 11, hub)
    monkeypatch.setitem(ROOMS, "room_1b", "incubator_1")  # a new machine under a new name
    async with open_house(tmp_path, clock, ["room_1b"]) as (hub, (room,)):
        await hub.settle()
        closed = hub.ledger.read(f"alarm:{LOW}")[-1]
        assert closed.type == "alarm_cleared" and "its rule has left" in str(closed.data["cause"])
        await room.breathe(clock, 3.0, 11, hub)
        assert alarm_log(hub) == [("alarm_raised", 3), ("alarm_cleared", None), ("alarm_raised", 3)]
        assert [one.rule.id for one in hub.alarms.active()] == [LOW] and len(batch_of(hub).exposures) == 2


async def test_what_was_over_before_the_hub_heard_of_it_is_told_though_the_hub_stops_before_it_has_told(
    tmp_path: Path, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    news: list[tuple[str, str]] = []

    def note_past(_: Notifier, pasts: Sequence[Past]) -> None:
        news.extend((iso(one.raised.at), one.ended.to_state.value) for one in pasts)

    monkeypatch.setattr(Notifier, "note_past", note_past)
    async with open_house(tmp_path, clock) as (hub, (room,)):
        room.is_cut_off = True
        await room.breathe(clock, 3.0, 11, hub)
        raised_at = iso(clock.now())
        await room.breathe(clock, 5.0, 3, hub)
        room.lab._on_transitions([room.lab.engine.acknowledge(LOW, clock.now(), SEEN)])
        await room.lab.settle()
        room.is_cut_off = False
        await meet(room, hub)
        assert types(hub)[0] == "alarm_raised" and hub.alarms.active() == () and news == []
    async with open_house(tmp_path, clock) as (hub, _):
        assert news == [(raised_at, "NORMAL")]
        told = {"told": [{"rule_id": LOW, "raised_at": raised_at, "news": "ended"}]}
        sent = NewEvent("notification_sent", told, Actor("cultureops", "system"), Source.SYSTEM)
        await hub.ledger.append("notify", [sent], None)
    async with open_house(tmp_path, clock):
        assert len(news) == 1, "who was told is not told again"


async def test_an_alarm_of_a_gateway_out_of_reach_says_as_of_when_it_is(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await room.breathe(clock, 3.0, 11, hub)
        said = {"room_1": status(clock, site_sha256=sha256_of(room.lab.site))}
        hub.across.watch(lambda: said)
        heard_at = clock.now()
        clock.advance(15 * SECOND_MS)
        assert hub.alarms.active()[0].unheard_since is None
        clock.advance(1)
        (view,) = hub.alarms.active()
        assert view.unheard_since == heard_at and hub.alarms.view(LOW) == view
        row = alarm_row(view, hub.batches.exposed, clock.now())
        assert row["unheard_since"] == iso(heard_at)
