"""How fast lab time runs when somebody watches."""

from __future__ import annotations

import asyncio
from typing import Final

from cultureops.clock import DAY_MS, MINUTE_MS, Clock, Instant

__all__ = ["DEFAULT_SPEED", "FAST_FORWARD_DAYS", "DemoPace"]

DEFAULT_SPEED: Final = 3600.0
FAST_FORWARD_DAYS: Final = 10
_FLAT_OUT_BREATH_STEPS: Final = 64


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
