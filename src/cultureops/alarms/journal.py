"""Takes every transition to the ledger, in order, with the batches it endangers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Final, TypeAlias

from cultureops.alarms.alarm import Transition
from cultureops.alarms.events import alarm_event
from cultureops.alarms.rule import BatchRef
from cultureops.errors import ConcurrencyError, StorageError
from cultureops.ledger.event import Actor, JsonValue, NewEvent, Source
from cultureops.ledger.store import Group, Ledger

__all__ = ["SYSTEM", "AlarmJournal", "Tell", "Told"]

SYSTEM: Final = Actor("cultureops", "system")
MOST_AT_ONCE: Final = 200
MOST_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Told:
    """What a transition means for batches: which it reaches, with what figures, and what their streams are told."""

    batches: tuple[BatchRef, ...] = ()
    exposures: tuple[Mapping[str, JsonValue], ...] = ()
    groups: tuple[Group, ...] = ()


Tell: TypeAlias = Callable[[Sequence[Transition]], Awaitable[Sequence[Told]]]
"""Works out what transitions of different alarms mean for batches, as the ledger stands.

Answers for the first of them, at least one, that may go into one append; never fails for want of figures.
"""


class AlarmJournal:
    """Appends transitions to the ledger; alarms themselves never wait for it.

    Transitions of different alarms that tell different batches go into one append. One that could not be appended
    stays first in the queue and is tried again.
    """

    def __init__(self, ledger: Ledger, tell: Tell) -> None:
        self._ledger = ledger
        self._tell = tell
        self._urgent: deque[Transition] = deque()
        self._waiting: deque[Transition] = deque()
        self._lock = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """How many transitions are not on record yet."""
        return len(self._urgent) + len(self._waiting)

    def note(self, transitions: Sequence[Transition]) -> None:
        """Queue transitions, those of GMP-critical alarms before the others; never blocks."""
        for transition in transitions:
            (self._urgent if transition.rule.gmp_critical else self._waiting).append(transition)

    async def drain(self) -> None:
        """Append everything queued; raises StorageError and keeps the rest when the ledger can't take it."""
        async with self._lock:
            tries = 0
            while queue := self._urgent or self._waiting:
                taken, groups = await self._next(queue)
                try:
                    await self._ledger.append_many(groups)
                except ConcurrencyError:
                    # Somebody has disposed of what was to be extended: what they did is known now, tell anew.
                    tries += 1
                    if tries < MOST_TRIES:
                        continue
                    raise StorageError("a batch changes faster than its alarms can be told; tried again") from None
                tries = 0
                for _ in range(taken):
                    queue.popleft()

    async def _next(self, queue: Iterable[Transition]) -> tuple[int, list[Group]]:
        """Return how many transitions come next, each of another alarm, and what they append."""
        first = list(takewhile(_Once(), islice(queue, MOST_AT_ONCE)))
        told = await self._tell(first)
        groups = [group for transition, one in zip(first, told, strict=False) for group in _groups(transition, one)]
        return len(told), groups


class _Once:
    """Says of each transition whether it is the first of its alarm."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, transition: Transition) -> bool:
        is_first = transition.rule.id not in self._seen
        self._seen.add(transition.rule.id)
        return is_first


def _groups(transition: Transition, told: Told) -> list[Group]:
    stream, event_type, data = alarm_event(transition, told.batches)
    rule = transition.rule
    data |= {"batch": rule.batch, "reference": rule.reference, "exposures": list(told.exposures)}
    act = transition.act
    actor, source = (SYSTEM, Source.SYSTEM) if act is None else (Actor(act.actor_id, act.role), Source.HUMAN)
    reason = "" if act is None else act.reason
    return [(stream, [NewEvent(event_type, data, actor, source, transition.at, reason)], None), *told.groups]
