"""One line and the devices on it: asked one after the other, never two at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from cultureops.acquisition.poller import Poller
from cultureops.clock import SECOND_MS, Instant
from cultureops.device.reading import Reading
from cultureops.device.transport.deadline import Deadline
from cultureops.histogram import Histogram

__all__ = ["Bus", "first_due"]

GRID_MS: Final = 10
"""Places lie on a grid: devices that share one share the costs of waking up, a third of all (1,000 at 1 Hz)."""


def first_due(rank: int, count: int, period_ms: int, now: Instant) -> Instant:
    """Return when the device of that rank among ``count`` is first due, from ``now`` on.

    The devices have places spread evenly over the period, so that a thousand are never asked at once. Places are
    counted from 1970: a restart moves none.
    """
    place = rank * period_ms // count // GRID_MS * GRID_MS
    return now + (place - now) % period_ms


class Bus:
    """Devices that share a line take turns; each has its own schedule, its own back-off and its own deadline.

    The next due time is counted from the last due time, not from the answer, so that schedules do not drift; periods
    that were missed altogether are not made up for. Where the clock was set back, a device keeps its place within the
    period and is asked within one. A device that has long been silent comes last: it is tried when no
    other is due for as long as that may take, or when it has waited a period for such a time. ``lateness`` is told how
    late each was asked [s].
    """

    def __init__(
        self, link_uri: str, pollers: Sequence[Poller], link: object = None, lateness: Histogram | None = None
    ) -> None:
        self.link_uri = link_uri
        self.pollers = tuple(pollers)
        self._deadline = link if isinstance(link, Deadline) else Deadline(0)
        for poller in self.pollers:
            self._deadline.deadline_s = poller.deadline_ms / 1000
        self._lateness = Histogram() if lateness is None else lateness
        self._lock = asyncio.Lock()
        self._due: dict[str, Instant] = {}

    def place(self, device: str, due: Instant) -> None:
        """Say when a device is to be asked next; one that was never placed is due at once."""
        self._due[device] = due

    def next_due(self, now: Instant) -> Instant:
        """Return when the next device on this line is to be asked."""
        return min(self._turn(poller, now) for poller in self.pollers)

    async def poll_due(self, now: Instant) -> dict[str, tuple[Reading, ...]]:
        """Ask every device that is due and return its readings by device."""
        async with self._lock:
            due = [poller for poller in self.pollers if self._due_of(poller, now) <= now]
            due.sort(key=lambda poller: poller.may_stall(now))
            return {poller.device: await self._poll(poller, now) for poller in due}

    async def poll_next(self, now: Instant) -> tuple[Reading, ...]:
        """Ask the device whose turn came first and return its readings."""
        async with self._lock:
            return await self._poll(min(self.pollers, key=lambda poller: self._turn(poller, now)), now)

    def _turn(self, poller: Poller, now: Instant) -> Instant:
        """Return when a device is to be asked, its neighbours considered."""
        due = self._due_of(poller, now)
        if not poller.may_stall(max(due, now)):
            return due
        # What a silent device takes of its line: its deadline, and the time in which a late answer is not heard.
        stall_ms = poller.deadline_ms + round(1000 * self._deadline.longest_s)
        turn, longest = max(due, now), due + poller.period_ms
        for other in sorted(self._due_of(other, now) for other in self.pollers if other is not poller):
            if other < turn + stall_ms:
                turn = max(turn, other + 1)
        return min(turn, max(longest, now))

    def _due_of(self, poller: Poller, now: Instant) -> Instant:
        """Return when a device is due by its own schedule; more than a period ahead is from before a leap back."""
        due = self._due.get(poller.device, now)
        if due > now + poller.period_ms:
            due = self._due[poller.device] = now + (due - now) % poller.period_ms
        return due

    async def _poll(self, poller: Poller, now: Instant) -> tuple[Reading, ...]:
        due = self._due_of(poller, now)
        if not poller.may_stall(now):  # who has long been silent is put off on purpose
            self._lateness.take((now - due) / SECOND_MS)
        missed_periods = (now - due) // poller.period_ms
        self._due[poller.device] = due + (missed_periods + 1) * poller.period_ms
        self._deadline.deadline_s = poller.deadline_ms / 1000
        return await poller.poll_once(now)

    async def close(self) -> None:
        """Let go of every device on this line."""
        for poller in self.pollers:
            await poller.close()
