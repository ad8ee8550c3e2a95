"""Months of partitions, restarts and full disks between a hub and its gateways: every alarm is at the hub once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.system.rooms import LOW, ROOMS, Room, hub_site, meet, open_house, open_hub_lab, open_room, room_site
from tests.system.test_alarm_exposure import START, seed_batch

from cultureops.alarms import Act
from cultureops.alarms.activation import Activations
from cultureops.alarms.command import AlarmCommand, Order
from cultureops.alarms.events import ALARM_EVENT_TYPES
from cultureops.clock import MINUTE_MS, SteppedClock
from cultureops.errors import CultureOpsError, StorageError
from cultureops.lab import Lab
from cultureops.ledger.event import Event
from cultureops.ledger.verify import verify

Record = Callable[[str, object], None]
pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]


def relayed(hub: Lab, room: str) -> list[tuple[str, int]]:
    events = (event for stream in hub.ledger.streams("alarm:") for event in hub.ledger.read(stream))
    own = [event for event in events if event.data.get("origin") == room]
    return [(one.type, int(str(one.data["origin_position"]))) for one in sorted(own, key=lambda one: one.position)]


def told(room: Room) -> list[tuple[str, int]]:
    wanted = (*ALARM_EVENT_TYPES, "alarm_command_refused")
    return [(event.type, event.position) for event in room.lab.ledger.read_all() if event.type in wanted]


def activations_of(room: Room) -> set[str]:
    """Return every activation that the gateway's own log tells of, announced or not."""
    known, found = Activations(), set[str]()
    for event in room.lab.ledger.read(f"alarm:{LOW}"):
        known.apply(event)
        if (latest := known.latest(LOW)) is not None:
            found.add(latest.id)
    return found


def check(hub: Lab, room: Room) -> None:
    """Hold the hub against the gateway: the same story, once, in order, and the same state at its end."""
    assert relayed(hub, room.name) == told(room)
    for view in (*room.lab.engine.active(), *room.lab.engine.suppressed()):
        here = hub.across.alarms.view(view.rule.id)
        if view.rule.device != "cultureops":
            assert here is not None and here.state is view.state and here.raised_at == view.raised_at
            assert view.state.is_suppressed or here.acknowledged_by == view.acknowledged_by
    assert hub.across.orders(room.name) == ()


@pytest.mark.parametrize("seed", range(12))
async def test_every_alarm_is_at_the_hub_once_whatever_is_cut(
    tmp_path: Path, seed: int, record_property: Record
) -> None:
    chance, clock = random.Random(seed), SteppedClock(START)
    sites = [room_site(tmp_path, name) for name in ROOMS]
    site = hub_site(tmp_path, sites)
    restarts = orders = 0
    async with open_room(tmp_path, sites[0], clock) as one, open_room(tmp_path, sites[1], clock) as two:
        rooms = (one, two)
        for life in range(8):
            async with open_hub_lab(tmp_path, site, clock, seed=life) as hub:
                if life == 0:
                    await seed_batch(hub, clock)
                for _ in range(30):
                    room = chance.choice(rooms)
                    room.is_cut_off = chance.random() < 0.4
                    room.sends_readings = chance.random() < 0.7
                    await room.breathe(clock, chance.choice((3.0, 5.0)), chance.randint(1, 20))
                    await _unless_the_disk_is_full(hub, room, chance)
                    if chance.random() < 0.3 and (views := hub.across.alarms.active()):
                        orders += await _ask(hub, chance.choice(views).rule.id, clock, chance)
                hub.across._relay._queues.clear()  # a stop takes along what is in memory
                restarts += 1
        async with open_hub_lab(tmp_path, site, clock, seed=99) as hub:
            for room in rooms:
                room.is_cut_off, room.sends_readings = False, True
                clock.advance(MINUTE_MS)
                await meet(room, hub)
                await meet(room, hub)
                check(hub, room)
            batch = hub.batches.get("B-1")
            assert batch is not None
            lived = activations_of(one)
            assert {exposure.id for exposure in batch.exposures} == lived
            assert all(exposure.minutes is not None for exposure in batch.exposures)
    verify(tmp_path / "data_hub" / "ledger.sqlite")
    record_property("exposures", len(lived))
    record_property("restarts", restarts)
    record_property("orders", orders)


async def _unless_the_disk_is_full(hub: Lab, room: Room, chance: random.Random) -> None:
    append, fatal, done = hub.ledger.append_many, chance.randint(1, 12), 0

    async def failing(groups: Any) -> tuple[Event, ...]:
        nonlocal done
        done += 1
        if done == fatal:
            raise StorageError("no space left")
        return await append(groups)

    hub.ledger.append_many = failing  # type: ignore[method-assign]
    try:
        await meet(room, hub)
    except StorageError:
        pass
    finally:
        hub.ledger.append_many = append  # type: ignore[method-assign]


async def _ask(hub: Lab, rule_id: str, clock: SteppedClock, chance: random.Random) -> int:
    act = Act("operator-1", "seen", "operator-2", "OP")
    what = chance.choice((Order.ACKNOWLEDGE, Order.ACKNOWLEDGE, Order.SHELVE, Order.TAKE_OUT, Order.RELEASE))
    try:
        await hub.alarming.desk.carry_out(AlarmCommand(what, rule_id, act, clock.now(), 10.0))
    except CultureOpsError:
        return 0
    return 1


@pytest.mark.parametrize(("rules", "cycles"), [(100, 50), (1, 250)])
async def test_what_a_gateway_kept_for_a_week_is_taken_in(
    tmp_path: Path, rules: int, cycles: int, record_property: Record
) -> None:
    """Transitions of many alarms, or of one that chatters, of a chamber with a batch."""
    clock = SteppedClock(START)
    async with open_house(tmp_path, clock) as (hub, (room,)):
        await seed_batch(hub, clock)
        for co2 in (3.0, 5.0):
            await room.breathe(clock, co2, 12)
        await room.hand_up(hub, most=0)
        cycle = room.lab.ledger.read(f"alarm:{LOW}")
        ids = [f"incubator_1/co2/low/{number}" for number in range(rules)]
        story = [(rule_id, event) for _ in range(cycles) for event in cycle for rule_id in ids]
        words = [
            replace(event, position=100 + number, data={**event.data, "rule_id": rule_id})
            for number, (rule_id, event) in enumerate(story)
        ]
        began = time.perf_counter()
        for start in range(0, len(words), 2_000):
            await hub.across.take("room_1", words[start : start + 2_000])
        await hub.settle()
        per_s = len(words) / (time.perf_counter() - began)
        assert len(relayed(hub, "room_1")) == len(words)
        record_property("transitions_per_s", round(per_s))
        print(f"\n{len(words)} transitions of {rules} alarms on record at the hub: {per_s:.0f}/s")
