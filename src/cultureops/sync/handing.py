"""Handing what a gateway's log holds to whoever follows it, in order, however often that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from cultureops.clock import SECOND_MS, Clock
from cultureops.ledger.event import Event
from cultureops.sync.origin_log import OriginLog

__all__ = ["Handing"]

log = structlog.get_logger(__name__)

_PAGE: Final = 500
LONGEST_BACK_OFF_S: Final = 60.0


class Handing:
    """One origin's events on their way to ``on_events``, from behind a position on; ``run`` is its task."""

    def __init__(
        self, held: OriginLog, taken: int, clock: Clock, on_events: Callable[[str, Sequence[Event]], Awaitable[None]]
    ) -> None:
        self._log = held
        self._clock = clock
        self._on_events = on_events
        self._position = taken
        self._more = asyncio.Event()
        self._is_done = asyncio.Event()
        self._failures = 0
        self.problem: str | None = None

    def tell(self) -> None:
        """Say that the log may have grown."""
        if self._log.head().position > self._position:
            self._is_done.clear()
            self._more.set()

    async def wait(self, longest_s: float) -> None:
        """Return once everything is handed on, or after so much real time."""
        if not self.problem:
            await asyncio.wait([waiting := asyncio.ensure_future(self._is_done.wait())], timeout=longest_s)
            waiting.cancel()

    async def run(self) -> None:
        """Hand on until cancelled; what fails is tried again."""
        while True:
            self._more.clear()
            try:
                await self._hand_on()
            except Exception as error:
                await self._failed(error)
                continue
            self._failures, self.problem = 0, None
            self._is_done.set()
            await self._more.wait()

    async def _hand_on(self) -> None:
        while self._position < self._log.head().position:
            page = await asyncio.to_thread(lambda: list(self._log.read_all(self._position, _PAGE)))
            await self._on_events(self._log.origin, page)
            self._position = page[-1].position

    async def _failed(self, error: Exception) -> None:
        log.error("a gateway's events can't be taken in", gateway=self._log.origin, exc_info=error)
        self.problem = f"its events from position {self._position + 1} on can't be taken in: {error}"
        self._is_done.set()
        back_off_s = min(2.0**self._failures, LONGEST_BACK_OFF_S)
        self._failures = min(self._failures + 1, 16)
        await self._clock.sleep_until(self._clock.now() + round(back_off_s * SECOND_MS))
