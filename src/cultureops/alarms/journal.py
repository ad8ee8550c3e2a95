"""Takes every transition to the ledger, in order, with the batches it endangers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from enum import IntEnum
from itertools import chain, islice
from typing import Final

from cultureops.alarms.alarm import Transition
from cultureops.alarms.appending import Appending, Tell, Told
from cultureops.alarms.recordable import SYSTEM
from cultureops.clock import Instant
from cultureops.ledger.store import Ledger

__all__ = ["SYSTEM", "AlarmJournal", "Tell", "Told"]

MOST_AT_ONCE: Final = 200


class _Urgency(IntEnum):
    """Whose record goes first."""

    ORDER = 0
    CRITICAL = 1
    ORDINARY = 2


class AlarmJournal:
    """Appends transitions to the ledger; alarms themselves never wait for it.

    Each alarm's transitions wait in a queue of their own, in their order. What people did goes first, with whatever of
    the same alarm is not on record yet; then GMP-critical alarms, then the others. One append takes the next
    transition of many alarms. What could not be appended stays and is tried again; what the ledger refuses for its
    content is recorded without that content, so that it holds nothing else up.
    """

    def __init__(self, ledger: Ledger, tell: Tell) -> None:
        self._appending = Appending(ledger, tell)
        self._queues: dict[_Urgency, dict[str, deque[Transition]]] = {urgency: {} for urgency in _Urgency}
        self._urgency_of: dict[str, _Urgency] = {}
        self._lock = asyncio.Lock()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many transitions are not on record yet."""
        return self._waiting

    @property
    def oldest_at(self) -> Instant | None:
        """When the oldest transition happened that is not on record yet [ms UTC]; None when all are."""
        heads = chain.from_iterable(queues.values() for queues in self._queues.values())
        return min((queue[0].at for queue in heads), default=None)

    def note(self, transitions: Sequence[Transition]) -> None:
        """Queue transitions by their urgency; never blocks."""
        for transition in transitions:
            name, urgency = transition.rule.id, _urgency(transition)
            known = self._urgency_of.get(name)
            if known is None or urgency < known:
                queue = deque[Transition]() if known is None else self._queues[known].pop(name)
                self._queues[urgency][name] = queue
                self._urgency_of[name] = known = urgency
            self._queues[known][name].append(transition)
            self._waiting += 1

    async def drain(self) -> None:
        """Append everything queued; raises StorageError and keeps the rest when the ledger can't take it."""
        while await self.step():
            pass

    async def drain_orders(self) -> None:
        """Append what people did, and nothing that can wait; raises StorageError as ``drain`` does."""
        while self._queues[_Urgency.ORDER]:
            await self.step()

    async def step(self) -> bool:
        """Append the most urgent of what is queued, False when nothing is; raises StorageError as ``drain`` does."""
        async with self._lock:
            if not self._waiting:
                return False
            queues = next(queues for queues in self._queues.values() if queues)
            first = [queue[0] for queue in islice(queues.values(), MOST_AT_ONCE)]
            for transition in first[: await self._appending.append(first)]:
                self._done(transition.rule.id)
            return True

    def _done(self, name: str) -> None:
        """Take an alarm's first transition out of its queue; the rest goes to the end, where it belongs by now."""
        queue = self._queues[self._urgency_of.pop(name)].pop(name)
        queue.popleft()
        self._waiting -= 1
        if queue:
            urgency = min(map(_urgency, queue))
            self._queues[urgency][name] = queue
            self._urgency_of[name] = urgency


def _urgency(transition: Transition) -> _Urgency:
    if transition.act is not None and transition.act.role != SYSTEM.role:
        return _Urgency.ORDER
    return _Urgency.CRITICAL if transition.rule.gmp_critical else _Urgency.ORDINARY
