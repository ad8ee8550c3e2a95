"""Takes what became of messages to the ledger; notifying never waits for it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from cultureops.ledger.event import NewEvent
from cultureops.ledger.ledger import Ledger
from cultureops.notify.records import STREAM

__all__ = ["NotifyJournal"]

_AT_ONCE: Final = 200


class NotifyJournal:
    """Appends delivery events in order; what the ledger can't take now waits, and keeps the time it happened."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: deque[NewEvent] = deque()
        self._lock = asyncio.Lock()
        self.wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def note(self, event: NewEvent) -> None:
        """Queue an event; never blocks."""
        self._waiting.append(event)
        self.wake.set()

    async def drain(self) -> None:
        """Append everything queued; raises what the ledger raises and keeps the rest."""
        async with self._lock:
            while self._waiting:
                some = [self._waiting[index] for index in range(min(_AT_ONCE, len(self._waiting)))]
                await self._ledger.append(STREAM, some, None)
                for _ in some:
                    self._waiting.popleft()
