"""The last hours of each channel, kept in memory as least and greatest values: what a page of many channels draws.

Asking the store for hundreds of channels at once would decode all that is not sealed, again for each page. What was
before the start comes from the store once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from cultureops.clock import HOUR_MS, MINUTE_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.telemetry import Buckets, TelemetryStore

__all__ = ["SPAN_MS", "STRETCHES", "WIDTH_MS", "LastHours", "Recent"]

SPAN_MS: Final = 6 * HOUR_MS
WIDTH_MS: Final = 10 * MINUTE_MS
STRETCHES: Final = SPAN_MS // WIDTH_MS
_MOST: Final = 3 * STRETCHES
"""Stretches of a channel after which those out of the span are let go."""

_Extremes: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class LastHours:
    """Least and greatest value of each stretch, oldest first, None where there was no value [the channel's unit].

    ``stamp`` changes when another stretch has begun or has got its first value; what was drawn by then is drawn anew.
    """

    extremes: tuple[_Extremes | None, ...]
    stamp: tuple[int, int]


class Recent:
    """The last hours of some channels."""

    def __init__(self, channels: Collection[ChannelId]) -> None:
        self._of: dict[ChannelId, dict[int, _Extremes]] = {channel: {} for channel in channels}

    def take(self, readings: Sequence[Reading]) -> None:
        """Take readings as they come; those of other channels and those without a value change nothing."""
        for reading in readings:
            stretches, value = self._of.get(reading.channel), reading.value
            if stretches is None or value is None:
                continue
            at = reading.source_time // WIDTH_MS
            known = stretches.get(at)
            if known is None:
                self._begin(stretches, at, (value, value))
            elif not known[0] <= value <= known[1]:
                stretches[at] = min(known[0], value), max(known[1], value)

    @staticmethod
    def _begin(stretches: dict[int, _Extremes], at: int, extremes: _Extremes) -> None:
        stretches[at] = extremes
        if len(stretches) > _MOST:
            for old in sorted(stretches)[: -_MOST // 2]:
                del stretches[old]

    async def recall(self, store: TelemetryStore, now: Instant) -> None:
        """Take the last hours before an instant [ms UTC] from the store; raises StorageError when it can't be read."""
        channels = tuple(self._of)
        start = (now - SPAN_MS) // WIDTH_MS * WIDTH_MS  # so that the store's stretches end where ours do
        found = await store.buckets_of(channels, start, now + 1, SPAN_MS // MINUTE_MS)
        for channel, buckets in zip(channels, found, strict=True):
            self._add(self._of[channel], buckets)

    @staticmethod
    def _add(stretches: dict[int, _Extremes], buckets: Buckets) -> None:
        there = buckets.count > 0
        columns = (buckets.from_ms[there] // WIDTH_MS, buckets.minimum[there], buckets.maximum[there])
        for at, low, high in zip(*(column.tolist() for column in columns), strict=True):
            known = stretches.get(at, (low, high))
            stretches[at] = min(known[0], low), max(known[1], high)

    def last_hours(self, channel: ChannelId, now: Instant) -> LastHours:
        """Return a channel's last hours up to an instant [ms UTC]; nothing of a channel that is not kept."""
        stretches = self._of.get(channel, {})
        last = now // WIDTH_MS
        extremes = tuple(stretches.get(at) for at in range(last - STRETCHES + 1, last + 1))
        return LastHours(extremes, (last, sum(extreme is not None for extreme in extremes)))
