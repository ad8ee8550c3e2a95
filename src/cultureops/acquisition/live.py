"""Fan-out of what just happened to whoever watches: droppable, and drops are counted.

A message is encoded once and the same bytes are handed to every subscriber.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["LiveFeed", "Subscription"]

QUEUE_LENGTH: Final = 64


class Subscription:
    """One watcher's own bounded queue; a slow watcher loses its oldest messages, nobody else's."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_LENGTH)
        self.dropped = 0

    def offer(self, message: bytes) -> None:
        """Queue the message, dropping the oldest one when the queue is full."""
        if self._queue.full():
            self._queue.get_nowait()
            self.dropped += 1
        self._queue.put_nowait(message)

    async def next(self, timeout_s: float) -> bytes | None:
        """Return the next message, or None when none came within ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._queue.get()
        except TimeoutError:
            return None

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield messages for as long as the watcher asks for them."""
        while True:
            yield await self._queue.get()


class LiveFeed:
    """Hands each message to every present subscriber."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._dropped_before = 0

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody watches; encoding for nobody is wasted."""
        return bool(self._subscriptions)

    @property
    def dropped(self) -> int:
        """Messages lost to slow watchers since the start."""
        return self._dropped_before + sum(subscription.dropped for subscription in self._subscriptions)

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Watch for as long as the block lasts."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            self._dropped_before += subscription.dropped

    def publish(self, message: bytes) -> None:
        """Offer the message to everyone; never blocks."""
        for subscription in self._subscriptions:
            subscription.offer(message)
