"""Watchers are told at once what calls for somebody, values at a pace, and everything in one message."""

import asyncio
import time

import pytest

from cultureops.acquisition.live import LiveFeed, Subscription
from cultureops.clock import SteppedClock
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.web import telling
from cultureops.web.telling import Telling

PACE_S, SOON_S = 0.2, 0.01


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "PACE_S", PACE_S)
    monkeypatch.setattr(telling, "SOON_S", SOON_S)


def reading(value: float) -> Reading:
    return Reading("inc/co2", value, Quality.GOOD, Reason.NONE, 0, 0)


async def heard(watcher: Subscription) -> tuple[str, float]:
    begun = time.monotonic()
    message = await watcher.next(2.0)
    assert message is not None
    return message.decode(), time.monotonic() - begun


async def test_the_newest_value_is_told_soon_and_the_next_one_at_its_pace() -> None:
    feed = LiveFeed()
    told = Telling(feed, SteppedClock(0), lambda _: b"alarms;")
    told.readings([reading(1.0)])  # nobody watches
    with feed.subscribe() as watcher:
        told.readings([reading(2.0)])
        told.readings([reading(3.0)])
        said, waited_s = await heard(watcher)
        assert "3.0" in said and "2.0" not in said and "1.0" not in said
        assert waited_s < PACE_S
        told.readings([reading(4.0)])
        told.alarms()
        told.batches(["B-1", "B-1"])
        said, waited_s = await heard(watcher)
        assert said.startswith("alarms;event: batches") and '["B-1"]' in said and "4.0" in said
        assert waited_s < PACE_S, "an alarm waits for no value"
        told.readings([reading(5.0)])
        said, waited_s = await heard(watcher)
        assert "alarms;" not in said and "batches" not in said and "5.0" in said
        assert waited_s > PACE_S / 2
        told.batches([])
        assert await watcher.next(2 * SOON_S) is None


async def test_a_flood_of_alarms_is_one_message_for_everybody() -> None:
    feed, encoded = LiveFeed(), []

    def alarms(now: int) -> bytes:
        encoded.append(now)
        return b"alarms;"

    told = Telling(feed, SteppedClock(7), alarms)
    with feed.subscribe() as one, feed.subscribe() as other:
        for _ in range(500):
            told.alarms()
        first, second = await asyncio.gather(one.next(2.0), other.next(2.0))
        assert first is second and first == b"alarms;"
        assert encoded == [7] and feed.dropped == 0
