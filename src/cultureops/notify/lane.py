"""Blocking calls on threads of their own, with a deadline and a bound on how many may hang."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Lane", "LaneFull"]

T = TypeVar("T")


class LaneFull(Exception):
    """Every thread of a lane still hangs in a call whose deadline has long passed."""


class Lane:
    """At most ``width`` blocking calls at a time.

    Nobody can end a thread: a call that outlives its deadline is left to its own time-outs, and keeps its place until
    then. The threads are daemons, so that none of them holds up the end of the process.
    """

    def __init__(self, name: str, width: int) -> None:
        self._name = name
        self._width = width
        self._busy = 0

    @property
    def busy(self) -> int:
        """How many calls are under way, also those nobody waits for any more."""
        return self._busy

    async def run(self, call: Callable[[], T], deadline_s: float) -> T:
        """Return what the call returns, or raise what it raises.

        Raises TimeoutError after ``deadline_s`` real seconds, LaneFull at once when no thread is to be had.
        """
        if self._busy >= self._width:
            raise LaneFull(f"{self._busy} earlier attempts still hang")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._busy += 1

        def finish(result: T | None, error: BaseException | None) -> None:
            self._busy -= 1
            if done.done():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]

        def work() -> None:
            result, error = None, None
            try:
                result = call()
            except BaseException as raised:
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(finish, result, error)

        threading.Thread(target=work, name=f"{self._name}-{self._busy}", daemon=True).start()
        async with asyncio.timeout(deadline_s):
            return await done
