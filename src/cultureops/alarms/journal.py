"""Takes every transition to the ledger, in order, with the batches it endangers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain, islice
from typing import Final, TypeAlias

import structlog

from cultureops.alarms.alarm import Transition
from cultureops.alarms.events import alarm_event
from cultureops.alarms.recordable import SYSTEM, recordable
from cultureops.alarms.rule import BatchRef
from cultureops.clock import Instant
from cultureops.errors import ConcurrencyError, StorageError
from cultureops.ledger.event import Actor, JsonValue, NewEvent, Source
from cultureops.ledger.store import Group, Ledger

__all__ = ["SYSTEM", "AlarmJournal", "Tell", "Told"]

log = structlog.get_logger(__name__)

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

Answers for the first of them, at least one, that may go into one append; never fails for want of figures. Groups of
the same batch are put together, so those of different alarms must not rest on each other.
"""


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
        self._ledger = ledger
        self._tell = tell
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
            for _ in range(MOST_TRIES):
                if not self._waiting:
                    return False
                taken, groups = await self._next()
                try:
                    await self._append(groups)
                except ConcurrencyError:
                    continue  # Somebody has disposed of what was to be extended: what they did is known now, tell anew.
                for transition in taken:
                    self._done(transition.rule.id)
                return True
            raise StorageError("a batch changes faster than its alarms can be told; tried again")

    async def _next(self) -> tuple[Sequence[Transition], list[Group]]:
        """Return the transitions that come next, each of another alarm, and what they append."""
        queues = next(queues for queues in self._queues.values() if queues)
        first = [queue[0] for queue in islice(queues.values(), MOST_AT_ONCE)]
        told = await self._told(first)
        taken = first[: len(told)]
        said = [_said(transition, one) for transition, one in zip(taken, told, strict=True)]
        return taken, [*said, *_put_together(group for one in told for group in one.groups)]

    async def _told(self, transitions: Sequence[Transition]) -> Sequence[Told]:
        """Return what the first of some transitions mean for batches; one where nobody can is recorded alone."""
        try:
            return await self._tell(transitions)
        except (ConcurrencyError, StorageError):
            raise
        except Exception as error:
            if len(transitions) > 1:
                return await self._told(transitions[:1])
            rule_id = transitions[0].rule.id
            log.error(
                "what an alarm means for batches can't be told; it is recorded alone", alarm=rule_id, exc_info=error
            )
            return [Told()]

    async def _append(self, groups: Sequence[Group]) -> None:
        try:
            await self._ledger.append_many(groups)
        except StorageError:
            if not (fit := _fit(groups)):
                raise
            await self._ledger.append_many(fit)

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


def _put_together(groups: Iterable[Group]) -> list[Group]:
    """Make one group of those of the same stream, in their order, at the version that any of them expects."""
    streams: dict[str, tuple[list[NewEvent], int | None]] = {}
    for stream, events, expected in groups:
        together, version = streams.get(stream, ([], None))
        together += events
        streams[stream] = (together, version if expected is None else expected)
    return [(stream, events, version) for stream, (events, version) in streams.items()]


def _fit(groups: Sequence[Group]) -> list[Group]:
    """Return groups that the ledger does not refuse for what they say; empty when it would refuse none of these."""
    fit: list[Group] = []
    is_changed = False
    for stream, events, expected in groups:
        for event in events:
            where, taken = recordable(stream, event)
            if taken is not event:
                is_changed = True
                log.error("an alarm was recorded in part", stream=where, fields=taken.data["not_recorded"])
            if fit and fit[-1][0] == where:
                fit[-1] = (where, [*fit[-1][1], taken], fit[-1][2])
            else:
                fit.append((where, [taken], expected))
    return fit if is_changed else []


def _said(transition: Transition, told: Told) -> Group:
    stream, event_type, data = alarm_event(transition, told.batches)
    rule = transition.rule
    data |= {"batch": rule.batch, "reference": rule.reference, "exposures": list(told.exposures)}
    act = transition.act
    actor, source = (SYSTEM, Source.SYSTEM) if act is None else (Actor(act.actor_id, act.role), Source.HUMAN)
    reason = "" if act is None else act.reason
    return stream, [NewEvent(event_type, data, actor, source, transition.at, reason)], None
