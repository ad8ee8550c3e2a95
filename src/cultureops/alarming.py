"""The alarms of one lab, composed: what is watched beside the devices, who is told, and what the record says.

The lab hands in readings, time and the ledger's events; what comes out are transitions, and messages to people.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from cultureops.acquisition import MeasuredChannel
from cultureops.across import Following, Outpost
from cultureops.alarm_desk import AlarmDesk, LinkDesk
from cultureops.alarms import Act, Engine, Rule, Transition, WhenEmpty
from cultureops.alarms.activation import Activations
from cultureops.alarms.alarms import Alarms, Joined
from cultureops.alarms.events import StandingAlarms
from cultureops.alarms.journal import SYSTEM, AlarmJournal
from cultureops.alarms.orphan import closing
from cultureops.alarms.suppression import occupied_reading
from cultureops.batch.batch import Batch, batch_of
from cultureops.batch.guests import Guests
from cultureops.batch.process_alarms import ProcessWatch
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.register import BatchRegister
from cultureops.batch.shelf import RecipeShelf
from cultureops.clock import SECOND_MS, Clock, Entropy, Instant
from cultureops.device.reading import Reading
from cultureops.endangered import Endangered
from cultureops.equipment import EquipmentRegister
from cultureops.equipment.calibration_alarms import CalibrationWatch
from cultureops.errors import BatchError, CultureOpsError
from cultureops.exposing import Exposing
from cultureops.ledger.event import Event
from cultureops.ledger.store import Ledger
from cultureops.notify.heartbeat import Heartbeat
from cultureops.notify.notifier import Notifier
from cultureops.notify.settings import NotifySettings
from cultureops.self_check import SelfCheck
from cultureops.site import Site
from cultureops.site_rules import gateways_of
from cultureops.telemetry import EmbeddedStore

__all__ = ["Alarming"]

REFRESH_MS: Final = 30 * SECOND_MS
CLOCK_STREAM: Final = "clock"


class Alarming:
    """Every alarm of a lab from its condition to whoever is told; ``rules`` are those of the site's devices."""

    def __init__(
        self,
        site: Site,
        rules: Sequence[Rule],
        self_check: SelfCheck,
        *,
        clock: Clock,
        entropy: Entropy,
        ledger: Ledger,
        store: EmbeddedStore,
        data_dir: Path,
        batches: BatchRegister,
        equipment: EquipmentRegister,
        recipes: RecipeShelf,
        channels: Mapping[str, MeasuredChannel],
        on_transitions: Callable[[Sequence[Transition]], None],
        wrong: Callable[[], str | None],
        guests: Guests | None = None,
    ) -> None:
        gateways = gateways_of(site, channels)
        self.activations = Activations({name: one.place for one in gateways for name in one.chambers})
        self.endangered = Endangered(batches, self.activations, store, channels, lambda *of: self.across.awaited(*of))
        self.exposing = Exposing(ledger, batches, self.activations, self.endangered)
        self.across = Following(
            gateways, clock=clock, ledger=ledger, batches=batches, channels=channels, latest=store.latest,
            limits=site.own_limits, tell=self.exposing.tell, on_transitions=on_transitions,
        )  # fmt: skip
        self.outpost = None if guests is None else Outpost(guests, tuple(site.chambers), data_dir, clock, ledger)
        self.engine = Engine((*rules, *self_check.rules, *self.across.rules))
        self.alarms: Alarms = Joined(self.engine, self.across.alarms) if gateways else self.engine
        self.journal = AlarmJournal(ledger, self.exposing.tell)
        self.desk = AlarmDesk(
            self.engine, self.journal, ledger, clock, batches, on_transitions, self.across
        )  # fmt: skip
        notify = site.notify or NotifySettings(site.name, site.zone)
        simulated = {device.id for device in site.every_device if device.simulated}
        self.notifier = Notifier(
            notify, clock, ledger, batches.exposed, data_dir, entropy,
            is_simulated=lambda rule: rule.device in simulated, view_of=self.alarms.view,
            is_occupied=batches.is_occupied, remark=batches.remark,
        )  # fmt: skip
        self.links = LinkDesk(self.desk, self.alarms, ledger, clock, self.notifier.links)
        self.heartbeat = None if notify.heartbeat is None else Heartbeat(notify.heartbeat, clock, wrong)
        self.self_check = self_check
        places = {row.device: row.chamber for row in channels.values()}
        self._process = ProcessWatch(self._recipe_of, site.process_limits)
        # What stands at a gateway is equipment of its hub, which watches when it is due.
        watched = equipment if guests is None else EquipmentRegister()
        self._calibration = CalibrationWatch(watched, places, site.calibration_limits)
        self._clock, self._ledger, self._batches, self._recipes = clock, ledger, batches, recipes
        self._on_transitions = on_transitions
        self._suppressed_when_empty = tuple(
            dict.fromkeys(rule.chamber for rule in rules if rule.when_empty is WhenEmpty.SUPPRESS)
        )

    def apply(self, event: Event) -> None:
        """Take one more event of the ledger, in order, after the batches have taken it."""
        self.desk.take(event)
        self.across.apply(event)
        if self.outpost is not None:
            self.outpost.apply(event)
        self.exposing.apply(event)
        batch_id = batch_of(event.stream)
        if batch_id is not None and (batch := self._batches.get(batch_id)) is not None:
            self._process.note(batch)

    def recall(self, event: Event) -> None:
        """Take an event of the ledger's past: what people were told is not told again."""
        self.across.recall(event)
        self.apply(event)
        self.notifier.recall(event)

    def begin(self, standing: StandingAlarms) -> tuple[Transition, ...]:
        """Go on where the ledger says, once its past is recalled; return what closes the alarms whose rule is gone."""
        # What a gateway said that is none any more is followed by nobody: it is closed on record.
        followed = self.across.alarms.standing
        now, alarms = self._clock.now(), [one for one in standing.alarms if followed.get(one.rule_id) is None]
        self.engine.add(self._process.begin(now, alarms))
        calibration = self._calibration.step(now)
        self.engine.add(calibration.rules)
        orphans = self.engine.restore(alarms)
        self.engine.refill(calibration.readings)
        closed = tuple(closing(orphan, standing.said(orphan.rule_id), now) for orphan in orphans)
        known = (*(rule.id for rule in self.alarms.rules), *(orphan.rule_id for orphan in orphans))
        self.journal.note([one for one in closed if self.across.is_followed(one.rule.id)])
        self.activations.end_unwatched(frozenset(known))
        self.notifier.resume(self.alarms.active())
        self.notifier.note_past(self.across.untold.past())
        return closed

    def remember(self, readings: Sequence[Reading]) -> None:
        """Take stored readings, oldest first: what a restart cut off goes on by source time."""
        self.engine.refill(readings)
        self.engine.refill(self._occupied(self._clock.now()))

    def tick(self, now: Instant) -> None:
        """Look at what no device tells: batches, calibrations, chambers that are empty, and cultureops itself."""
        process, calibration = self._process.step(now), self._calibration.step(now)
        self.engine.add((*process.rules, *calibration.rules))
        for rule in process.replaced:
            self.engine.replace(rule)
        readings = [*process.readings, *calibration.readings, *self._occupied(now), *self.self_check.readings(now)]
        readings += self.across.readings(now)
        self.take(readings)
        for rule_id in process.over:
            if self.engine.remove(rule_id):
                self._process.forget(rule_id)
        for rule_id in calibration.retired:
            self._take_out(rule_id, now)
        self._end_what_one_person_suppressed(now)
        live, past = self.across.hindsight.tick(now)
        self.notifier.note(live)
        self.notifier.note_past(past)
        self.notifier.tick(now)

    def take(self, readings: Sequence[Reading]) -> None:
        """Judge readings that no store is to keep."""
        if transitions := self.engine.evaluate(readings):
            self._on_transitions(transitions)

    def note(self, transitions: Sequence[Transition]) -> None:
        """Queue transitions for the record and for people; never blocks."""
        own = [transition for transition in transitions if not self.across.is_followed(transition.rule.id)]
        self.journal.note([transition for transition in own if transition.is_noted])
        others = [transition for transition in transitions if self.across.is_followed(transition.rule.id)]
        self.notifier.note([*own, *self.across.hindsight.take(others, self._clock.now())])

    @property
    def oldest_at(self) -> Instant | None:
        """Since when the oldest transition waits for the record [ms UTC]; None when all are on record."""
        waiting = (self.journal.oldest_at, self.across.oldest_at)
        return min((at for at in waiting if at is not None), default=None)

    async def settle(self) -> None:
        """Take to the ledger what waits for it; raises StorageError and keeps the rest when it can't be taken."""
        await self._settle_clock()
        await self.desk.settle()
        while await self.journal.step():
            await self.desk.settle()  # an order of another process waits for no backlog
        await self.across.settle()
        await self.exposing.revise(self._clock.now())
        if self.outpost is not None:
            await self.outpost.settle()

    async def run(self) -> None:
        """Tell people, beat, and ask the machine how it is, until cancelled."""
        async with asyncio.TaskGroup() as work:
            work.create_task(self.notifier.run())
            work.create_task(self._refresh())
            if self.heartbeat is not None:
                work.create_task(self.heartbeat.run())

    async def _refresh(self) -> None:
        while True:
            await self.self_check.refresh()
            await self._clock.sleep_until(self._clock.now() + REFRESH_MS)

    async def _settle_clock(self) -> None:
        events = self.self_check.take_events()
        try:
            if events:
                await self._ledger.append(CLOCK_STREAM, events, None)
        except CultureOpsError:
            self.self_check.give_back(events)
            raise

    def _end_what_one_person_suppressed(self, now: Instant) -> None:
        """Where cells have come into a chamber, a suppression that one person decided while it was empty is over."""
        for view in self.engine.suppressed():
            shelf = view.shelf
            if shelf is None or shelf.act.witness_id or shelf.act.actor_id == SYSTEM.id:
                continue
            if batches := view.rule.reached(self._batches.exposed, now, now):
                why = f"{', '.join(batches)} is in there now, and {shelf.act.actor_id} alone had suppressed it"
                act = Act(SYSTEM.id, why, role=SYSTEM.role)
                self._on_transitions((self.engine.release(view.rule.id, now, act),))

    def _recipe_of(self, batch: Batch) -> Recipe:
        """Return what a batch's times are watched by; raises CultureOpsError where its record has a hole."""
        if (position := self._batches.unreadable(batch.id)) is not None:
            raise BatchError(f"its event at position {position} of the ledger can't be read")
        return self._recipes.of(batch)

    def _occupied(self, now: Instant) -> list[Reading]:
        return [
            occupied_reading(chamber, now, is_occupied=self._batches.is_occupied(chamber, now))
            for chamber in self._suppressed_when_empty
        ]

    def _take_out(self, rule_id: str, now: Instant) -> None:
        """Let go of the alarms of equipment that was retired."""
        view = self.engine.view(rule_id)
        if view is not None and not view.state.is_suppressed:
            act = Act(SYSTEM.id, "the equipment was retired", role=SYSTEM.role)
            self._on_transitions((self.engine.take_out(rule_id, now, act),))
