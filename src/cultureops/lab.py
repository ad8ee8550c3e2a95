"""One lab, composed: site, stores, alarms, acquisition and the join between chambers and batches.

Pages and the demo's director stand on top of this; nothing here knows them, except for how a watcher's message is
encoded.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from cultureops.access import Role
from cultureops.access.desk import AccessDesk, open_access
from cultureops.acquisition import (
    Acquisition,
    LinkEvent,
    LinkState,
    LiveFeed,
    MeasuredChannel,
    Recorder,
    Result,
)
from cultureops.acquisition.link_record import link_recorded, link_stream
from cultureops.acquisition.recent import Recent
from cultureops.across.outpost import read_guests
from cultureops.alarming import Alarming
from cultureops.alarms import (
    Act,
    AlarmView,
    Rule,
    Transition,
)
from cultureops.alarms.command import AlarmCommand, Order
from cultureops.alarms.events import StandingAlarms
from cultureops.alarms.gateway import place_of
from cultureops.alarms.own import FAULT, kept_reading, own_reading
from cultureops.alarms.text import duration
from cultureops.anchor import Anchor
from cultureops.attachments import Attachments, keep_on_record
from cultureops.backup.nightly import Nightly
from cultureops.batch.batch import batch_of
from cultureops.batch.projection import batch_channels, channel_rows
from cultureops.batch.register import BatchRegister
from cultureops.batch.results import take_result
from cultureops.batch.shelf import RecipeShelf
from cultureops.batch_desk import BatchDesk
from cultureops.clock import MINUTE_MS, SECOND_MS, Clock, Entropy, Instant, SystemClock
from cultureops.device.channel import Kind
from cultureops.device.reading import Reading
from cultureops.errors import ChainBroken, StorageError
from cultureops.gathering import open_alarms
from cultureops.histogram import Histogram
from cultureops.ledger.anchors import Anchors
from cultureops.ledger.event import Actor, Event, Source
from cultureops.ledger.store import SqlLedger
from cultureops.ledger.unread import Unread
from cultureops.material import LotRegister
from cultureops.mqtt import publishing
from cultureops.notify.settings import NotifySettings
from cultureops.outlets import check_topics, mirror_of, publisher_of
from cultureops.recording import TELEMETRY_FOLDER, settle_ledger
from cultureops.self_check import SelfCheck, Surroundings, Vitals
from cultureops.site import Site, equipment_register
from cultureops.site_approval import SiteWatch
from cultureops.site_rules import channels_of, remote_channels, rules_of
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.mirror import Mirror, mirroring
from cultureops.telemetry.mirror_lag import LAG, LAG_EVERY_MS, LAG_ID, lag_reading
from cultureops.web.stream import encode_alarms
from cultureops.web.telling import Telling

__all__ = ["Lab", "open_lab"]

log = structlog.get_logger(__name__)

TICK_MS: Final = SECOND_MS
RETRY_MS: Final = SECOND_MS
MEMORY_MARGIN_MS: Final = 10 * MINUTE_MS
HOUR_S: Final = 3600.0
STEPPED_SEAL_H: Final = 6
"""Hours of stepped lab time pass in seconds; sealing each by itself would take most of them."""


class Lab:
    """The parts of one lab; opened by ``open_lab`` and read by whoever stands above."""

    def __init__(
        self,
        site: Site,
        data_dir: Path,
        clock: Clock,
        entropy: Entropy,
        ledger: SqlLedger,
        store: EmbeddedStore,
        access: AccessDesk,
        mirror: Mirror | None = None,
        site_watch: SiteWatch | None = None,
    ) -> None:
        self.site = site
        self.data_dir = data_dir
        self.site_watch = site_watch
        self.access = access
        self.clock = clock
        self.ledger = ledger
        self.store = store
        self.mirror = mirror
        self.feed = LiveFeed()
        self.unread = Unread()
        guests = None if site.hub is None else read_guests(data_dir)
        places = {place_of(name): tuple(one.chambers) for name, one in site.gateway_sites.items()}
        self.batches = BatchRegister(places, guests)
        self.equipment = equipment_register(site)
        self.lots = LotRegister()
        self.recipes = RecipeShelf(site.recipes)
        self.acquisition = Acquisition(site.devices, clock, self._on_link_event, self.equipment.is_out_of_calibration)
        self._own_channels = frozenset(row.id for row in self.acquisition.channels)
        self.channels = {row.id: row for row in (*self.acquisition.channels, *remote_channels(site))}
        self.loop_lag = Histogram()
        self.vitals = Vitals(
            time.monotonic if isinstance(clock, SystemClock) else lambda: clock.now() / SECOND_MS,
            max((row.period_ms / SECOND_MS for row in self.acquisition.channels), default=None),
        )
        rules = rules_of(site, self.channels)
        self.head_anchors = Anchors(ledger, site.ledger)
        untold_s = (site.notify or NotifySettings(site.name, site.zone)).undelivered_limit_s
        backup = site.backup
        self.backups = None if backup is None else Nightly(backup, data_dir, site.file, site.zone, clock, ledger)
        self.self_check = SelfCheck(
            replace(
                site.own_limits,
                people_not_reached_s=untold_s,
                backup_age_s=None if backup is None else backup.alarm_after_h * HOUR_S,
            ),
            data_dir,
            clock,
            self._surroundings(),
            rules,
            watches_machine=isinstance(clock, SystemClock),
        )
        self.alarming = Alarming(
            site, rules, self.self_check, clock=clock, entropy=entropy, ledger=ledger, store=store, data_dir=data_dir,
            batches=self.batches, equipment=self.equipment, recipes=self.recipes, channels=self.channels,
            on_transitions=self._on_transitions, wrong=self._wrong, guests=guests,
        )  # fmt: skip
        self.engine, self.alarms = self.alarming.engine, self.alarming.alarms
        self.across, self.outpost = self.alarming.across, self.alarming.outpost
        self.telling = Telling(
            self.feed, clock, lambda now: encode_alarms(self.alarms.active(), self.batches.exposed, now)
        )
        self.recent = Recent([name for name, row in self.channels.items() if row.channel.kind is Kind.MEASUREMENT])
        self.anchor = Anchor(store, ledger, 1 if isinstance(clock, SystemClock) else STEPPED_SEAL_H)
        self.attachments = Attachments(data_dir)
        self.desk = BatchDesk(
            ledger, store, access, clock, batches=self.batches, recipes=self.recipes, equipment=self.equipment,
            lots=self.lots, unread=self.unread, channels=self.channels, chambers=site.every_chamber,
            alarms=lambda: open_alarms(self.alarms), revise=self.alarming.exposing.revise,
        )  # fmt: skip
        self.execute, self.gaps_seen_by = self.desk.execute, self.desk.gaps_seen_by
        self.publisher = publisher_of(site, self.channels, clock, store, self.alarms, self.batches.exposed)
        self.recorder = Recorder(self.engine, store, self._on_transitions, self._on_readings)
        self._link_events: list[LinkEvent] = []
        self._rank = {device.id: rank for rank, device in enumerate(site.devices)}
        self._results: deque[tuple[str, Result]] = deque()
        self._wake = asyncio.Event()
        self._settling = asyncio.Lock()
        self.ledger_failure: StorageError | ChainBroken | None = None
        self._restore()

    async def remember(self) -> None:
        """Give the alarms the stored readings they look back on: what a restart cut off goes on by source time."""
        now = self.clock.now()
        memory_s = self.engine.memory_s()
        starts = {name: now - round(1000 * memory_s.get(name, 0.0)) - MEMORY_MARGIN_MS for name in self._own_channels}
        found = await self.store.series_of(starts, now + 1)
        readings = [reading for channel, series in found.items() for reading in series.readings(channel)]
        self.alarming.remember(sorted(readings, key=lambda reading: reading.source_time))
        await self.recent.recall(self.store, now)

    async def run(self) -> None:
        """Poll, evaluate, store and record in real time, until cancelled."""
        async with asyncio.TaskGroup() as work:
            work.create_task(self.acquisition.run(self._accept, self._take_results))
            work.create_task(self._tick())
            work.create_task(self._record())
            work.create_task(self.alarming.run())
            work.create_task(self._anchor_heads())
            if self.site_watch is not None:
                work.create_task(self._watch_site(self.site_watch))
            if self.backups is not None:
                work.create_task(self.backups.run())
            if self.mirror is not None:
                work.create_task(self._watch(self.mirror))

    @staticmethod
    def plan(site: Site) -> tuple[dict[str, MeasuredChannel], tuple[Rule, ...]]:
        """Read profiles and rules of a site without touching a device; raises ConfigError."""
        channels = channels_of(site)
        check_topics(site, channels)
        for gateway in site.gateway_sites.values():
            rules_of(gateway, channels)
        return channels, rules_of(site, channels)

    async def acknowledge(self, rule_id: str, actor_id: str, reason: str) -> AlarmView | None:
        """Acknowledge an alarm in a person's name; raises CultureOpsError when there is nothing to acknowledge.

        Returns the alarm as it stands, or None when it is back to normal.
        """
        act = Act(actor_id, reason, role=Role.OPERATOR)
        return await self.alarming.desk.carry_out(AlarmCommand(Order.ACKNOWLEDGE, rule_id, act, self.clock.now()))

    async def take(self, device: str, result: Result) -> None:
        """Take what a cell counter handed over into the batch that the sample names, or record why not."""
        facts = await self.desk.facts("", Actor(device, Role.DEVICE), None)
        if (contents := await self.acquisition.contents(device, result)) is not None:
            source_file = result.source_file
            await keep_on_record(self.ledger, self.attachments, contents, source_file, facts.actor, Source.DEVICE)
        await take_result(self.ledger, self.recipes.lookup, facts, device, result)
        self.acquisition.release(device, result)

    async def settle(self) -> None:
        """Append to the ledger whatever links, alarms and counters have said so far, in that order."""
        async with self._settling:
            # Lines answer in any order; the record keeps that of the site file.
            for event in sorted(self._link_events, key=lambda event: (event.at, self._rank[event.device])):
                await self.ledger.append(link_stream(event.device), [link_recorded(event)], None)
                self._link_events.remove(event)
            await self.alarming.settle()
            while self._results:
                await self.take(*self._results[0])
                self._results.popleft()
            now = self.clock.now()
            await self.anchor.settle(now)
            if self.access.is_due(now):
                await self.access.settle(now)
            await self.ledger.sign_head_if_due(now)

    def _surroundings(self) -> Surroundings:
        """Say where the check of cultureops by itself finds what it asks for."""
        return Surroundings(
            accepted=lambda: self.recorder.accepted,
            durable=self.store.count,
            store_failure=lambda: self.store.failure,
            ledger_failure=lambda: self.ledger_failure,
            published=lambda: None if self.publisher is None else self.publisher.status().connected,
            routes_failing=self._routes_failing,
            undelivered_s=self._undelivered_s,
            record_behind_s=self._record_behind_s,
            unreadable_events=lambda: self.unread.count,
            access=self.access.status,
            site_differs=lambda: None if self.site_watch is None else self.site_watch.differs,
            heads_failing_s=lambda: self.head_anchors.status().failing_s(self.clock.now()),
            backup_age_s=lambda: None if self.backups is None else self.backups.age_s(),
            backup_failed=lambda: None if self.backups is None else self.backups.failure is not None,
            is_mirrored=self.mirror is not None,
        )

    def _routes_failing(self) -> int | None:
        status = self.alarming.notifier.status()
        return None if status.tells_nobody else status.failing_routes

    def _undelivered_s(self) -> float | None:
        status = self.alarming.notifier.status()
        return None if status.tells_nobody else status.undelivered_s

    def _record_behind_s(self) -> float:
        """Return the age of the oldest transition that waits for the ledger [s], or of an attempt that hangs."""
        oldest_at = self.alarming.oldest_at
        waited_s = 0.0 if oldest_at is None else (self.clock.now() - oldest_at) / SECOND_MS
        return max(waited_s, self.vitals.recording_s, 0.0)

    def _wrong(self) -> str | None:
        """Say in one line what keeps the lab from being watched, None while all is well."""
        failures = (self.store.failure, self.ledger_failure)
        if (failure := next((str(failure) for failure in failures if failure is not None), None)) is not None:
            return failure
        if (missing := self.vitals.wrong()) is not None:
            return missing
        if (behind_s := self._record_behind_s()) > self.site.own_limits.record_behind_s:
            return f"the record has been behind for {duration(behind_s)}"
        return self.alarming.notifier.status().problem

    def _restore(self) -> None:
        """Fold the ledger into batches and alarms, declare the channels, and follow what comes."""
        self.store.declare({row.id: _info(row) for row in self.channels.values()})
        # What another process appends from now on comes through the hook, and must not come twice.
        known = self.ledger.head().position
        standing = StandingAlarms()
        readers = [*self._folds, self.alarming.recall, standing.apply, self._make_good]
        if self.publisher is not None:
            readers.append(self.publisher.recall)
        for event in self.ledger.read_all(limit=known):
            self.unread.take(event, readers)
        closed = self.alarming.begin(standing)
        for one in closed:
            log.warning("an alarm was closed", alarm=one.rule.id, stood=one.from_state.value, cause=one.cause)
        if closed:
            self._on_transitions(closed)
        self.ledger.on_append.append(self._on_append)

    def _make_good(self, event: Event) -> None:
        if self._lacks_facts_of(event):
            self._project(event)

    def _lacks_facts_of(self, event: Event) -> bool:
        """Whether a stop came between the ledger's commit and the store's: the projection is made good then."""
        latest = self.store.latest()
        return any(
            (known := latest.get(fact.channel)) is None or known.received_time < fact.received_time
            for fact in batch_channels(event)
        )

    def _accept(self, readings: Sequence[Reading]) -> None:
        self.recorder.accept(readings).add_done_callback(self._on_kept)

    def _on_kept(self, durable: asyncio.Future[int]) -> None:
        if not durable.cancelled() and (error := durable.exception()) is not None:
            log.error("readings are not durable", error=str(error))
            self._watch_store()

    def _watch_store(self) -> None:
        """Raise an alarm as soon as readings can't be kept, and clear it when they are again."""
        self.alarming.take([kept_reading(self.store.failure is not None, self.clock.now())])

    def _watch_faults(self) -> None:
        self.alarming.take([own_reading(FAULT, float(self.vitals.fault is not None), self.clock.now())])

    def _take_results(self, results: Sequence[tuple[str, Result]]) -> None:
        self._results.extend(results)
        self._wake.set()

    def tick(self, now: Instant) -> None:
        """Let alarm delays run out, and look at what no device tells."""
        self.recorder.tick(now)
        self.alarming.tick(now)
        self.vitals.tick()

    async def _tick(self) -> None:
        """Tick until cancelled; a fault of ours in one tick is told, and ends neither the next nor anything beside."""
        self.vitals.begin()
        while True:
            with self.vitals.apart("the tick"):
                self.tick(self.clock.now())
            with self.vitals.apart("the watch on the store"):
                self._watch_store()
            with self.vitals.apart("the alarm of faults"):
                self._watch_faults()
            self._wake.set()
            await self.clock.sleep_until(self.clock.now() + TICK_MS)

    async def _watch(self, mirror: Mirror) -> None:
        self.store.declare({LAG_ID: ChannelInfo.of(LAG, simulated=False)})
        while True:
            now = self.clock.now()
            self._accept([lag_reading(mirror.status().lag_s, now)])
            await self.clock.sleep_until(now + LAG_EVERY_MS)

    async def _anchor_heads(self) -> None:
        """Take signed heads to where they are kept; a place that hangs holds up nothing else."""
        while True:
            with self.vitals.apart("the anchors"):
                await self._take_heads()
            await self.clock.sleep_until(self.clock.now() + TICK_MS)

    async def _take_heads(self) -> None:
        try:
            await self.head_anchors.settle(self.clock.now())
        except (StorageError, ChainBroken) as error:
            log.error("a head could not be signed; tried again", error=str(error))

    async def _watch_site(self, watch: SiteWatch) -> None:
        while True:
            with self.vitals.apart("the watch on the site file"):
                now = self.clock.now()
                if watch.is_due(now):
                    await watch.settle(now)
            await self.clock.sleep_until(self.clock.now() + TICK_MS)

    async def _record(self) -> None:
        """Keep the ledger up with what happens, and the lab with what commands beside it append.

        What the ledger can't take now waits and is tried again.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            is_done = False
            with self.vitals.apart("the record"), self.vitals.recording():
                is_done = await self._catch_up()
            if not is_done:
                await self.clock.sleep_until(self.clock.now() + RETRY_MS)
                self._wake.set()

    async def _catch_up(self) -> bool:
        try:
            await self.ledger.catch_up()
            await self.settle()
        except (StorageError, ChainBroken) as error:
            self.ledger_failure = error
            log.error("the ledger can't take what happened; tried again", error=str(error))
            return False
        self.ledger_failure = None
        return True

    def _on_link_event(self, event: LinkEvent) -> None:
        say = log.warning if event.state is LinkState.LOST else log.info
        say(f"device {event.state}", device=event.device, reason=event.reason.text, detail=event.detail)
        self._link_events.append(event)
        self._wake.set()

    def _on_transitions(self, transitions: Sequence[Transition]) -> None:
        self.alarming.note(transitions)
        self._wake.set()
        if self.publisher is not None:
            self.publisher.alarms(transitions)
        self.telling.alarms()

    def _on_readings(self, readings: Sequence[Reading]) -> None:
        if any(reading.channel in self._own_channels for reading in readings):
            self.vitals.hear()
        if self.publisher is not None:
            self.publisher.readings(readings)
        self.recent.take(readings)
        self.telling.readings(readings)

    def _on_append(self, events: Sequence[Event]) -> None:
        for event in events:
            self.unread.take(event, (*self._folds, self.alarming.apply, self._project))
        self._wake.set()
        self.telling.batches(batch_id for event in events if (batch_id := batch_of(event.stream)) is not None)
        if self.publisher is not None:
            self.publisher.exposures()

    @property
    def _folds(self) -> tuple[Callable[[Event], None], ...]:
        own = (self.batches.apply, self.equipment.apply, self.lots.apply, self.recipes.apply)
        return own if self.backups is None else (*own, self.backups.apply)

    def _project(self, event: Event) -> None:
        """Write an event's culture facts as readings of the batch."""
        if facts := batch_channels(event):
            rows = channel_rows(event.stream.removeprefix("batch:"))
            self.store.declare({fact.channel: ChannelInfo.of(rows[fact.channel], simulated=False) for fact in facts})
            self._accept(facts)


