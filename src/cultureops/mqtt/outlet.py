"""What a publisher is to the lab, whatever it says to the broker; and several of them as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from cultureops.alarms.engine import Transition
from cultureops.device.reading import Reading
from cultureops.ledger.event import Event

__all__ = ["Outlet", "Outlets", "PublisherStatus", "publishing"]


@dataclass(frozen=True, slots=True)
class PublisherStatus:
    """What became of what is to be published.

    ``connected`` once the broker has everything as it stands; ``waiting`` topics are to be told, ``coalesced``
    readings were overtaken by a newer one of their channel while they waited.
    """

    target: str
    connected: bool
    waiting: int
    sent: int
    coalesced: int
    last_error: str | None


class Outlet(Protocol):
    """Tells one broker how the lab stands; nothing it is told of ever makes it wait."""

    def recall(self, event: Event) -> None:
        """Take an event of the ledger's past, in its order."""
        ...

    def readings(self, readings: Sequence[Reading]) -> None:
        """Note that the channels have new readings, which the store has already; never blocks."""
        ...

    def alarms(self, transitions: Sequence[Transition]) -> None:
        """Note what the alarms have come to; never blocks."""
        ...

    def exposures(self) -> None:
        """Note that vessels may have been moved: alarms name the batches in their chamber; never blocks."""
        ...

    def status(self) -> PublisherStatus:
        """Return how the publisher is doing."""
        ...

    async def run(self) -> None:
        """Publish until cancelled, then say so to the broker, if it is there, within 5 s; nothing else ends it."""
        ...


class Outlets:
    """Several outlets that are told the same."""

    def __init__(self, outlets: Sequence[Outlet]) -> None:
        self._outlets = tuple(outlets)

    def recall(self, event: Event) -> None:
        """Take an event of the ledger's past, in its order."""
        for outlet in self._outlets:
            outlet.recall(event)

    def readings(self, readings: Sequence[Reading]) -> None:
        """Note that the channels have new readings; never blocks."""
        for outlet in self._outlets:
            outlet.readings(readings)

    def alarms(self, transitions: Sequence[Transition]) -> None:
        """Note what the alarms have come to; never blocks."""
        for outlet in self._outlets:
            outlet.alarms(transitions)

    def exposures(self) -> None:
        """Note that vessels may have been moved; never blocks."""
        for outlet in self._outlets:
            outlet.exposures()

    def status(self) -> PublisherStatus:
        """Return how they are doing together: connected when all are, and what went wrong with any."""
        each = [outlet.status() for outlet in self._outlets]
        errors = [status.last_error for status in each if status.last_error is not None]
        return PublisherStatus(
            target=", ".join(status.target for status in each),
            connected=all(status.connected for status in each),
            waiting=sum(status.waiting for status in each),
            sent=sum(status.sent for status in each),
            coalesced=sum(status.coalesced for status in each),
            last_error="; ".join(dict.fromkeys(errors)) or None,
        )

    async def run(self) -> None:
        """Run each until cancelled; they take leave side by side."""
        async with asyncio.TaskGroup() as work:
            for outlet in self._outlets:
                work.create_task(outlet.run())


@asynccontextmanager
async def publishing(outlet: Outlet | None) -> AsyncIterator[None]:
    """Run an outlet, if there is one, beside the block."""
    if outlet is None:
        yield
        return
    task = asyncio.create_task(outlet.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
