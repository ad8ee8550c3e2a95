"""When watchers are told: at once what calls for somebody, values at a pace that people can read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from cultureops.acquisition.live import LiveFeed
from cultureops.clock import Clock, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.web.stream import encode_batches, encode_readings

__all__ = ["PACE_S", "SOON_S", "Telling"]

PACE_S: Final = 1.0
"""Values are told no more often than this; however fast lab time runs, people read at their pace."""
SOON_S: Final = 0.2
"""What changes together is told together."""


class Telling:
    """Gathers what happens and tells it to all watchers in one message, encoded once.

    ``alarms`` encodes the alarms as they stand at an instant.
    """

    def __init__(self, feed: LiveFeed, clock: Clock, alarms: Callable[[Instant], bytes]) -> None:
        self._feed = feed
        self._clock = clock
        self._encode_alarms = alarms
        self._readings: dict[ChannelId, Reading] = {}
        self._batches: set[str] = set()
        self._has_alarms = False
        self._timer: asyncio.TimerHandle | None = None
        self._told_s = float("-inf")

    def readings(self, readings: Sequence[Reading]) -> None:
        """Tell the newest reading of each channel; calls for nobody, so it may wait."""
        if self._feed.has_subscribers:
            self._readings |= {reading.channel: reading for reading in readings}
            self._tell_after(max(SOON_S, self._told_s + PACE_S - asyncio.get_running_loop().time()))

    def alarms(self) -> None:
        """Tell that alarms have changed."""
        if self._feed.has_subscribers:
            self._has_alarms = True
            self._tell_after(SOON_S)

    def batches(self, batch_ids: Iterable[str]) -> None:
        """Tell of which batches something was recorded."""
        if self._feed.has_subscribers and (changed := set(batch_ids)):
            self._batches |= changed
            self._tell_after(SOON_S)

    def _tell_after(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._tell)

    def _tell(self) -> None:
        self._timer, self._told_s = None, asyncio.get_running_loop().time()
        readings, self._readings = self._readings, {}
        batches, self._batches = self._batches, set()
        has_alarms, self._has_alarms = self._has_alarms, False
        if not self._feed.has_subscribers:
            return
        now, said = self._clock.now(), b""
        if has_alarms:
            said += self._encode_alarms(now)
        if batches:
            said += encode_batches(batches, now)
        if readings:
            said += encode_readings(tuple(readings.values()), now)
        self._feed.publish(said)