@asynccontextmanager
async def open_lab(
    site: Site,
    data_dir: Path,
    clock: Clock,
    entropy: Entropy,
    *,
    gather_s: float = 0.0,
    seals_apart: bool = False,
    site_watch: SiteWatch | None = None,
) -> AsyncIterator[Lab]:
    """Open a lab on its data folder and let go of everything with the block.

    ``gather_s`` and ``seals_apart`` are the store's; ``site_watch`` tells when the site file is not what is approved.

    Raises ConfigError for what the site file asks for and can't be, ChainBroken or Unreadable for a folder whose
    history is not whole.
    """
    where = await asyncio.to_thread(settle_ledger, data_dir, site.ledger)
    ledger = SqlLedger.open(where, clock, entropy, site.origin, site.ledger.key_folder(data_dir), is_lab=True)
    try:
        await ledger.introduce_key()
        store = EmbeddedStore.open(data_dir / TELEMETRY_FOLDER, gather_s=gather_s, seals_apart=seals_apart)
        try:
            access = await open_access(data_dir, ledger, site.access, clock, entropy)
            mirror = mirror_of(site, data_dir, clock, store)
            lab = Lab(site, data_dir, clock, entropy, ledger, store, access, mirror, site_watch)
            try:
                await lab.remember()
                async with mirroring(lab.mirror), publishing(lab.publisher):
                    yield lab
                    await lab.settle()
            finally:
                await lab.acquisition.close()
        finally:
            await store.close()
    finally:
        await ledger.close()


def _info(row: MeasuredChannel) -> ChannelInfo:
    return ChannelInfo.of(row.channel, simulated=row.simulated)
