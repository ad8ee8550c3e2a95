"""The loops around buses end when they are told to, whatever a driver's library does with the telling."""

import asyncio
from collections.abc import Sequence

import pytest

from cultureops.acquisition import Acquisition
from cultureops.acquisition.bus import Bus
from cultureops.clock import Instant, SystemClock
from cultureops.device.reading import Reading


class Deaf(Bus):
    """A line whose driver takes a cancellation for an answer."""

    async def poll_next(self, now: Instant) -> tuple[Reading, ...]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return ()
        raise AssertionError


async def test_a_driver_that_swallows_a_cancellation_does_not_keep_the_lab_from_ending() -> None:
    accepted: list[Sequence[Reading]] = []
    acquisition = Acquisition([], SystemClock(), lambda _: None)
    bus = Deaf("deaf", [])
    bus.next_due = lambda now: now  # type: ignore[method-assign]
    polling = asyncio.create_task(acquisition._run_bus(bus, accepted.append))
    await asyncio.sleep(0)
    polling.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await polling
    assert accepted == [()]
