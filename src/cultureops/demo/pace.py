"""How fast lab time runs when somebody watches, and how it passes where people work by hand."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from cultureops.clock import DAY_MS, MINUTE_MS, Clock, Instant

__all__ = ["DEFAULT_SPEED", "FAST_FORWARD_DAYS", "DemoPace", "Gait", "HandPace"]

DEFAULT_SPEED: Final = 3600.0
FAST_FORWARD_DAYS: Final = 10
_FLAT_OUT_BREATH_STEPS: Final = 64


class Gait(Protocol):
    """What the director waits for before each step."""

    async def before_step(self) -> None:
        """Return when the next bit of lab time may pass."""
        ...


class DemoPace:
    """Fast-forwards the first days so that no page is empty, then keeps to ``lab_seconds_per_second``.

    Headless there is no pace: the run goes flat out.
    """

    def __init__(self, clock: Clock, lab_seconds_per_second: float, *, headless: bool) -> None:
        self.lab_seconds_per_second = lab_seconds_per_second
        self._going = asyncio.Event()
        self._going.set()
        self._headless = headless
        self._clock = clock
        self._start = clock.now()
        self._paced_from = self._start + FAST_FORWARD_DAYS * DAY_MS
        self._next_step_at = 0.0
        self._steps = 0

    @property
    def paused(self) -> bool:
        """Whether lab time stands still; set it to stop or go on."""
        return not self._going.is_set()

    @paused.setter
    def paused(self, paused: bool) -> None:
        if paused:
            self._going.clear()
        else:
            self._going.set()

    def progress(self) -> tuple[Instant, Instant] | None:
        """Return (now, until) while lab time is fast-forwarded, else None."""
        now = self._clock.now()
        return (now, self._paced_from) if now < self._paced_from else None

    async def before_step(self) -> None:
        """Wait until the next lab minute may pass: not at all, or as the pace demands."""
        self._steps += 1
        loop = asyncio.get_running_loop()
        await self._going.wait()
        if self._headless or self.progress() is not None:
            if self._steps % _FLAT_OUT_BREATH_STEPS == 0:
                await asyncio.sleep(0)  # the pages are served by the same loop
            return
        step_s = MINUTE_MS / 1000 / self.lab_seconds_per_second
        self._next_step_at = max(self._next_step_at + step_s, loop.time() - 1.0)
        await asyncio.sleep(max(0.0, self._next_step_at - loop.time()))


class HandPace:
    """Lab time stands still until somebody lets it pass: flat out until an instant, or at a pace until it is paused."""

    def __init__(self, clock: Clock, lab_seconds_per_second: float, until: Instant) -> None:
        self.lab_seconds_per_second = lab_seconds_per_second
        self._clock = clock
        self._paused = True
        self._until: Instant | None = until
        self._moving = asyncio.Event()
        self._moving.set()
        self._arrived = asyncio.Event()
        self._next_step_at = 0.0
        self._steps = 0

    @property
    def paused(self) -> bool:
        """Whether lab time stands still; set it to stop or go on at the pace."""
        return self._paused and self._until is None

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._paused = paused
        if paused:
            self.stop()
        else:
            self._moving.set()

    def progress(self) -> None:
        """Return None: how far lab time has come stands on the bench."""

    @property
    def passing_until(self) -> Instant | None:
        """How far lab time passes flat out; None where it does not."""
        return self._until

    @property
    def next_stop(self) -> Instant:
        """How far the next step may reach at most."""
        return self._until if self._until is not None else self._clock.now() + MINUTE_MS

    async def forward(self, until: Instant, within_s: float) -> None:
        """Let lab time pass until an instant; returns when it has, or has been stopped, or after ``within_s``."""
        if until <= self._clock.now():
            return
        self._until = until
        self._arrived.clear()
        self._moving.set()
        try:
            async with asyncio.timeout(within_s):
                await self._arrived.wait()
        except TimeoutError:
            return

    def stop(self) -> None:
        """Let lab time pass no further; the step that is being made is made to its end."""
        self._until = None

    async def before_step(self) -> None:
        """Wait until the next step may be made."""
        if self._until is not None and self._clock.now() >= self._until:
            self._until = None
        if self._until is None:
            self._arrived.set()
            if self._paused:
                self._moving.clear()
        await self._moving.wait()
        if self._until is not None:
            self._steps += 1
            if self._steps % _FLAT_OUT_BREATH_STEPS == 0:
                await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        self._next_step_at = max(self._next_step_at + MINUTE_MS / 1000 / self.lab_seconds_per_second, loop.time() - 1.0)
        await asyncio.sleep(max(0.0, self._next_step_at - loop.time()))
