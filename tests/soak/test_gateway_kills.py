"""A hub and its gateways are killed at random while alarms come and go: the hub ends up with all of it, once."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.system.test_gateway_processes import ROOMS, Houses, houses, rows, start_incubator
from tests.system.test_run import connects, until

from cultureops.alarms.events import ALARM_EVENT_TYPES
from cultureops.clock import parse_iso
from cultureops.keeping.verifying import verify_folder
from cultureops.ledger.event import decode
from cultureops.telemetry import EmbeddedStore

__all__ = ["houses"]

ROUNDS = 25
CHANNELS = ("temperature", "co2", "humidity", "door")
FRESH_MS = 2_000
END_MS = 4_102_444_800_000


def alarms_told(houses: Houses, room: str) -> tuple[Counter[int], set[int]]:
    """Return how often the hub's record holds each position of a gateway's log, and which of them are alarms."""
    hub = [decode(canonical, hashed) for _, canonical, hashed in rows(houses.place("hub") / "ledger.sqlite")]
    told = Counter(int(str(one.data["origin_position"])) for one in hub if one.data.get("origin") == room
                   and one.stream.startswith("alarm:"))  # fmt: skip
    held = [
        decode(canonical, hashed) for _, canonical, hashed in rows(houses.place("hub") / "origins" / f"{room}.sqlite")
    ]
    return told, {one.position for one in held if one.type in ALARM_EVENT_TYPES}


async def kept(data_dir: Path, channel: str) -> list[tuple[int, str, int]]:
    store = EmbeddedStore.open(data_dir / "telemetry")
    try:
        series = await store.series(channel, 0, END_MS)
    finally:
        await store.close()
    columns = (series.source_ms.tolist(), [str(value) for value in series.value.tolist()], series.quality.tolist())
    return list(zip(*columns, strict=True))


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_kills_at_random_cost_no_reading_and_no_alarm(
    houses: Houses,
    record_property: Callable[[str, object], None],
) -> None:
    dice, killed = random.Random(9), 0
    for name in ("hub", *ROOMS):
        houses.start(name)
    until(lambda: len(houses.gateways()) == len(ROOMS), "the hub answers")
    for _ in range(ROUNDS):
        names = dice.sample(("hub", *ROOMS), dice.choice((1, 1, 2)))
        time.sleep(dice.uniform(0.0, 2.0))
        for name in names:
            houses.end(name, signal.SIGKILL)
            killed += 1
        if dice.random() < 0.5 and houses.incubator is not None:  # the instrument goes, or comes back
            if houses.incubator.poll() is None:
                houses.incubator.kill()
                houses.incubator.communicate()
            else:
                houses.incubator = start_incubator(houses.incubator_port)
        time.sleep(dice.uniform(0.0, 1.0))
        for name in names:
            houses.start(name)
    if houses.incubator is not None and houses.incubator.poll() is not None:
        houses.incubator = start_incubator(houses.incubator_port)
        until(lambda: connects(houses.incubator_port), "the instrument is back")

    def is_all_there() -> bool:
        told, latest = houses.gateways(), houses.read("/api/latest")
        if not told or not latest or not all(one["in_reach"] and one["events_waiting"] == 0 for one in told):
            return False
        ats = [latest["readings"][f"inc_{room}/co2"]["at"] for room in ROOMS]
        return all(parse_iso(latest["now"]) - parse_iso(at) < FRESH_MS for at in ats)

    until(is_all_there, "all is at the hub", 120)  # in order: what was before the newest is there too
    for room in ROOMS:
        houses.end(room, signal.SIGKILL)
    time.sleep(6)  # what the hub has taken it may still record
    assert houses.end("hub", signal.SIGTERM) == 0
    readings, alarms = 0, 0
    for room in ROOMS:
        log, copy = (rows(path) for path in (
            houses.place(room) / "ledger.sqlite", houses.place("hub") / "origins" / f"{room}.sqlite"))  # fmt: skip
        assert copy == log[: len(copy)] and len(log) - len(copy) <= 5
        told, said = alarms_told(houses, room)
        assert set(told) == said and set(told.values()) <= {1}, (told, said)
        alarms += len(said)
        for channel in CHANNELS:
            own = await kept(houses.place(room), f"inc_{room}/{channel}")
            there = await kept(houses.place("hub"), f"inc_{room}/{channel}")
            assert there == own[: len(there)] and len(own) - len(there) <= 25
            readings += len(there)
    assert verify_folder(houses.place("hub"), [], [], None).findings == []
    record_property("rounds", ROUNDS)
    record_property("killed", killed)
    record_property("readings compared", readings)
    record_property("alarm events relayed exactly once", alarms)
    assert readings > 200 and alarms > 2
