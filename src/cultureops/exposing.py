"""Tells batches of the alarms they live through, and tells them anew when it turns out later who stood where.

Nothing here remembers what was told: the batches' own records do. So what a stop cut off is made good at the next
start, and nothing is told twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.alarms import Transition
from cultureops.alarms.activation import Activation, Activations, follow, revised
from cultureops.alarms.journal import SYSTEM, Told
from cultureops.alarms.rule import AlarmClass, BatchRef
from cultureops.batch.alarm_told import EndangeredBatch, Known, Phase, tell
from cultureops.batch.batch import batch_of
from cultureops.batch.exposure import revision
from cultureops.batch.parts import Occupancy
from cultureops.batch.register import BatchRegister
from cultureops.clock import Instant, iso
from cultureops.endangered import READINGS_AWAITED, Endangered, Reach
from cultureops.errors import ConcurrencyError, StorageError
from cultureops.ledger.event import Event, JsonValue, NewEvent, Source
from cultureops.ledger.store import Group, Ledger

__all__ = ["Exposing"]

MOST_TRIES: Final = 5
MOST_AT_ONCE: Final = 400
"""How many batches are told in one append, each counted for each alarm: nobody waits for a longer one."""
_FOR_EVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class _Step:
    """A transition, the batches its event names, and what of its activation is news to them."""

    transition: Transition
    batches: tuple[BatchRef, ...]
    reach: Reach | None


class Exposing:
    """Between alarms and batches: who is told what, now and when stays are entered late or corrected."""

    def __init__(
        self, ledger: Ledger, batches: BatchRegister, activations: Activations, endangered: Endangered
    ) -> None:
        self._ledger = ledger
        self._batches = batches
        self._activations = activations
        self._endangered = endangered
        self._stays: dict[str, tuple[tuple[Occupancy, ...], Event]] = {}
        self._unsettled: dict[str, None] = {}
        self._awaiting: dict[tuple[str, str], None] = {}
        """Batches that were told of an activation without its figures, by (batch, activation)."""
        self._has_revised = False

    def apply(self, event: Event) -> None:
        """Take one more event of the ledger, after the register of batches has taken it."""
        if (batch_id := batch_of(event.stream)) is not None:
            batch, known = self._batches.get(batch_id), self._stays.get(batch_id)
            if batch is not None and (known is None or known[0] != batch.occupancies):
                self._stays[batch_id] = (batch.occupancies, event)
                self._unsettled[batch_id] = None
            if event.type == "alarm_exposed":
                self._note_awaited(batch_id, event.data)
            return
        changed = self._activations.apply(event)
        if changed is not None and self._has_revised:  # who moved before this was on record has not met it yet
            here = self._batches.exposed(changed.chamber, changed.since, _FOR_EVER)
            self._unsettled |= dict.fromkeys(here)

    def _note_awaited(self, batch_id: str, data: Mapping[str, JsonValue]) -> None:
        told = (batch_id, str(data.get("exposure_id")))
        if data.get("figures_reason") == READINGS_AWAITED:
            self._awaiting[told] = None
        else:
            self._awaiting.pop(told, None)

    async def tell(self, transitions: Sequence[Transition]) -> tuple[Told, ...]:
        """Return, for the first of some transitions, whom they reach and what those are told that do not know it yet.

        As many are answered, one at least, as may go into one append. They are of different alarms, so what a batch is
        told of one of them does not rest on what it is told of another.
        """
        steps: list[_Step] = []
        reached = 0
        for transition in transitions:
            step = self._step(transition)
            reached += 0 if step.reach is None else len(step.reach.batch_ids)
            if steps and reached > MOST_AT_ONCE:
                break
            steps.append(step)
        figures = iter(await self._endangered.figures([step.reach for step in steps if step.reach is not None]))
        known: dict[str, Known] = {}
        return tuple(self._told(step, () if step.reach is None else next(figures), known) for step in steps)

    def _step(self, transition: Transition) -> _Step:
        rule = transition.rule
        if rule.batch is not None:
            return _Step(transition, (rule.batch,), None)
        before = self._activations.latest(rule.id)
        activation = follow(before, transition)
        if activation is None:
            return _Step(transition, self._batches.exposed(rule.chamber, transition.at, transition.at), None)
        until = activation.until(transition.at)
        batches = self._batches.exposed(rule.chamber, activation.since, until)
        is_nothing_new = activation == before or not activation.endangers_batches
        return _Step(transition, batches, None if is_nothing_new else Reach(activation, batches, until))

    def _told(self, step: _Step, figures: Sequence[EndangeredBatch], known: dict[str, Known]) -> Told:
        remark = self._remark(step.transition)
        if step.reach is None:
            return Told(step.batches, remark=remark)
        news = (self._news(step.reach.activation, one, step.transition.at, known) for one in figures)
        groups = tuple(group for group in news if group is not None)
        return Told(step.batches, tuple(one.as_json for one in figures), groups, remark)

    def _remark(self, transition: Transition) -> str:
        """Return what is to be said of how old the knowledge is of who stands there."""
        rule = transition.rule
        is_of_chamber = rule.batch is None and rule.alarm_class in (AlarmClass.ENVIRONMENT, AlarmClass.INSTRUMENT)
        return self._batches.remark(transition.at) if is_of_chamber else ""

    def _news(
        self, activation: Activation, figures: EndangeredBatch, at: Instant, known: dict[str, Known]
    ) -> Group | None:
        """Return what one batch is told of an activation; None for what its record knows."""
        if (record := known.get(figures.batch_id)) is None:
            batch = self._batches.get(figures.batch_id)
            if batch is None:
                return None
            record = known[figures.batch_id] = Known(batch)
        before = record.exposure(activation.id)
        is_over = activation.ended_at is not None
        is_news = (
            before is None
            or (is_over and before.cleared_at is None)
            or (before.is_by_design and not activation.is_by_design)
        )
        return tell(record, activation, "cleared" if is_over else "raised", figures, at) if is_news else None

    async def revise(self, now: Instant) -> None:
        """Make alarms and batches agree on who stood where; raises StorageError and goes on with the next call."""
        self._has_revised = True
        while self._unsettled:
            batch_id = next(iter(self._unsettled))
            await self._revise(batch_id, now)
        for batch_id, activation_id in tuple(self._awaiting):
            await self._complete(batch_id, activation_id, now)

    async def _complete(self, batch_id: str, activation_id: str, now: Instant) -> None:
        """Tell a batch the figures of an activation once its readings have come."""
        activation, batch = self._activations.get(activation_id), self._batches.get(batch_id)
        known = None if batch is None else Known(batch).exposure(activation_id)
        if activation is None or known is None:
            del self._awaiting[batch_id, activation_id]
            return
        ((figures,),) = await self._endangered.figures([Reach(activation, (batch_id,), activation.until(now))])
        if not figures.reason:
            phase: Phase = "raised" if activation.ended_at is None else "cleared"
            at = activation.until(now)
            await self._append(activation, figures, phase, at, "its readings have come from the gateway")

    async def _revise(self, batch_id: str, now: Instant) -> None:
        batch = self._batches.get(batch_id)
        del self._unsettled[batch_id]
        if batch is None:
            return
        change = revision(batch, self._activations)
        try:
            for activation in change.added:
                ((figures,),) = await self._endangered.figures([Reach(activation, (batch_id,), activation.until(now))])
                await self._append(activation, figures, "raised" if activation.ended_at is None else "cleared", now)
            for activation in change.withdrawn:
                await self._append(activation, EndangeredBatch(batch_id, 0.0, None, 0.0), "withdrawn", now)
        except BaseException:
            self._unsettled[batch_id] = None
            raise

    async def _append(
        self, activation: Activation, figures: EndangeredBatch, phase: Phase, now: Instant, why: str = ""
    ) -> None:
        """Append a revision to the alarm's stream and what it means to the batch's, in one transaction."""
        cause = self._stays[figures.batch_id][1]
        because = (
            why or f"{cause.type} of {iso(cause.occurred_at)}, recorded {iso(cause.recorded_at)} at {cause.position}"
        )
        added, removed = ((), (figures.batch_id,)) if phase == "withdrawn" else ((figures.as_json,), ())
        stream, event_type, data = revised(activation, added, removed, now, cause)
        said = [NewEvent(event_type, data, SYSTEM, Source.SYSTEM, now)]
        for _ in range(MOST_TRIES):
            batch = self._batches.get(figures.batch_id)
            assert batch is not None, "batches stay"
            try:
                told = tell(Known(batch), activation, phase, figures, now, because)
                await self._ledger.append_many([(stream, said, None), told])
                return
            except ConcurrencyError:
                continue
        raise StorageError(f"batch {figures.batch_id} changes faster than its alarms can be revised; tried again")
