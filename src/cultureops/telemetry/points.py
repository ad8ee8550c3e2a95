"""Readings of one channel as columns, and the rule for readings of the same instant. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry.store import Floats, Integers

__all__ = ["Points", "as_readings", "is_shown", "join", "no_points", "settle"]


@dataclass(frozen=True, slots=True)
class Points:
    """Readings of one channel; ``value`` is NaN where BAD, times are ms UTC. All arrays have one length."""

    source_ms: Integers
    received_ms: Integers
    value: Floats
    quality: np.ndarray
    reason: np.ndarray

    @property
    def size(self) -> int:
        """How many readings there are."""
        return self.source_ms.size

    @property
    def bad(self) -> np.ndarray:
        """Which readings have no value."""
        return np.asarray(self.quality == Quality.BAD)

    def at(self, rows: np.ndarray | slice) -> Points:
        """Return only these rows, given by number, by mask or as a stretch."""
        return Points(*(column[rows] for column in self.columns()))

    def between(self, start_ms: int, end_ms: int) -> Points:
        """Return the readings with ``start_ms <= source time < end_ms``."""
        return self.at((self.source_ms >= start_ms) & (self.source_ms < end_ms))

    def columns(self) -> tuple[np.ndarray, ...]:
        """Return the columns in the order of the fields."""
        return self.source_ms, self.received_ms, self.value, self.quality, self.reason


def no_points() -> Points:
    """Return no reading at all."""
    none = np.empty(0, np.int64)
    return Points(none, none, np.empty(0), np.empty(0, np.uint8), np.empty(0, np.uint8))


def join(parts: Sequence[Points]) -> Points:
    """Return the parts one after the other."""
    if not parts:
        return no_points()
    if len(parts) == 1:
        return parts[0]
    return Points(*(np.concatenate(columns) for columns in zip(*(part.columns() for part in parts), strict=True)))


def settle(points: Points) -> np.ndarray:
    """Return the rows to keep of readings in order of arrival, sorted by source time and then arrival.

    A reading that says at its instant what the one before it said is dropped; one that says something else is kept
    beside it.
    """
    order = np.argsort(points.source_ms, kind="stable")
    source_ms = points.source_ms[order]
    twice = source_ms[1:] == source_ms[:-1]
    if not twice.any():
        return order
    said = points.value.view(np.int64)[order], points.quality[order], points.reason[order]
    for column in said:
        twice &= column[1:] == column[:-1]
    return np.asarray(order[np.append(True, ~twice)])


def is_shown(source_ms: Integers) -> np.ndarray:
    """Say which rows of ascending source times are shown: of those of one instant, the last to arrive."""
    return np.append(source_ms[1:] != source_ms[:-1], True) if source_ms.size else np.empty(0, bool)


def as_readings(channels: Sequence[ChannelId], points: Points) -> Iterator[Reading]:
    """Yield the rows as readings of the channels, one for each row."""
    for channel, source_ms, received_ms, value, quality, reason in zip(
        channels, *(column.tolist() for column in points.columns()), strict=True
    ):
        yield Reading(
            channel, None if value != value else value, Quality(quality), Reason(reason), source_ms, received_ms
        )
