"""What waits for the disk stays in order and within its bound."""

import asyncio

from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry.inbox import Frame, Inbox
from cultureops.telemetry.store import ChannelInfo

INFO = ChannelInfo("Cel")


def frame(readings: int) -> Frame:
    row = Reading("a/t", 1.0, Quality.GOOD, Reason.NONE, 0, 0)
    return Frame([row] * readings, asyncio.get_running_loop().create_future())


async def test_the_oldest_make_room_for_the_newest() -> None:
    inbox, frames = Inbox(10), [frame(4) for _ in range(4)]
    assert [inbox.put(item) for item in frames] == [[], [], [frames[0]], [frames[1]]]
    assert inbox.take(9, 0).frames == frames[2:]


async def test_one_frame_is_taken_however_large() -> None:
    inbox, large = Inbox(10), frame(40)
    assert inbox.put(large) == []
    assert inbox.take(9, 0).frames == [large]


async def test_work_that_failed_is_first_in_line_again() -> None:
    inbox, frames = Inbox(100), [frame(1) for _ in range(5)]
    for item in frames[:3]:
        inbox.put(item)
    inbox.declare({"a/t": (1, INFO)})
    work = inbox.take(2, 0)
    assert (work.frames, work.channels) == (frames[:2], {"a/t": (1, INFO)})
    inbox.put(frames[3])
    refused, waiting = inbox.put_back(work)
    assert (refused, waiting.frames) == ([], frames[:4])
    inbox.put(frames[4])
    again = inbox.take(9, 0)
    assert (again.frames, again.channels) == (frames, {"a/t": (1, INFO)})


async def test_what_is_put_back_makes_room_too() -> None:
    inbox, frames = Inbox(4), [frame(2) for _ in range(4)]
    for item in frames[:2]:
        inbox.put(item)
    work = inbox.take(2, 0)
    for item in frames[2:]:
        inbox.put(item)
    refused, waiting = inbox.put_back(work)
    assert (refused, waiting.frames) == (frames[:2], frames[2:])


async def test_a_flush_waits_for_all_that_was_before_it() -> None:
    inbox, done = Inbox(100), asyncio.get_running_loop().create_future()
    for _ in range(3):
        inbox.put(frame(1))
    inbox.flush(done)
    inbox.end()
    first, second = inbox.take(2, 0), inbox.take(2, 0)
    assert (first.flushes, first.ends) == ([], False)
    assert (second.flushes, second.ends) == ([done], True)


async def test_a_failure_holds_no_flush_back() -> None:
    inbox, done = Inbox(100), asyncio.get_running_loop().create_future()
    for _ in range(3):
        inbox.put(frame(1))
    inbox.flush(done)
    _, waiting = inbox.put_back(inbox.take(2, 0))
    assert waiting.flushes == [done]
    assert inbox.take(9, 0).flushes == []
