"""One thread that answers queries, one after the other: handing over to it costs half of what a pool's threads cost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import TypeVar

from cultureops.errors import StorageError

__all__ = ["ReadingThread"]

T = TypeVar("T")


class ReadingThread:
    """Runs queries beside the event loop, in the order in which they were asked.

    Most queries cost a millisecond, and the connections serve one at a time anyway.
    """

    def __init__(self, name: str) -> None:
        self._asked: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._ended = False
        self._thread = threading.Thread(target=self._answer_until_ended, name=name, daemon=True)
        self._thread.start()

    async def ask(self, query: Callable[[], T]) -> T:
        """Return what a query returns; raises what it raises, and StorageError when the thread has ended."""
        if self._ended:
            raise StorageError("the store is closed; open it again")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            if answer.cancelled():
                return
            try:
                found = query()
            except BaseException as error:
                tell(answer.set_exception, error)
            else:
                tell(answer.set_result, found)

        def tell(settle: Callable[..., None], outcome: object) -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                loop.call_soon_threadsafe(_settle, answer, settle, outcome)

        self._asked.put(run)
        return await answer

    def end(self) -> None:
        """Answer what was asked, then end; blocks until it has."""
        self._ended = True
        self._asked.put(None)
        self._thread.join()

    def _answer_until_ended(self) -> None:
        while (run := self._asked.get()) is not None:
            run()
            del run  # an answer may be large: it is not kept until the next query


def _settle(answer: asyncio.Future[T], settle: Callable[..., None], outcome: object) -> None:
    if not answer.done():  # cancelled meanwhile
        settle(outcome)
