"""Fan-out of what just happened to whoever watches: droppable, and drops are counted.

A message is encoded once and the same bytes are handed to every subscriber. One that does not keep up loses all that
waits for it and is told so: how things stand then is shorter than how they came to be so.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["LiveFeed", "Subscription"]

QUEUE_LENGTH: Final = 16
"""Messages that may wait for one watcher; at one a second a quarter of a minute."""


class Subscription:
    """One watcher's own bounded queue; nobody else waits for it."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._has_some = asyncio.Event()
        self._missed = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, message: bytes) -> None:
        """Queue the message; a watcher whose queue is full loses all of it."""
        if len(self._waiting) >= QUEUE_LENGTH:
            self._missed += len(self._waiting)
            self.dropped += len(self._waiting)
            self._waiting.clear()
        self._waiting.append(message)
        self._has_some.set()

    async def next(self, timeout_s: float) -> bytes | None:
        """Return the next message, or None when none came within ``timeout_s``."""
        if not self._waiting:
            self._has_some.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._has_some.wait()
            except TimeoutError:
                return None
        return self._waiting.popleft()

    def take_missed(self) -> int:
        """Return how many messages were lost since this was asked last; the queue is empty then, if any were."""
        if missed := self._missed:
            self._missed = 0
            self._waiting.clear()
        return missed


class LiveFeed:
    """Hands each message to every present subscriber."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._dropped_before = 0
        self.is_over = False

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

    def end(self) -> None:
        """Tell every watcher that nothing comes any more: a server that stops waits for none of them."""
        self.is_over = True
        self.publish(b"")

    def publish(self, message: bytes) -> None:
        """Offer the message to everyone; never blocks."""
        for subscription in self._subscriptions:
            subscription.offer(message)
