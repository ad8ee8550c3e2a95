"""Appends alarms to the ledger together with what they mean for batches, whole or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import structlog

from cultureops.alarms.alarm import Transition
from cultureops.alarms.events import alarm_event
from cultureops.alarms.recordable import SYSTEM, recordable
from cultureops.alarms.rule import BatchRef
from cultureops.errors import ConcurrencyError, StorageError
from cultureops.ledger.event import Actor, JsonValue, NewEvent, Source
from cultureops.ledger.store import Group, Ledger

__all__ = ["Appending", "Mark", "Tell", "Told"]

log = structlog.get_logger(__name__)

MOST_TRIES: Final = 5

Mark: TypeAlias = Mapping[str, JsonValue]
"""What the record of a transition says beside it, such as which gateway's it is."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a transition means for batches: which it reaches, with what figures, and what their streams are told.

    ``remark`` ends its text, e.g. since when nobody has said who stands there.
    """

    batches: tuple[BatchRef, ...] = ()
    exposures: tuple[Mapping[str, JsonValue], ...] = ()
    groups: tuple[Group, ...] = ()
    remark: str = ""


Tell: TypeAlias = Callable[[Sequence[Transition]], Awaitable[Sequence[Told]]]
"""Works out what transitions of different alarms mean for batches, as the ledger stands.

Answers for the first of them, at least one, that may go into one append; never fails for want of figures. Groups of
the same batch are put together, so those of different alarms must not rest on each other.
"""


class Appending:
    """One append after another; each takes transitions of different alarms, and what they tell their batches."""

    def __init__(self, ledger: Ledger, tell: Tell) -> None:
        self._ledger = ledger
        self._tell = tell

    async def append(self, transitions: Sequence[Transition], marks: Sequence[Mark] | None = None) -> int:
        """Append the first of some transitions, each of another alarm, and return how many: one at least.

        What the ledger refuses for its content is recorded without that content. Raises StorageError when it can't take
        anything now.
        """
        beside: Sequence[Mark] = marks or [{}] * len(transitions)
        for _ in range(MOST_TRIES):
            told = await self._told(transitions)
            said = [_said(*one) for one in zip(transitions, told, beside, strict=False)]
            try:
                await self._append([*said, *_put_together(group for one in told for group in one.groups)])
            except ConcurrencyError:
                continue  # Somebody has disposed of what was to be extended: what they did is known now, tell anew.
            return len(told)
        raise StorageError("a batch changes faster than its alarms can be told; tried again")

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


def _said(transition: Transition, told: Told, mark: Mark) -> Group:
    stream, event_type, data = alarm_event(transition, told.batches)
    rule = transition.rule
    data["text"] = f"{data['text']}{told.remark}"
    data |= {"batch": rule.batch, "reference": rule.reference, "exposures": list(told.exposures), **mark}
    act = transition.act
    actor, source = (SYSTEM, Source.SYSTEM) if act is None else (Actor(act.actor_id, act.role), Source.HUMAN)
    reason = "" if act is None else act.reason
    return stream, [NewEvent(event_type, data, actor, source, transition.at, reason)], None
