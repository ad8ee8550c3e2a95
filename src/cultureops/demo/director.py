"""Steps the whole demo, minute by minute or a few at a time, in one order that never changes.

Simulators step, all devices are asked at once, readings are accepted in site-file order, alarm delays run, results of
the counter come in, and the technician does what is due. A missed poll that nobody planted ends the run and names the
device: it would otherwise move an alarm and make two runs with one seed differ.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from cultureops.clock import DAY_MS, MINUTE_MS, Instant, SteppedClock, iso
from cultureops.demo.fleet import Fleet
from cultureops.demo.pace import Gait
from cultureops.demo.trouble import Troubles
from cultureops.device.reading import COMMUNICATION_REASONS, Quality, Reading
from cultureops.errors import CultureOpsError
from cultureops.lab import Lab

__all__ = ["Director", "UnplannedMiss", "Worker"]

MOST_UNCONFIRMED_FRAMES: Final = 64
LONGEST_RUN_DAYS: Final = 80


class UnplannedMiss(CultureOpsError):
    """A device did not answer although nothing was planted."""


class Worker(Protocol):
    """Whoever does something when it is due."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        ...

    @property
    def idle_until(self) -> Instant:
        """When there is something to do next [ms UTC]."""
        ...

    async def work(self, now: Instant) -> None:
        """Do what is due by ``now``."""
        ...


class Director:
    """Runs the demo until the technician has closed every batch.

    A step is ``step_ms`` of lab time, or less where the technician has something to do before that, never less than
    a minute.
    """

    def __init__(
        self,
        lab: Lab,
        fleet: Fleet,
        technician: Worker,
        troubles: Troubles,
        pace: Gait,
        days: float | None = None,
        step_ms: int = MINUTE_MS,
    ) -> None:
        assert isinstance(lab.clock, SteppedClock)
        self._lab = lab
        self._clock = lab.clock
        self._fleet = fleet
        self._technician = technician
        self._troubles = troubles
        self._pace = pace
        self._last_instant = self._clock.now() + round((days or LONGEST_RUN_DAYS) * DAY_MS)
        self._ends_early = days is not None
        self._step_ms = step_ms
        self._unconfirmed: deque[asyncio.Future[int]] = deque()

    async def run(self, on_step: Callable[[Instant], None]) -> None:
        """Play until all is closed, or the days that were asked for.

        Raises UnplannedMiss, or whatever a refused command or a failed store says.
        """
        while not self._technician.is_done:
            if self._clock.now() >= self._last_instant:
                if self._ends_early:
                    break
                raise CultureOpsError(f"not every batch was closed within {LONGEST_RUN_DAYS} days of lab time")
            await self._pace.before_step()
            on_step(await self.step())
        while self._unconfirmed:
            await self._unconfirmed.popleft()

    async def step(self) -> Instant:
        """Let a little lab time pass."""
        lab, step_ms = self._lab, self._next_step_ms()
        await self._fleet.step(step_ms / 1000)
        now = self._clock.advance(step_ms)
        await self._move_troubles(now)
        readings = await lab.acquisition.poll_once(now)
        self._check_for_misses(readings, now)
        await self._keep(lab.recorder.accept(readings))
        lab.tick(now)
        await lab.settle()
        for device, result in await lab.acquisition.collect(now):
            await lab.take(device, result)
        await self._technician.work(now)
        return now

    def _next_step_ms(self) -> int:
        idle_ms = self._technician.idle_until - self._clock.now()
        return max(MINUTE_MS, min(self._step_ms, -(-idle_ms // MINUTE_MS) * MINUTE_MS))

    async def _move_troubles(self, now: Instant) -> None:
        for trouble in self._troubles.begin(now):
            await self._fleet.plant(trouble.device, trouble.fault)
        for trouble in self._troubles.end(now):
            await self._fleet.clear(trouble.device)

    def _check_for_misses(self, readings: Sequence[Reading], now: Instant) -> None:
        for reading in readings:
            if reading.quality is Quality.BAD and reading.reason in COMMUNICATION_REASONS:
                device = reading.channel.partition("/")[0]
                if not self._troubles.explain_miss(device, now):
                    detail = self._lab.acquisition.pollers[device].detail
                    raise UnplannedMiss(
                        f"{device} was missed at {iso(now)} and nobody planted it: {reading.reason.text}: {detail}; "
                        "the machine may be too busy: close other programs and run again"
                    )

    async def _keep(self, durable: asyncio.Future[int]) -> None:
        """Let a few frames wait for the disk together, never more than a bounded number."""
        self._unconfirmed.append(durable)
        while self._unconfirmed and self._unconfirmed[0].done():
            self._unconfirmed.popleft().result()
        if len(self._unconfirmed) > MOST_UNCONFIRMED_FRAMES:
            await self._unconfirmed.popleft()
