"""A line that is cut hundreds of times, and a week of readings at once: all of it arrives, and how fast is printed."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.cut_lines import Proxy
from tests.joined import START, Gateway, Hub, fact, readings

from cultureops.device.reading import Quality, Reading, Reason
from cultureops.ledger import verify

WEEK_S = 7 * 24 * 3600


async def through_cuts(hub: Hub, room_1: Gateway, cuts: int, seed: int) -> None:
    """Record, measure and forward through a line that is cut so often."""
    dice, at = random.Random(seed), 0
    async with Proxy(hub.settings.port, dice, cut_one_in=8, most_delay_s=0.002) as proxy:
        room_1.connect(replace(room_1.settings, port=proxy.port, timeout_s=2.0))
        while proxy.cuts < cuts:
            await room_1.append(dice.randrange(1, 60))
            await room_1.ledger.sign_head()
            count = dice.randrange(1, 200)
            await room_1.read(at, count)
            at += count
            await room_1.forwarding.step()
    room_1.connect(replace(room_1.settings, port=hub.settings.port))
    assert await room_1.forwarding.step(), room_1.forwarding.status()
    held = hub.receiving.log("room_1")
    assert verify(held.path) == room_1.ledger.head()
    assert held.newest_head == room_1.ledger.signed_heads()[-1]
    assert [event.canonical for event in hub.events["room_1"]] == [e.canonical for e in room_1.ledger.read_all()]
    assert hub.readings["room_1"] == readings(0, at)


async def test_a_line_that_is_cut_again_and_again_loses_nothing(hub: Hub, room_1: Gateway) -> None:
    await through_cuts(hub, room_1, 6, seed=3)


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_a_line_that_is_cut_five_hundred_times_loses_nothing(
    hub: Hub, room_1: Gateway, record_property: Callable[[str, object], None]
) -> None:
    await through_cuts(hub, room_1, 500, seed=4)
    record_property("cuts", 500)
    record_property("events", room_1.ledger.head().position)
    record_property("readings", len(hub.readings["room_1"]))


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_a_week_without_the_hub_is_drained(
    hub: Hub, room_1: Gateway, record_property: Callable[[str, object], None]
) -> None:
    sent = Counter[Reading]()
    for start in range(0, WEEK_S, 3600):
        hour = [
            Reading(
                "inc_1/temperature", 36 + at % 97 / 100, Quality.GOOD, Reason.NONE, stamp := START + at * 1000, stamp
            )
            for at in range(start, start + 3600)
        ]
        sent.update(hour)
        for at in range(0, 3600, 600):
            await room_1.store.append(hour[at : at + 600])
        await room_1.store.seal(START + (start - 3600) * 1000)
    for _ in range(100):
        await room_1.ledger.append("batch:b1", [fact(number) for number in range(100)], None)
    began_s = time.perf_counter()
    assert await room_1.forwarding.step(), room_1.forwarding.status()
    took_s = time.perf_counter() - began_s
    assert Counter(hub.readings["room_1"]) == sent and sum(sent.values()) == WEEK_S
    held = hub.receiving.log("room_1")
    assert held.head() == room_1.ledger.head()
    record_property("readings", WEEK_S)
    record_property("events", held.head().position)
    record_property("seconds_to_drain", round(took_s, 2))
    print(f"{WEEK_S} readings and {held.head().position} events in {took_s:.2f} s: {WEEK_S / took_s:.0f} readings/s")


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_twenty_thousand_events_are_handed_over(
    hub: Hub, room_1: Gateway, record_property: Callable[[str, object], None]
) -> None:
    for _ in range(200):
        await room_1.ledger.append("batch:b1", [fact(number) for number in range(100)], None)
    began_s = time.perf_counter()
    assert await room_1.forwarding.step(), room_1.forwarding.status()
    took_s = time.perf_counter() - began_s
    events = hub.receiving.log("room_1").head().position
    record_property("events_a_second", round(events / took_s))
    print(f"{events} events in {took_s:.2f} s: {events / took_s:.0f} events/s")
    assert hub.receiving.log("room_1").head() == room_1.ledger.head()
