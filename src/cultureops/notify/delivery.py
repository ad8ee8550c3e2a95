"""Takes messages to people: a queue and workers for each route, tried again, then by the person's next route."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

import structlog

from cultureops.clock import SECOND_MS, Clock, Instant
from cultureops.notify.incident import Call
from cultureops.notify.message import Message
from cultureops.notify.records import FAILED, GIVEN_UP, SENT, Attempt
from cultureops.notify.route import AT_ONCE, Outcome, Route, Send
from cultureops.notify.set_back import SetBack

__all__ = ["DOWN_AFTER", "Deliveries", "OnOutcome", "Parcel", "RouteStatus", "Step", "plan"]

log = structlog.get_logger(__name__)

DOWN_AFTER: Final = 3
"""Failures in a row after which a route is tried once per message only, and not again [OWN]."""


class Step(NamedTuple):
    """One attempt that may be made: by which route, its number there from 1, how long after the attempt before [s]."""

    route: str
    number: int
    after_s: float


def plan(routes: Sequence[Route], *, is_critical: bool) -> tuple[Step, ...]:
    """Return the attempts to reach somebody in order, by routes as the person prefers them.

    A route is tried again before the next one is used. What is critical goes by each route once before any is tried
    again.
    """
    most = max((route.retries for route in routes), default=0) + 1
    if is_critical:
        turns = [(route, number) for number in range(1, most + 1) for route in routes if number <= route.retries + 1]
    else:
        turns = [(route, number) for route in routes for number in range(1, route.retries + 2)]
    return tuple(Step(route.name, number, route.retry_after_s if number > 1 else 0.0) for route, number in turns)


@dataclass(slots=True)
class Parcel:
    """What one person is to be told in one message, and the attempts that are left."""

    calls: tuple[Call, ...]
    steps: list[Step]
    queued_at: Instant
    attempts: int = 0

    @property
    def urgency(self) -> tuple[bool, int, Instant, int]:
        """The place in a queue: GMP-critical first, then by priority and time."""
        return min(call.urgency for call in self.calls)


OnOutcome: TypeAlias = Callable[[str, tuple[Call, ...], Attempt], None]
"""Hears what became of a message: the type of its ledger event, what it told, and the attempt."""


@dataclass(frozen=True, slots=True)
class RouteStatus:
    """How a route is doing; ``failures`` are those in a row."""

    name: str
    waiting: int
    sent: int
    failures: int
    last_error: str | None


@dataclass(slots=True)
class _Lane:
    """A route with what waits for it."""

    route: Route
    queue: asyncio.PriorityQueue[tuple[tuple[bool, int, Instant, int], int, Parcel]] = field(
        default_factory=asyncio.PriorityQueue
    )
    sent: int = 0
    failures: int = 0
    last_error: str | None = None


class Deliveries:
    """Every message on its way; ``run`` is the task that sends them.

    ``compose`` writes a message at the moment of sending; ``wanted`` leaves out of a message what nobody needs to hear
    any more, and tells its owner so.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        send: Send,
        clock: Clock,
        wanted: Callable[[tuple[Call, ...]], tuple[Call, ...]],
        compose: Callable[[tuple[Call, ...], Route], Message],
        on_outcome: OnOutcome,
    ) -> None:
        self._lanes: Mapping[str, _Lane] = {route.name: _Lane(route) for route in routes}
        self._send = send
        self._clock = clock
        self._wanted = wanted
        self._compose = compose
        self._on_outcome = on_outcome
        self._later: list[tuple[Instant, int, Parcel]] = []
        self._tickets = itertools.count()
        self._set_back = SetBack()

    def put(self, calls: tuple[Call, ...], routes: Sequence[str], now: Instant) -> None:
        """Queue a message to a person who has these routes; never blocks."""
        is_critical = any(call.gmp_critical for call in calls)
        steps = plan([self._lanes[name].route for name in routes], is_critical=is_critical)
        self._queue(Parcel(calls, list(steps), now))

    def tick(self, now: Instant) -> None:
        """Let what is to be tried again come to its turn."""
        self._follow(now)
        while self._later and self._later[0][0] <= now:
            self._queue(heapq.heappop(self._later)[2])

    def status(self) -> tuple[RouteStatus, ...]:
        """Return how each route is doing."""
        return tuple(
            RouteStatus(lane.route.name, lane.queue.qsize(), lane.sent, lane.failures, lane.last_error)
            for lane in self._lanes.values()
        )

    @property
    def waiting(self) -> int:
        """How many messages wait for a route or for another attempt."""
        return len(self._later) + sum(lane.queue.qsize() for lane in self._lanes.values())

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as work:
            for lane in self._lanes.values():
                for _ in range(1 if lane.route.pause_s else AT_ONCE):
                    work.create_task(self._work(lane))

    def _follow(self, now: Instant) -> None:
        """Take off what the clock was set back by from when messages are tried again."""
        if by_ms := self._set_back.by_ms(now):
            self._later = [(at - by_ms, ticket, parcel) for at, ticket, parcel in self._later]

    def _queue(self, parcel: Parcel) -> None:
        lane = self._lanes[parcel.steps[0].route]
        lane.queue.put_nowait((parcel.urgency, next(self._tickets), parcel))

    async def _work(self, lane: _Lane) -> None:
        while True:
            _, _, parcel = await lane.queue.get()
            try:
                await self._handle(lane, parcel)
            except Exception as error:  # a worker that ends would silence its route
                log.error("what became of a message could not be noted", route=lane.route.name, exc_info=error)

    async def _handle(self, lane: _Lane, parcel: Parcel) -> None:
        parcel.calls = self._wanted(parcel.calls)
        if parcel.calls:
            outcome = await self._attempt(lane.route, parcel.calls)
            self._settle(lane, parcel, outcome)
            await asyncio.sleep(lane.route.pause_s)

    async def _attempt(self, route: Route, calls: tuple[Call, ...]) -> Outcome:
        try:
            return await self._send(route, self._compose(calls, route))
        except Exception as error:
            log.error("a message could not be sent", route=route.name, exc_info=error)
            return Outcome(False, f"{type(error).__name__} inside cultureops; see its log")

    def _settle(self, lane: _Lane, parcel: Parcel, outcome: Outcome) -> None:
        now = self._clock.now()
        self._follow(now)
        step = parcel.steps.pop(0)
        parcel.attempts += 1
        attempt = Attempt(step.route, parcel.attempts, parcel.queued_at, now, outcome.reason)
        if outcome.is_sent:
            lane.sent, lane.failures, lane.last_error = lane.sent + 1, 0, None
            self._on_outcome(SENT, parcel.calls, attempt)
            return
        if lane.last_error is None:
            log.warning("a route fails", route=step.route, reason=outcome.reason)
        lane.failures, lane.last_error = lane.failures + 1, outcome.reason
        self._on_outcome(FAILED, parcel.calls, attempt)
        while parcel.steps and parcel.steps[0].number > 1 and self._is_down(parcel.steps[0].route):
            parcel.steps.pop(0)
        if not parcel.steps:
            reason = f"{parcel.attempts} attempts failed, the last by {step.route}: {outcome.reason}"
            self._on_outcome(GIVEN_UP, parcel.calls, Attempt("", parcel.attempts, parcel.queued_at, now, reason))
        elif parcel.steps[0].after_s:
            due = now + round(parcel.steps[0].after_s * SECOND_MS)
            heapq.heappush(self._later, (due, next(self._tickets), parcel))
        else:
            self._queue(parcel)

    def _is_down(self, route: str) -> bool:
        return self._lanes[route].failures >= DOWN_AFTER
