"""What every telemetry store does, wherever it keeps its readings."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from cultureops.analysis.exposure import ChannelExposure, check_range
from cultureops.clock import Instant
from cultureops.device.channel import Channel, ChannelId, Kind
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import StorageError

__all__ = ["ARRIVAL_UNKNOWN_MS", "Buckets", "ChannelInfo", "Gap", "Series", "TelemetryStore", "Watch"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

ARRIVAL_UNKNOWN_MS: Final = -1
"""Stands for when a reading was received, where only a copy is asked that does not know."""


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """What is kept of a channel beside its readings; ``unit`` is a UCUM code."""

    unit: str
    decimals: int = 2
    kind: Kind = Kind.MEASUREMENT
    verified: bool = True
    simulated: bool = False

    @classmethod
    def of(cls, channel: Channel, *, simulated: bool) -> ChannelInfo:
        """Keep what a device's channel row says."""
        return cls(channel.unit, channel.decimals, channel.kind, channel.verified, simulated)


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one channel by source time, one for each instant; all arrays have one length.

    ``source_ms`` [ms UTC, ascending] and ``received_ms``, ``value`` [NaN where BAD], ``quality`` and ``reason`` codes
    as stored; ``revised`` where another reading of the same instant had arrived before and is kept beneath. A copy on
    another server knows neither arrivals (ARRIVAL_UNKNOWN_MS) nor what was revised (never).
    """

    source_ms: Integers
    received_ms: Integers
    value: Floats
    quality: NDArray[np.uint8]
    reason: NDArray[np.uint8]
    revised: NDArray[np.bool_]

    def readings(self, channel: ChannelId) -> list[Reading]:
        """Return the rows as readings of a channel."""
        columns = (self.source_ms, self.received_ms, self.value, self.quality, self.reason)
        return [
            Reading(channel, None if value != value else value, Quality(quality), Reason(reason), at, received)
            for at, received, value, quality, reason in zip(*(column.tolist() for column in columns), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Buckets:
    """One channel in stretches of equal width; all arrays have one length.

    ``from_ms`` [ms UTC] is where a stretch begins; ``minimum`` and ``maximum`` are exact; all three values are NaN
    where no reading had a value. ``count`` are readings with a value, ``bad`` those without.
    """

    width_ms: int
    from_ms: Integers
    minimum: Floats
    maximum: Floats
    mean: Floats
    count: Integers
    bad: Integers


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of BAD readings of one reason; ``to_ms`` is the next other reading, None while it lasts."""

    channel: ChannelId
    from_ms: Instant
    to_ms: Instant | None
    reason: Reason


@dataclass(frozen=True, slots=True)
class Watch:
    """A channel, the range it should keep to [in its unit; None: no limit] and how long it may be silent [ms, > 0].

    Raises ValueError for what is no range and for a channel that may never be silent.
    """

    channel: ChannelId
    low: float | None
    high: float | None
    max_gap_ms: int

    def __post_init__(self) -> None:
        check_range(self.low, self.high)
        if self.max_gap_ms <= 0:
            raise ValueError(f"{self.channel} may be silent for {self.max_gap_ms} ms; expected more than 0")


class TelemetryStore(Protocol):
    """Keeps readings and gives them back.

    *Durable* means the future that ``append`` returned is done without an error.
    """

    @property
    def failure(self) -> StorageError | None:
        """Why readings can't be kept at present; None when they can."""
        ...

    @property
    def durable(self) -> tuple[int, str]:
        """Number and SHA-256 [hex] of the last durable frame; (0, "") before the first."""
        ...

    def declare(self, channels: Mapping[ChannelId, ChannelInfo]) -> None:
        """Make channels known, or change what is known of them; never blocks."""
        ...

    def append(self, readings: Sequence[Reading]) -> asyncio.Future[int]:
        """Take readings as one frame; the future is done with the frame's number when they are durable.

        Never blocks. Raises StorageError for a channel that was not declared; the future fails with StorageError
        when the readings could not be kept.
        """
        ...

    def latest(self) -> Mapping[ChannelId, Reading]:
        """Return the last reading of each channel, by arrival."""
        ...

    def channels(self) -> Mapping[ChannelId, ChannelInfo]:
        """Return every channel that was ever declared."""
        ...

    def count(self) -> int:
        """Return how many readings are durable."""
        ...

    async def series(self, channel: ChannelId, start: Instant, end: Instant) -> Series:
        """Return the readings with ``start <= source time < end``; of two at one instant the later arrival."""
        ...

    async def series_of(self, starts: Mapping[ChannelId, Instant], end: Instant) -> dict[ChannelId, Series]:
        """Do as ``series`` for many channels, each from its own start, seen at one moment.

        What is not sealed is decoded once for all: a lab of five hundred channels starts in seconds.
        """
        ...

    async def buckets(self, channel: ChannelId, start: Instant, end: Instant, count: int) -> Buckets:
        """Return ``start..end`` in at most ``count`` stretches of a whole number of minutes, or of ms when finer."""
        ...

    async def buckets_of(
        self, channels: Sequence[ChannelId], start: Instant, end: Instant, count: int
    ) -> tuple[Buckets, ...]:
        """Do as ``buckets`` for many channels, seen at one moment: what is not sealed is decoded once for all."""
        ...

    async def gaps(
        self, start: Instant, end: Instant, channels: Collection[ChannelId] | None = None
    ) -> tuple[Gap, ...]:
        """Return the stretches of BAD readings that touch ``start..end``, by channel and time."""
        ...

    async def exposures(self, start: Instant, end: Instant, watches: Sequence[Watch]) -> tuple[ChannelExposure, ...]:
        """Return what each channel did from ``start`` to ``end``, both included; one that is not known was silent.

        Raises ValueError when the end comes before the start.
        """
        ...

    async def seal(self, before: Instant) -> int:
        """Seal what was appended so far of the full hours before an instant; return how many passes have ended.

        Raises StorageError when it could not be done; nothing is lost and the next call tries again.
        """
        ...

    async def flush(self) -> None:
        """Return once everything appended so far is durable or has failed."""
        ...

    async def close(self) -> None:
        """Keep what was appended, then let go of the store; a second call does nothing."""
        ...
