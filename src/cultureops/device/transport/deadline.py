"""Waiting for a reply, and no longer than agreed."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

__all__ = ["reply_within"]

T = TypeVar("T")

LAST_LOOKS: Final = 2
"""Calls of the loop between the deadline and the miss: with one of them it looks for input, whichever loop it is."""


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
