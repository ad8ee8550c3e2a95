"""Waiting for a reply, and no longer than agreed."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

__all__ = ["Deadline", "reply_within"]

T = TypeVar("T")

LAST_LOOKS: Final = 2
"""Calls of the loop between the deadline and the miss: with one of them it looks for input, whichever loop it is."""


class Deadline:
    """A link's deadline, which each of the devices on a shared line sets when it is its turn.

    ``deadline_s`` is what an exchange may take now (> 0), ``longest_s`` the longest that was ever agreed: for as long
    a line is not heard that still owes an answer, whoever is asked next.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = self.longest_s = deadline_s

    @property
    def deadline_s(self) -> float:
        """What an exchange may take."""
        return self._deadline_s

    @deadline_s.setter
    def deadline_s(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self.longest_s = max(self.longest_s, deadline_s)


async def reply_within(deadline_s: float, reply: asyncio.Future[T]) -> T:
    """Return the reply, or raise TimeoutError when it has not come within ``deadline_s`` [s] from now.

    A loop that was busy elsewhere may find the reply and the end of the deadline at once: the reply counts then.
    """
    loop = reply.get_loop()
    end = loop.call_later(deadline_s, _miss, loop, reply, LAST_LOOKS)
    try:
        return await reply
    finally:
        end.cancel()


def _miss(loop: asyncio.AbstractEventLoop, reply: asyncio.Future[T], looks: int) -> None:
    if reply.done():
        return
    if looks:
        loop.call_soon(_miss, loop, reply, looks - 1)
    else:
        reply.set_exception(TimeoutError())
