"""Values that a frame with few check bits might have made up. Pure.

A garbled frame passes an 8-bit check once in 256 times, and always where there is no check. So a value that leaps
faster than its channel can, or lies outside what the instrument can measure, is read a second time at once: what is
confirmed stands, what is not is shown as uncertain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cultureops.clock import MINUTE_MS, Instant
from cultureops.device.channel import Channel
from cultureops.device.reading import Reason, Sample

__all__ = ["MOST_CHECK_BITS", "Doubt"]

MOST_CHECK_BITS: Final = 8
"""Frames with more are not doubted."""


class Doubt:
    """What was last believed of each channel of one device, and what is doubtful beside it."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._channels = {channel.name: channel for channel in channels}
        self._believed: dict[str, tuple[float, Instant]] = {}

    def doubtful(self, samples: Sequence[Sample], now: Instant) -> frozenset[str]:
        """Return the names of the channels whose values are to be read again."""
        return frozenset(sample.name for sample in samples if self._is_doubtful(sample, now))

    def settled(self, first: Sequence[Sample], again: Sequence[Sample], now: Instant) -> tuple[Sample, ...]:
        """Return the second samples; those that are doubtful and do not confirm the first ones are SUSPECT.

        ``again`` is empty where the device could not be read a second time: then what is doubtful of the first is.
        """
        if not again:
            return tuple(_suspect(sample) if self._is_doubtful(sample, now) else sample for sample in first)
        before = {sample.name: sample for sample in first}
        return tuple(
            _suspect(sample) if self._is_doubtful(sample, now) and not self._confirms(sample, before) else sample
            for sample in again
        )

    def believe(self, samples: Sequence[Sample], now: Instant) -> None:
        """Note the values that later ones are compared with."""
        for sample in samples:
            if sample.value is not None and not sample.reason:
                self._believed[sample.name] = sample.value, now

    def _is_doubtful(self, sample: Sample, now: Instant) -> bool:
        channel, value = self._channels.get(sample.name), sample.value
        if channel is None or value is None:
            return False
        if channel.valid_range is not None and not channel.valid_range[0] <= value <= channel.valid_range[1]:
            return True
        believed = self._believed.get(sample.name)
        if channel.max_rate_per_min is None or believed is None:
            return False
        most = channel.max_rate_per_min * max(now - believed[1], 0) / MINUTE_MS + _resolution(channel)
        return not abs(value - believed[0]) <= most

    def _confirms(self, sample: Sample, before: Mapping[str, Sample]) -> bool:
        first, channel = before.get(sample.name), self._channels[sample.name]
        if first is None or first.value is None or sample.value is None:
            return False
        at_once = _resolution(channel) + (channel.max_rate_per_min or 0.0) / 60  # a second's worth
        return abs(sample.value - first.value) <= at_once


def _resolution(channel: Channel) -> float:
    return 1.5 * 10.0**-channel.decimals


def _suspect(sample: Sample) -> Sample:
    return Sample(sample.name, sample.value, Reason.SUSPECT)
