"""Tells people of alarms: the thin shell around escalation, messages and routes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from cultureops.alarms.alarm import AlarmView, Transition
from cultureops.alarms.rule import BatchRef, Exposure, Priority, Rule
from cultureops.clock import MINUTE_MS, SECOND_MS, Clock, Entropy, Instant, iso
from cultureops.ledger.event import Event
from cultureops.ledger.ledger import Ledger
from cultureops.notify.delivery import Deliveries
from cultureops.notify.escalation import Escalation
from cultureops.notify.first_out import FirstOut
from cultureops.notify.flood import Digests, Flood
from cultureops.notify.incident import Call, News
from cultureops.notify.journal import NotifyJournal
from cultureops.notify.line import one_line
from cultureops.notify.link import Links, load_key
from cultureops.notify.message import Message, Writer
from cultureops.notify.policy import CRITICAL
from cultureops.notify.records import FAILED, GIVEN_UP, SENT, Attempt, Memory, delivery_event
from cultureops.notify.route import AppriseSender, Route, Send
from cultureops.notify.settings import NotifySettings
from cultureops.notify.status import NotifyStatus

__all__ = ["LINK_PATH", "Notifier"]

log = structlog.get_logger(__name__)

LINK_PATH: Final = "/alarms/link/"
RETRY_MS: Final = SECOND_MS
_LOOK_AHEAD_EVERY_MS: Final = 15 * MINUTE_MS
_USUAL_DATA_DIR: Final = Path("data")
"""Where commands look that are not told of another folder."""


class _Gaps(NamedTuple):
    """When nobody is on call next, and when all of a level mute high alarms; None for not within a week."""

    asked_at: Instant
    roster_at: str | None
    mute_at: str | None


class Notifier:
    """Tells the people of one site; without routes it tells nobody, and its status says so.

    Order of use: ``recall`` the ledger's past, ``resume`` with the alarms that are open, then ``note`` transitions and
    ``tick`` every second, while ``run`` is a task. Only ``run`` waits for anything. ``view_of`` returns an alarm by its
    rule's id as it stands, for messages that say what the value is by now. ``is_occupied`` says of a chamber in which
    no batch is known whether one may stand in it all the same, ``remark`` how old the knowledge of batches is.
    """

    def __init__(
        self,
        settings: NotifySettings,
        clock: Clock,
        ledger: Ledger,
        exposed: Exposure,
        data_dir: Path,
        entropy: Entropy,
        *,
        is_simulated: Callable[[Rule], bool] = lambda _: False,
        send: Send | None = None,
        view_of: Callable[[str], AlarmView | None] | None = None,
        is_occupied: Callable[[str, Instant], bool] = lambda *_: False,
        remark: Callable[[Instant], str] = lambda _: "",
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._exposed = exposed
        self._latest: Instant = 0
        self._tells_nobody = not settings.routes
        self.links = None if self._tells_nobody else Links(load_key(data_dir), entropy)
        self._roster = settings.roster
        self._escalation = Escalation(
            settings.policies, self._roster,
            lambda chamber, at: bool(self._endangered(chamber, at, at + 1)) or is_occupied(chamber, at),
            tell_when_acknowledged=settings.tell_when_acknowledged,
        )  # fmt: skip
        self._first_out = FirstOut(settings.first_out_s)
        self._flood, self._digests = Flood(), Digests()
        self._writer = Writer(
            settings.site, settings.zone, self._endangered, is_simulated, self._first_out.first_of, self._link,
            self._levels, view_of or (lambda _: None),
            None if data_dir == _USUAL_DATA_DIR else data_dir.absolute(), remark,
        )  # fmt: skip
        self._deliveries = Deliveries(
            settings.routes, send or AppriseSender(), clock, self._wanted, self._compose, self._on_outcome
        )
        self._journal = NotifyJournal(ledger)
        self._memory = Memory()
        self._given_up = 0
        self._ledger_error: str | None = None
        self._fault: str | None = None
        self._behind = asyncio.Event()
        self._gaps: _Gaps | None = None

    def recall(self, event: Event) -> None:
        """Take an event of the ledger's past, in its order."""
        if not self._tells_nobody:
            self._latest = max(self._latest, event.recorded_at)
            self._memory.recall(event)

    def resume(self, views: Iterable[AlarmView]) -> None:
        """Go on with the alarms that are announced: what was sent is not sent again, what was not goes out."""
        if self._tells_nobody:
            return
        for view in views:
            opened_at = self._memory.opened_at(view.rule.id, view.raised_at)
            self._escalation.resume(view, opened_at, self._memory.heard(view.rule.id, opened_at))
            self._first_out.note(view.rule, view.raised_at, view.since)
        self._memory = Memory()

    def note(self, transitions: Sequence[Transition]) -> None:
        """Take what became of alarms and queue what people are to hear of it at once; never blocks, never raises."""
        if self._tells_nobody:
            return
        now = self._clock.now()
        self._latest = max(self._latest, now)
        for transition in transitions:
            with self._apart():
                if self._escalation.note(transition):
                    self._flood.note(now)
                    self._first_out.note(transition.rule, transition.raised_at, transition.since)
        self.tick(now)

    def note_past(self, pasts: Iterable[tuple[Transition, Transition]]) -> None:
        """Tell once of activations, by how each began and ended, that were over before anybody could hear of them."""
        if self._tells_nobody:
            return
        now = self._clock.now()
        for raised, ended in pasts:
            with self._apart():
                self._escalation.note_past(raised, ended, now)

    def tick(self, now: Instant) -> None:
        """Queue what has become due; never blocks, never raises."""
        if not self._tells_nobody:
            with self._apart():
                self._queue_due(now)

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """Keep a fault of ours from those who watch and record; the status shows it."""
        try:
            yield
        except Exception as error:
            log.error("telling people met what it was not made for", exc_info=error)
            self._fault = f"{type(error).__name__}: {error}"

    def _queue_due(self, now: Instant) -> None:
        self._latest = max(self._latest, now)
        self._flood.tick(now)
        calls = self._escalation.tick(now)
        if self._escalation.fault not in (None, self._fault):
            self._fault = self._escalation.fault
            log.error("an alarm can't be escalated", fault=self._fault)
        for together in self._digests.sort(calls, now, in_flood=self._flood.is_on):
            self._deliveries.put(together, self._roster.people[together[0].person].routes, now)
        self._deliveries.tick(now)
        if self._escalation.is_behind(now):
            self._behind.set()

    def status(self) -> NotifyStatus:
        """Return how it goes."""
        if self._tells_nobody:
            return NotifyStatus(tells_nobody=True)
        now = self._clock.now()
        incidents = self._escalation.incidents
        called_at, undelivered = self._escalation.undelivered() or (now, None)
        gaps = self._look_ahead(now)
        return NotifyStatus(
            tells_nobody=False,
            routes=self._deliveries.status(),
            unacknowledged=len(incidents),
            waiting=self._deliveries.waiting,
            held=len(self._digests),
            unrecorded=len(self._journal),
            undelivered=undelivered,
            undelivered_s=max(0, now - called_at) / SECOND_MS,
            limit_s=self._settings.undelivered_limit_s,
            given_up=self._given_up,
            in_flood=self._flood.is_on,
            roster_gap_at=gaps.roster_at,
            mute_gap_at=gaps.mute_at,
            ledger_error=self._ledger_error,
            fault=self._fault,
        )

    def _look_ahead(self, now: Instant) -> _Gaps:
        """Return the next gaps as found within the last quarter of an hour: looking for them takes milliseconds."""
        if self._gaps is None or not self._gaps.asked_at <= now < self._gaps.asked_at + _LOOK_AHEAD_EVERY_MS:
            high = self._settings.policies.of(Priority.HIGH, gmp_critical=False)
            found = (self._roster.next_gap(now), self._roster.next_muted([level.who for level in high.levels], now))
            self._gaps = _Gaps(now, *(None if at is None else iso(at) for at in found))
        return self._gaps

    def _endangered(self, chamber: str, start: Instant, end: Instant) -> tuple[BatchRef, ...]:
        """Return the batches in a chamber; while the clock shows a time that was before, those put inside since too."""
        return self._exposed(chamber, start, max(end, self._latest))

    async def run(self) -> None:
        """Send and record until cancelled; nothing else ends it."""
        if self._tells_nobody:
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as work:
            work.create_task(self._deliveries.run())
            work.create_task(self._record())
            work.create_task(self._catch_up())

    async def drain(self) -> None:
        """Take every outcome to the ledger; raises what the ledger raises and keeps the rest."""
        await self._journal.drain()

    async def _catch_up(self) -> None:
        """Look at what one tick left for the next, and let others have their turn meanwhile."""
        while True:
            await self._behind.wait()
            await asyncio.sleep(0)
            self._behind.clear()
            self.tick(self._clock.now())

    async def _record(self) -> None:
        while True:
            await self._journal.wake.wait()
            self._journal.wake.clear()
            try:
                await self._journal.drain()
                self._ledger_error = None
            except Exception as error:
                if self._ledger_error is None:
                    log.error("the ledger can't take what became of messages; tried again", error=str(error))
                self._ledger_error = str(error)
                await self._clock.sleep_until(self._clock.now() + RETRY_MS)
                self._journal.wake.set()

    def _wanted(self, calls: tuple[Call, ...]) -> tuple[Call, ...]:
        """Leave out what nobody needs to hear any more."""
        wanted: list[Call] = []
        for call in calls:
            if self._escalation.is_wanted(call):
                wanted.append(call)
            else:
                self._escalation.drop(call)
        return tuple(wanted)

    def _compose(self, calls: tuple[Call, ...], route: Route) -> Message:
        now = self._clock.now()
        try:
            message = self._writer.write(calls, now)
        except Exception as error:  # a message without its ornaments is better than none
            log.error("a message could not be written in full", alarm=calls[0].rule.id, exc_info=error)
            ids = one_line(", ".join(call.rule.id for call in calls[:10]))
            return Message(f"ALARM {ids}"[:160], f"{len(calls)} alarms: {ids}. Look at the page of alarms.", True)
        if not route.brief:
            return message
        link = self._link(calls[0], now) if len(calls) == 1 else ""
        return Message(message.subject, f"{message.subject}\n{link}".strip(), message.is_critical)

    def _on_outcome(self, kind: str, calls: tuple[Call, ...], attempt: Attempt) -> None:
        self._journal.note(delivery_event(kind, calls, attempt))
        if kind == FAILED:
            return
        for call in calls:
            if kind == SENT:
                self._escalation.heard(call, attempt.at)
            else:
                self._escalation.unheard(call, attempt.at)
        if kind == GIVEN_UP:
            self._given_up += 1
        self.tick(self._clock.now())

    def _link(self, call: Call, now: Instant) -> str:
        if self.links is None or self._settings.public_url is None or call.news is News.ENDED:
            return ""
        expires = now + round(self._settings.link_valid_s * SECOND_MS)
        token = self.links.token(call.rule.id, call.raised_at, call.person, expires)
        return f"{self._settings.public_url}{LINK_PATH}{token}"

    def _levels(self, policy: str) -> int:
        policies = self._settings.policies
        found = policies.critical if policy == CRITICAL else next(
            one for one in policies.by_priority.values() if one.name == policy
        )  # fmt: skip
        return len(found.levels)
