"""What alarms mean for batches, for a page that many people open at once: worked out once for all, waited for shortly.

Figures of an alarm that has lasted for long take the store seconds, and each change of an alarm brings fifty screens.
"""

from __future__ import annotations

import asyncio
from typing import Final, TypeAlias

from cultureops.alarms import AlarmView
from cultureops.batch.alarm_told import EndangeredBatch
from cultureops.clock import SECOND_MS, Instant
from cultureops.web.context import WebContext

__all__ = ["RENEWED_MS", "WITHIN_S", "Figures"]

RENEWED_MS: Final = 10 * SECOND_MS
"""For how long figures are good enough for a list; what an alarm is has no such delay."""
WITHIN_S: Final = 0.3
_Standing: TypeAlias = tuple[Instant, bool, int]


class Figures:
    """Asks for each alarm's figures once, whoever looks."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._asked: dict[str, tuple[_Standing, asyncio.Task[tuple[EndangeredBatch, ...]]]] = {}

    async def of(self, view: AlarmView, now: Instant) -> tuple[EndangeredBatch, ...]:
        """Return every batch that an alarm has reached by ``now`` [ms UTC]; figures that take long are left out."""
        try:
            async with asyncio.timeout(WITHIN_S):
                return await asyncio.shield(self._asking(view, now))
        except TimeoutError:
            until = now if view.returned_at is None else view.returned_at
            reached = view.rule.reached(self._context.batches.exposed, view.since, until)
            return tuple(EndangeredBatch(name, None, None, None, reason="is being worked out") for name in reached)

    def _asking(self, view: AlarmView, now: Instant) -> asyncio.Task[tuple[EndangeredBatch, ...]]:
        standing = view.raised_at, view.is_active, now // RENEWED_MS
        known = self._asked.get(view.rule.id)
        if known is not None and (known[0] == standing or not known[1].done()):
            return known[1]
        task = asyncio.ensure_future(self._ask(view, now))
        self._asked[view.rule.id] = standing, task
        return task

    async def _ask(self, view: AlarmView, now: Instant) -> tuple[EndangeredBatch, ...]:
        return await self._context.endangered(view, now)
