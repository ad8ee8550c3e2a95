import asyncio
import threading

import pytest

from cultureops.errors import StorageError
from cultureops.telemetry.reading_thread import ReadingThread


def refuse() -> None:
    raise StorageError("no such month")


async def test_queries_are_answered_in_order_beside_the_loop() -> None:
    thread = ReadingThread("queries")
    seen: list[int] = []
    await asyncio.gather(*(thread.ask(lambda number=number: seen.append(number)) for number in range(20)))
    assert seen == list(range(20))
    assert await thread.ask(threading.get_ident) != threading.get_ident()
    thread.end()


async def test_an_error_reaches_who_asked_and_nobody_else() -> None:
    thread = ReadingThread("queries")
    with pytest.raises(StorageError, match="no such month"):
        await thread.ask(refuse)
    assert await thread.ask(lambda: 7) == 7
    thread.end()


async def test_whoever_stops_waiting_harms_nobody() -> None:
    thread = ReadingThread("queries")
    held, may_go = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        may_go.wait(10)

    first = asyncio.ensure_future(thread.ask(hold))
    second = asyncio.ensure_future(thread.ask(refuse))
    await asyncio.to_thread(held.wait, 10)
    first.cancel()
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    may_go.set()
    assert await thread.ask(lambda: 7) == 7
    thread.end()


async def test_after_the_end_nothing_is_asked() -> None:
    thread = ReadingThread("queries")
    thread.end()
    with pytest.raises(StorageError, match="closed"):
        await thread.ask(lambda: 7)
