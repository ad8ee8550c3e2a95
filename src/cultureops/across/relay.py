"""Takes what gateways say of their alarms into the hub's ledger: each gateway's in its order, each word once.

What was taken before is known from the ledger itself: a record says whose it is and at which position of that log.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from cultureops.alarms.activation import Activation
from cultureops.alarms.alarm import Transition
from cultureops.alarms.appending import Appending, Mark, Tell
from cultureops.alarms.events import alarm_stream
from cultureops.alarms.followed import ORIGIN, POSITION
from cultureops.alarms.recordable import SYSTEM
from cultureops.clock import SECOND_MS, Instant
from cultureops.ledger.event import Event, NewEvent, Source
from cultureops.ledger.store import Ledger

__all__ = ["Relay", "Relayed"]

MOST_AT_ONCE: Final = 200
PATIENCE_MS: Final = 5 * SECOND_MS
"""How long the record of an alarm waits for the readings of it, which come by the same wire [OWN]; figures that are
not known by then are told afterwards."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """One word of a gateway: a transition, or the refusal of an order, and where it stands in the gateway's log."""

    origin: str
    position: int
    rule_id: str
    taken_at: Instant
    said: Transition | NewEvent

    @property
    def mark(self) -> Mark:
        """What the hub's record says of where it comes from."""
        return {ORIGIN: self.origin, POSITION: self.position}


class Relay:
    """A queue for each gateway; ``awaited`` says whether readings of an activation are still to come."""

    def __init__(self, ledger: Ledger, tell: Tell, awaited: Callable[[Activation, Instant], bool]) -> None:
        self._ledger = ledger
        self._appending = Appending(ledger, tell)
        self._awaited = awaited
        self._queues: dict[str, deque[Relayed]] = {}
        self._recorded: dict[str, int] = {}
        self._lock = asyncio.Lock()

    def apply(self, event: Event) -> None:
        """Take one more event of the hub's ledger."""
        origin, position = event.data.get(ORIGIN), event.data.get(POSITION)
        if isinstance(origin, str) and isinstance(position, int) and event.stream.startswith("alarm:"):
            self._recorded[origin] = max(position, self._recorded.get(origin, 0))

    def recorded(self, origin: str) -> int:
        """Return the last position of a gateway's log that is in the hub's record; 0 for none."""
        return self._recorded.get(origin, 0)

    @property
    def waiting(self) -> int:
        """How many are not on record yet."""
        return sum(map(len, self._queues.values()))

    @property
    def oldest_at(self) -> Instant | None:
        """Since when the oldest waits [ms UTC]; None when all are on record."""
        return min((queue[0].taken_at for queue in self._queues.values() if queue), default=None)

    def put(self, relayed: Relayed) -> None:
        """Queue one more; never blocks."""
        self._queues.setdefault(relayed.origin, deque()).append(relayed)

    async def step(self, now: Instant) -> bool:
        """Append what comes next, False when nothing does; raises StorageError and keeps it when the ledger can't."""
        async with self._lock:
            return any([await self._append(queue, now) for queue in tuple(self._queues.values()) if queue])

    async def _append(self, queue: deque[Relayed], now: Instant) -> bool:
        first = queue[0]
        if isinstance(first.said, NewEvent):
            refusal = NewEvent(first.said.type, {**first.said.data, **first.mark}, SYSTEM, Source.SYSTEM, now)
            await self._ledger.append(alarm_stream(first.rule_id), [refusal], None)
            queue.popleft()
            return True
        ripe: dict[str, tuple[Transition, Mark]] = {}
        for one in islice(queue, MOST_AT_ONCE):
            if isinstance(one.said, NewEvent) or one.rule_id in ripe or not self._is_ripe(one, one.said, now):
                break
            ripe[one.rule_id] = one.said, one.mark
        if not ripe:
            return False
        transitions, marks = zip(*ripe.values(), strict=True)
        for _ in range(await self._appending.append(transitions, marks)):
            queue.popleft()
        return True

    def _is_ripe(self, one: Relayed, said: Transition, now: Instant) -> bool:
        if said.act is not None or not one.taken_at <= now < one.taken_at + PATIENCE_MS:
            return True
        return not self._awaited(Activation.of(said, said.at), said.at)
