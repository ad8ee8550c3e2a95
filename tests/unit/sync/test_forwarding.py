"""What a gateway recorded and measured arrives at its hub whole, in order and once; what the hub has comes down."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cut_lines import Proxy
from tests.joined import CHANNELS, START, Gateway, Hub, readings

from cultureops.clock import MINUTE_MS, SECOND_MS, SteppedClock
from cultureops.errors import ChainBroken, StorageError
from cultureops.ledger import verify
from cultureops.sync import Order, Standing, origin
from cultureops.sync.hello import MOST_ORDERS


def rows_of(path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return db.execute("SELECT position, stream, version, canonical, hash FROM events ORDER BY position").fetchall()


async def test_events_arrive_byte_for_byte_with_their_heads(hub: Hub, room_1: Gateway) -> None:
    await room_1.append(300)
    await room_1.ledger.sign_head()
    assert await room_1.forwarding.step(), room_1.forwarding.status()
    held = hub.receiving.log("room_1")
    assert held.head() == room_1.ledger.head()
    assert held.signed_heads() == room_1.ledger.signed_heads()
    assert rows_of(held.path) == rows_of(room_1.folder / "ledger.sqlite")
    assert [event.canonical for event in hub.events["room_1"]] == [e.canonical for e in room_1.ledger.read_all()]
    assert verify(held.path) == room_1.ledger.head()


async def test_readings_arrive_equal_and_once(hub: Hub, room_1: Gateway) -> None:
    await room_1.read(0, 250)
    await room_1.read(0, 50, "inc_1/co2")
    assert await room_1.forwarding.step(), room_1.forwarding.status()
    assert await room_1.forwarding.step()
    assert hub.readings["room_1"] == readings(0, 250) + readings(0, 50, "inc_1/co2")
    assert hub.channels == CHANNELS
    await room_1.read(250, 1)
    assert await room_1.forwarding.step()
    assert hub.readings["room_1"][300:] == readings(250, 1)


async def test_sealed_readings_arrive_too(hub: Hub, room_1: Gateway) -> None:
    await room_1.read(0, 4000)
    await room_1.store.seal(START + 2 * 3_600_000)
    await room_1.read(4000, 10)
    assert await room_1.forwarding.step(), room_1.forwarding.status()
    assert sorted(hub.readings["room_1"], key=lambda reading: reading.source_time) == readings(0, 4010)


async def test_standing_and_orders_come_down(hub: Hub, room_1: Gateway) -> None:
    hub.standing = Standing(START, {"inc_1": ("b-1", "b-2"), "inc_2": ()})
    hub.orders["room_1"] = [Order("018f-1", {"command": "acknowledge", "rule": "too warm", "n": 1.5})]
    assert await room_1.forwarding.step()
    assert room_1.standings == [hub.standing]
    assert room_1.orders == hub.orders["room_1"]


async def test_orders_beyond_what_an_answer_takes_wait_for_the_next(hub: Hub, room_1: Gateway) -> None:
    hub.orders["room_1"] = [Order(f"018f-{number}", {}) for number in range(MOST_ORDERS + 1)]
    assert await room_1.forwarding.step(), room_1.forwarding.status()
    assert len(room_1.orders) == MOST_ORDERS


async def test_one_gateway_gets_nothing_of_the_other(hub: Hub, room_1: Gateway, room_2: Gateway) -> None:
    hub.orders["room_2"] = [Order("018f-2", {})]
    await room_1.append(3)
    await room_2.append(5)
    assert await room_1.forwarding.step()
    assert await room_2.forwarding.step()
    assert room_1.orders == []
    assert [len(hub.events[name]) for name in ("room_1", "room_2")] == [4, 6]
    assert {event.origin for event in hub.events["room_2"]} == {"room_2"}


async def test_a_hub_that_is_away_costs_nothing_but_time(hub: Hub, room_1: Gateway) -> None:
    await room_1.append(2)
    assert await room_1.forwarding.step()
    await hub.close()
    await room_1.append(7)
    await room_1.read(0, 30)
    assert not await room_1.forwarding.step()
    status = room_1.forwarding.status()
    assert (status.connected, status.events_waiting, status.readings_waiting) == (False, 7, 30)
    assert "https://127.0.0.1" in (status.last_error or "")
    await hub.open()
    assert await room_1.forwarding.step(), room_1.forwarding.status()
    status = room_1.forwarding.status()
    assert (status.connected, status.events_waiting, status.readings_waiting) == (True, 0, 0)
    assert len(hub.events["room_1"]) == 10 and len(hub.readings["room_1"]) == 30


async def test_events_that_can_not_be_taken_in_are_handed_on_again(
    hub: Hub, room_1: Gateway, clock: SteppedClock
) -> None:
    hub.failing = StorageError("the hub's ledger is closed")
    await room_1.append(4)
    assert await room_1.forwarding.step(), "the log is durable whatever becomes of it"
    assert "can't be taken in: the hub's ledger is closed" in (hub.receiving.status()["room_1"].problem or "")
    hub.failing = None
    clock.advance(2 * SECOND_MS)
    await room_1.append(1)
    assert await room_1.forwarding.step()
    assert [event.position for event in hub.events["room_1"]] == [1, 2, 3, 4, 5, 6]
    assert hub.receiving.status()["room_1"].problem is None


async def test_readings_that_can_not_be_kept_are_sent_again(hub: Hub, room_1: Gateway) -> None:
    hub.failing = StorageError("disk full")
    await room_1.read(0, 10)
    assert not await room_1.forwarding.step()
    assert "disk full" in (room_1.forwarding.status().last_error or "")
    hub.failing = None
    assert await room_1.forwarding.step()
    assert hub.readings["room_1"] == readings(0, 10)


async def test_a_restarted_hub_goes_on_where_it_was(hub: Hub, room_1: Gateway) -> None:
    await room_1.append(10)
    await room_1.read(0, 10)
    assert await room_1.forwarding.step()
    await hub.close()
    hub.events["room_1"] = hub.events["room_1"][:4]  # what its ledger says that it has taken in
    await hub.open()
    await room_1.append(1)
    await room_1.read(10, 10)
    assert await room_1.forwarding.step(), room_1.forwarding.status()
    assert [event.position for event in hub.events["room_1"]] == list(range(1, 13))
    assert hub.readings["room_1"] == readings(0, 20)


async def test_a_store_that_was_lost_is_sent_whole(hub: Hub, room_1: Gateway) -> None:
    await room_1.read(0, 10)
    await room_1.read(10, 10)
    assert await room_1.forwarding.step()
    await room_1.close()
    for file in (room_1.folder / "telemetry").rglob("*"):
        if file.is_file():
            file.unlink()
    await room_1.open()  # without a word to the hub: its store is still short
    await room_1.close()
    await room_1.open()
    for at in range(20, 30):
        await room_1.read(at, 1)
    assert await room_1.forwarding.step()
    assert hub.readings["room_1"] == readings(0, 30)


async def test_heads_are_recorded_once_a_minute_and_before_a_silence(
    hub: Hub, room_1: Gateway, clock: SteppedClock
) -> None:
    for _ in range(10):
        await room_1.append()
        await room_1.ledger.sign_head()
        assert await room_1.forwarding.step()
        clock.advance(6 * SECOND_MS)
    assert len(hub.heads) == 1
    clock.advance(MINUTE_MS)
    await asyncio.sleep(0)  # the hub's own watch is due
    assert hub.heads[-1] == room_1.ledger.signed_heads()[-1]


async def test_clocks_are_compared_from_the_second_greeting_on(hub: Hub, room_1: Gateway) -> None:
    assert await room_1.forwarding.step()
    assert await room_1.forwarding.step()
    offsets = [offset for _, _, offset in hub.hellos]
    assert offsets[0] is None
    assert offsets[1] is not None and (offsets[1].offset_ms, offsets[1].uncertainty_ms) == (0, 1)
    status = hub.receiving.status()["room_1"]
    assert status.hello is not None and status.hello.site_sha256 == "ab" * 32
    assert status.offset == offsets[1]


async def test_a_gateway_that_was_put_back_is_told_and_its_readings_go_on(
    hub: Hub, room_1: Gateway, clock: SteppedClock
) -> None:
    await room_1.append(3)
    await room_1.close()
    backup = (room_1.folder / "ledger.sqlite").read_bytes()
    await room_1.open()
    await room_1.append(5)
    hub.orders["room_1"] = [Order("018f-3", {})]
    assert await room_1.forwarding.step()
    await room_1.close()
    for file in room_1.folder.glob("ledger.sqlite*"):
        file.unlink()
    (room_1.folder / "ledger.sqlite").write_bytes(backup)
    await room_1.open()
    room_1.orders.clear()
    await room_1.read(0, 10)
    assert not await room_1.forwarding.step()
    status = hub.receiving.status()["room_1"]
    assert status.forked and "its log ends at 4, 9 events of it are here" in (status.problem or "")
    assert "put back or cut off" in (room_1.forwarding.status().last_error or "")
    assert room_1.forwarding.status().connected
    assert room_1.orders == [], "nobody could hear its answers"
    assert hub.readings["room_1"] == readings(0, 10)
    await room_1.append(7)  # longer than what is held, and another history
    clock.advance(2 * MINUTE_MS)
    assert not await room_1.forwarding.step()
    status = hub.receiving.status()["room_1"]
    assert status.forked and "does not follow from what is held" in (status.problem or "")
    assert [event.position for event in hub.events["room_1"]] == list(range(1, 10))
    assert hub.receiving.log("room_1").head().position == 9


async def test_an_answer_that_is_lost_after_the_commit_doubles_nothing(
    hub: Hub, room_1: Gateway, tmp_path: Path
) -> None:
    await room_1.append(600)
    await room_1.read(0, 500)
    async with Proxy(hub.settings.port) as proxy:
        room_1.connect(replace(room_1.settings, port=proxy.port))
        for answered in range(1, 7):  # the greeting's answer arrives, or also the next one, and so on
            proxy.cut_after_answers = answered
            if await room_1.forwarding.step():
                break
        proxy.cut_after_answers = None
        assert await room_1.forwarding.step(), room_1.forwarding.status()
    assert proxy.cuts >= 3
    assert [event.position for event in hub.events["room_1"]] == list(range(1, 602))
    assert hub.readings["room_1"] == readings(0, 500)


async def test_it_runs_beside_the_lab_and_wakes_when_the_ledger_grows(hub: Hub, room_1: Gateway) -> None:
    room_1.connect(replace(room_1.settings, period_s=60.0))
    running = asyncio.create_task(room_1.forwarding.run())
    async with asyncio.timeout(10):
        while not room_1.standings:
            await asyncio.sleep(0.01)
        while hub.receiving.log("room_1").head() != room_1.ledger.head():
            await asyncio.sleep(0.01)
        await room_1.append()
        while hub.receiving.log("room_1").head() != room_1.ledger.head():
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert room_1.ledger.on_append == []


async def test_it_backs_off_while_the_hub_is_away_and_comes_back(
    hub: Hub, room_1: Gateway, clock: SteppedClock
) -> None:
    await hub.close()
    tries = 0
    step = room_1.forwarding.step

    async def counted() -> bool:
        nonlocal tries
        is_whole = await step()
        tries += 1
        return is_whole

    room_1.forwarding.step = counted  # type: ignore[method-assign]
    running = asyncio.create_task(room_1.forwarding.run())
    async with asyncio.timeout(20):
        for wanted, wait_s in enumerate((1, 2, 4, 8, 16, 32, 60, 60), 1):
            while tries < wanted or not clock._sleepers:
                await asyncio.sleep(0.002)
            clock.advance(wait_s * SECOND_MS - 1)
            await asyncio.sleep(0.01)
            assert tries == wanted
            clock.advance(1)
        await hub.open()
        while not room_1.standings:
            clock.advance(60 * SECOND_MS)
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_copy_that_is_damaged_is_named_and_sent_again(hub: Hub, room_1: Gateway) -> None:
    await room_1.append(30)
    await room_1.ledger.sign_head()
    assert await room_1.forwarding.step()
    copy = hub.receiving.log("room_1").path
    await hub.close()
    spoiled = copy.read_bytes().replace(b'"number":7', b'"number":8')
    copy.write_bytes(spoiled)
    with pytest.raises(ChainBroken, match="elsewhere as evidence: room_1 sends it again"):
        await hub.open()
    copy.unlink()
    await hub.open()
    await room_1.append()
    assert await room_1.forwarding.step(), room_1.forwarding.status()
    assert hub.receiving.log("room_1").head() == verify(copy) == room_1.ledger.head()
    assert [event.position for event in hub.events["room_1"]] == list(range(1, 33)), "none was told of twice"


@pytest.mark.parametrize("is_longer", [False, True])
async def test_a_log_begun_anew_under_an_old_name_is_not_taken_for_the_old_one(
    hub: Hub, room_1: Gateway, clock: SteppedClock, is_longer: bool
) -> None:
    await room_1.append(8)
    await room_1.ledger.sign_head()
    assert await room_1.forwarding.step() and len(hub.heads) == 1
    await hub.close()
    # the hub's copy is put aside, and the gateway has a new disk
    (hub.folder / "origins" / "room_1.sqlite").unlink()
    await room_1.close()
    for file in room_1.folder.glob("ledger.sqlite*"):
        file.unlink()
    await room_1.open()
    await hub.open()
    await room_1.append(20 if is_longer else 2)
    assert not await room_1.forwarding.step(), "what it says at positions told before would be told to nobody"
    status = hub.receiving.status()["room_1"]
    said = "not the one whose head" if is_longer else "the hub's record knows of 9 events"
    assert status.forked and said in (status.problem or "")
    assert [event.position for event in hub.events["room_1"]] == list(range(1, 10))


async def test_a_gateway_leaves_the_hub_room_for_its_own_record(
    hub: Hub, room_1: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room_1.append(3)
    await room_1.read(0, 10)
    with monkeypatch.context() as disk:
        disk.setattr(origin, "READINGS_RESERVE", 2**62)
        assert not await room_1.forwarding.step()
        assert "are kept for itself" in (hub.receiving.status()["room_1"].problem or "")
        assert len(hub.events["room_1"]) == 4 and "room_1" not in hub.readings, "alarms are heard of to the last"
        disk.setattr(origin, "EVENTS_RESERVE", 2**62)
        await room_1.append()
        assert not await room_1.forwarding.step() and len(hub.events["room_1"]) == 4
        assert (hub.receiving.status()["room_1"].problem or "").count("are kept for itself") == 2
    assert await room_1.forwarding.step() and len(hub.events["room_1"]) == 5
    assert hub.readings["room_1"] == readings(0, 10) and hub.receiving.status()["room_1"].problem is None
