"""Handing a gateway's readings to its hub, from the cursor that the hub holds to the last durable one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cultureops.clock import Clock, Instant
from cultureops.sync.link import Link, LinkFailed
from cultureops.sync.readings_body import ReadingsBody, read_cursor_answer
from cultureops.sync.store_mark import StoreMark
from cultureops.telemetry.follow import Cursor
from cultureops.telemetry.mirror import Followed

__all__ = ["READINGS_PATH", "ReadingsSender"]

READINGS_PATH: Final = "/v1/readings"

READINGS_A_REQUEST: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Part:
    """What was read behind a cursor, ready for the wire; ``body`` is None where there was nothing."""

    asked_at: Instant
    body: bytes | None
    next: Cursor
    size: int
    remaining: int
    oldest_ms: Instant | None


class ReadingsSender:
    """Sends part after part; while one is under way the next is read and packed.

    ``waiting`` is about how many readings the hub lacks, ``since`` when the oldest of those came [ms UTC]; both None
    where nobody knows yet, ``since`` also where there are none.
    """

    def __init__(self, store: Followed, link: Link, mark: StoreMark, clock: Clock) -> None:
        self._store = store
        self._link = link
        self._mark = mark
        self._clock = clock
        self.waiting: int | None = None
        self.since: Instant | None = None
        self._held: Cursor | None = None

    async def send(self, held: Cursor, longest_s: float) -> bool:
        """Return True once the hub holds everything, False where more is left after ``longest_s`` of real time.

        Raises LinkFailed, and StorageError where the own store can't be read.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + longest_s
        begin = self._held = await asyncio.to_thread(self._mark.begin, held)
        ahead = asyncio.create_task(self._look(held, begin))
        try:
            while True:
                part = await ahead
                self._note(part)
                if part.body is None:
                    await asyncio.to_thread(self._mark.clear)
                    return True
                ahead = asyncio.create_task(self._look(part.next, part.next))
                status, answer = await self._link.ask(READINGS_PATH, part.body)
                now_held = read_cursor_answer(answer)
                if status != 200 and now_held != part.next:  # else an answer was lost, and the hub asked again
                    raise LinkFailed(f"the hub holds readings up to {now_held.to_text()} meanwhile")
                await asyncio.to_thread(self._mark.clear)
                self.waiting, self._held = part.remaining, part.next
                if loop.time() > until_s and part.remaining:
                    return False
        finally:
            ahead.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await ahead

    async def count(self) -> None:
        """Count what waits while the hub is out of reach; raises StorageError."""
        if self._held is not None:
            extract = await self._store.follow(self._held, 1)
            self.waiting = extract.rows.points.size + extract.remaining

    async def _look(self, held: Cursor, begin: Cursor) -> _Part:
        asked_at = self._clock.now()
        extract = await self._store.follow(begin, READINGS_A_REQUEST)
        points = extract.rows.points
        if not points.size and extract.next == begin == held:
            return _Part(asked_at, None, begin, 0, 0, None)
        body = await asyncio.to_thread(ReadingsBody.written, held, extract, self._store.channels())
        oldest_ms = int(points.received_ms.min()) if points.size else None
        return _Part(asked_at, body, extract.next, points.size, extract.remaining, oldest_ms)

    def _note(self, part: _Part) -> None:
        self.waiting = part.size + part.remaining
        self.since = part.oldest_ms
