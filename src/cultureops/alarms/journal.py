"""Takes every transition to the ledger, in order, with the batches it endangers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from cultureops.alarms.engine import Transition
from cultureops.alarms.events import alarm_event
from cultureops.alarms.rule import BatchRef, Exposure
from cultureops.ledger.event import Actor, NewEvent, Source
from cultureops.ledger.store import Group, Ledger

__all__ = ["SYSTEM", "AlarmJournal", "ExposureEvent"]

SYSTEM: Final = Actor("cultureops", "system")

ExposureEvent = Callable[[Transition, BatchRef], tuple[str, NewEvent] | None]
"""Says what the endangered batch's own stream is told: (stream, event), or None for nothing."""


class AlarmJournal:
    """Appends transitions to the ledger; alarms themselves never wait for it.

    A transition that could not be appended stays first in the queue and is tried again.
    """

    def __init__(self, ledger: Ledger, exposure: Exposure, exposure_event: ExposureEvent) -> None:
        self._ledger = ledger
        self._exposure = exposure
        self._exposure_event = exposure_event
        self._waiting: deque[Transition] = deque()
        self._lock = asyncio.Lock()

    def note(self, transitions: Sequence[Transition]) -> None:
        """Queue transitions; never blocks."""
        self._waiting.extend(transitions)

    async def drain(self) -> None:
        """Append everything queued; raises StorageError and keeps the rest when the ledger can't take it."""
        async with self._lock:
            while self._waiting:
                await self._ledger.append_many(self._groups(self._waiting[0]))
                self._waiting.popleft()

    def _groups(self, transition: Transition) -> list[Group]:
        began = min(transition.since, transition.raised_at)  # the on-delay counts as exposure too
        batches = self._exposure(transition.rule.chamber, began, transition.at)
        stream, event_type, data = alarm_event(transition, batches)
        person = transition.actor_id
        actor, source = (Actor(person, "operator"), Source.HUMAN) if person else (SYSTEM, Source.SYSTEM)
        groups: list[Group] = [(stream, [NewEvent(event_type, data, actor, source, transition.at)], None)]
        for batch in batches:
            if (told := self._exposure_event(transition, batch)) is not None:
                groups.append((told[0], [told[1]], None))
        return groups
