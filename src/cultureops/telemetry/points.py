"""One channel's readings out of the frames."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops.clock import Instant
from cultureops.device.reading import Quality
from cultureops.telemetry import frame

__all__ = ["FRAMES_BETWEEN", "Points", "read_points"]

FRAMES_BETWEEN: Final = (
    "SELECT payload FROM frames WHERE seq IN "
    "(SELECT seq FROM frames INDEXED BY frames_by_time WHERE to_ms >= ? AND from_ms < ?) ORDER BY seq"
)
"""Left to itself SQLite walks every frame to get them in order."""


@dataclass(frozen=True, slots=True)
class Points:
    """Readings of one channel, one for each instant, ascending; ``value`` is NaN where BAD. One length."""

    source_ms: np.ndarray
    value: np.ndarray
    quality: np.ndarray
    reason: np.ndarray

    @property
    def bad(self) -> np.ndarray:
        """Which readings have no value."""
        return np.asarray(self.quality == Quality.BAD)

    def pairs(self) -> Iterator[tuple[int, float | None]]:
        """Yield (source ms, value or None)."""
        for source_ms, value in zip(self.source_ms.tolist(), self.value.tolist(), strict=True):
            yield source_ms, None if value != value else value


def read_points(db: sqlite3.Connection, channel: int, start: Instant, end: Instant) -> Points:
    """Return the readings with ``start <= source time < end``; of two at one instant the later arrival.

    Raises Unreadable when a frame is damaged.
    """
    places: dict[bytes, tuple[int, ...]] = {}
    rows: list[tuple[int, float, int, int]] = []
    stored = db.execute(FRAMES_BETWEEN, (start, end))
    for (payload,) in stored:
        rows += frame.decode_one(payload, channel, places)
    if not rows:
        nothing = np.zeros(0)
        return Points(nothing.astype(np.int64), nothing, nothing.astype(np.uint8), nothing.astype(np.uint8))
    source_ms, value, quality, reason = (np.array(column) for column in zip(*rows, strict=True))
    return _in_order(Points(source_ms, value, quality.astype(np.uint8), reason.astype(np.uint8)), start, end)


def _in_order(points: Points, start: Instant, end: Instant) -> Points:
    """Sort by source time and keep, of readings at one instant, the later arrival."""
    order = np.argsort(points.source_ms, kind="stable")
    source_ms = points.source_ms[order]
    is_last = np.append(source_ms[1:] != source_ms[:-1], True)
    keep = order[is_last & (source_ms >= start) & (source_ms < end)]
    return Points(points.source_ms[keep], points.value[keep], points.quality[keep], points.reason[keep])
