"""One line and the devices on it: asked one after the other, never two at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cultureops.acquisition.poller import Poller
from cultureops.clock import Instant
from cultureops.device.reading import Reading

__all__ = ["Bus"]


class Bus:
    """Devices that share a line take turns; each has its own schedule and its own back-off."""

    def __init__(self, link_uri: str, pollers: Sequence[Poller]) -> None:
        self.link_uri = link_uri
        self.pollers = tuple(pollers)
        self._lock = asyncio.Lock()
        self._due: dict[str, Instant] = {}

    def next_due(self, now: Instant) -> Instant:
        """Return when the next device on this line is to be asked."""
        return min(self._due.get(poller.device, now) for poller in self.pollers)

    async def poll_due(self, now: Instant) -> dict[str, tuple[Reading, ...]]:
        """Ask every device that is due and return its readings by device.

        The next due time is counted from the last due time, not from the answer, so that schedules do not drift;
        periods that were missed altogether are not made up for.
        """
        answers: dict[str, tuple[Reading, ...]] = {}
        async with self._lock:
            for poller in self.pollers:
                due = self._due.get(poller.device, now)
                if due > now:
                    continue
                missed_periods = (now - due) // poller.period_ms
                self._due[poller.device] = due + (missed_periods + 1) * poller.period_ms
                answers[poller.device] = await poller.poll_once(now)
        return answers

    async def close(self) -> None:
        """Let go of every device on this line."""
        for poller in self.pollers:
            await poller.close()
