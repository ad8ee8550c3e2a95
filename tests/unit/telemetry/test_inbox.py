"""What waits for the disk stays in order and within its bound."""

import asyncio

from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry.frame import take_apart
from cultureops.telemetry.inbox import Append, Inbox
from cultureops.telemetry.store import ChannelInfo

INFO = ChannelInfo("Cel")


def append(readings: int) -> Append:
    row = Reading("a/t", 1.0, Quality.GOOD, Reason.NONE, 0, 0)
    return Append(take_apart([row] * readings, {"a/t": 1})[1], asyncio.get_running_loop().create_future())


async def test_the_oldest_make_room_for_the_newest() -> None:
    inbox, appends = Inbox(10, 0.0), [append(4) for _ in range(4)]
    assert [inbox.put(item) for item in appends] == [[], [], [appends[0]], [appends[1]]]
    assert inbox.take(9, 0).appends == appends[2:]


async def test_one_frame_is_taken_however_large() -> None:
    inbox, large = Inbox(10, 0.0), append(40)
    assert inbox.put(large) == []
    assert inbox.take(9, 0).appends == [large]


async def test_work_that_failed_is_first_in_line_again() -> None:
    inbox, appends = Inbox(100, 0.0), [append(1) for _ in range(5)]
    for item in appends[:3]:
        inbox.put(item)
    inbox.declare({"a/t": (1, INFO)})
    work = inbox.take(2, 0)
    assert (work.appends, work.channels) == (appends[:2], {"a/t": (1, INFO)})
    inbox.put(appends[3])
    refused, waiting = inbox.put_back(work)
    assert (refused, waiting.appends) == ([], appends[:4])
    inbox.put(appends[4])
    again = inbox.take(9, 0)
    assert (again.appends, again.channels) == (appends, {"a/t": (1, INFO)})


async def test_what_is_put_back_makes_room_too() -> None:
    inbox, appends = Inbox(4, 0.0), [append(2) for _ in range(4)]
    for item in appends[:2]:
        inbox.put(item)
    work = inbox.take(2, 0)
    for item in appends[2:]:
        inbox.put(item)
    refused, waiting = inbox.put_back(work)
    assert (refused, waiting.appends) == (appends[:2], appends[2:])


async def test_a_flush_waits_for_all_that_was_before_it() -> None:
    inbox, done = Inbox(100, 0.0), asyncio.get_running_loop().create_future()
    for _ in range(3):
        inbox.put(append(1))
    inbox.flush(done)
    inbox.end()
    first, second = inbox.take(2, 0), inbox.take(2, 0)
    assert (first.flushes, first.ends) == ([], False)
    assert (second.flushes, second.ends) == ([done], True)


async def test_a_failure_holds_no_flush_back() -> None:
    inbox, done = Inbox(100, 0.0), asyncio.get_running_loop().create_future()
    for _ in range(3):
        inbox.put(append(1))
    inbox.flush(done)
    _, waiting = inbox.put_back(inbox.take(2, 0))
    assert waiting.flushes == [done]
    assert inbox.take(9, 0).flushes == []


async def test_a_cut_comes_with_the_last_append_before_it_and_none_after_it() -> None:
    inbox, appends = Inbox(100, 0.0), [append(1) for _ in range(5)]
    first, second = (asyncio.get_running_loop().create_future() for _ in range(2))
    inbox.cut(1, first)
    for item in appends[:3]:
        inbox.put(item)
    inbox.cut(2, second)
    for item in appends[3:]:
        inbox.put(item)
    taken = [inbox.take(2, 0) for _ in range(4)]
    assert [work.appends for work in taken] == [[], appends[:2], appends[2:3], appends[3:]]
    assert [[cut.before_hour for cut in work.cuts] for work in taken] == [[1], [], [2], []]
    assert [cut.done for work in taken for cut in work.cuts] == [first, second]


async def test_a_cut_keeps_its_place_when_appends_before_it_make_room() -> None:
    inbox, appends = Inbox(4, 0.0), [append(2) for _ in range(4)]
    for item in appends[:2]:
        inbox.put(item)
    inbox.cut(1, asyncio.get_running_loop().create_future())
    assert inbox.put(appends[2]) == appends[:1]
    work = inbox.take(9, 0)
    assert (work.appends, len(work.cuts)) == (appends[1:2], 1)
    assert inbox.put_back(work)[0] == []
    assert inbox.put(appends[3]) == appends[1:2]
    assert inbox.take(9, 0).appends == appends[2:]


async def test_a_cut_that_failed_is_handed_back_and_does_not_wait_on() -> None:
    inbox, cuts = Inbox(100, 0.0), [asyncio.get_running_loop().create_future() for _ in range(2)]
    for hour, done in enumerate(cuts):
        inbox.put(append(1))
        inbox.cut(hour, done)
    _, waiting = inbox.put_back(inbox.take(9, 0))
    assert [cut.done for cut in waiting.cuts] == cuts
    again = inbox.take(9, 0)
    assert (len(again.appends), again.cuts) == (2, [])


async def test_what_is_more_than_a_frame_is_taken_in_two() -> None:
    inbox, appends = Inbox(1 << 20, 0.0), [append(40_000) for _ in range(2)]
    for item in appends:
        inbox.put(item)
    assert [inbox.take(9, 0).appends, inbox.take(9, 0).appends] == [appends[:1], appends[1:]]


async def test_a_taker_that_comes_back_soon_waits_for_more() -> None:
    """Two appends, one put while the taker waits; a flush ends the wait, which would last a minute."""
    inbox, appends = Inbox(100, 60.0), [append(1) for _ in range(3)]
    inbox.put(appends[0])
    assert inbox.take(9, 0).appends == appends[:1]
    inbox.put(appends[1])
    taking = asyncio.create_task(asyncio.to_thread(inbox.take, 9, None))
    await asyncio.wait([taking], timeout=0.05)
    assert not taking.done()
    inbox.put(appends[2])
    inbox.flush(asyncio.get_running_loop().create_future())
    assert (await asyncio.wait_for(taking, 20)).appends == appends[1:]


async def test_a_nudge_wakes_the_taker_with_nothing() -> None:
    inbox = Inbox(100, 0.0)
    taking = asyncio.create_task(asyncio.to_thread(inbox.take, 9, None))
    inbox.nudge()
    work = await asyncio.wait_for(taking, 20)
    assert (work.appends, work.cuts, work.flushes, work.ends) == ([], [], [], False)
