"""One channel's readings out of the frames."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops.clock import Instant
from cultureops.device.reading import Quality
from cultureops.errors import Unreadable
from cultureops.telemetry import frame

__all__ = ["Points", "read_all_points", "read_frames", "read_frames_after", "read_points"]

_FRAMES_BETWEEN: Final = (
    "SELECT seq, payload FROM frames WHERE seq IN "
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
    for seq, payload in db.execute(_FRAMES_BETWEEN, (start, end)):
        try:
            rows += frame.decode_one(payload, channel, places)
        except Unreadable as error:
            raise _named(seq, error) from None
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


def read_frames(db: sqlite3.Connection, start: Instant, end: Instant) -> Iterator[frame.Columns]:
    """Yield, by arrival, the frames that touch ``start..end``; raises Unreadable when one is damaged."""
    return _decoded(db.execute(_FRAMES_BETWEEN, (start, end)))


def read_frames_after(db: sqlite3.Connection, seq: int) -> Iterator[frame.Columns]:
    """Yield the frames that came after the one with this number; raises Unreadable when one is damaged."""
    return _decoded(db.execute("SELECT seq, payload FROM frames WHERE seq > ? ORDER BY seq", (seq,)))


def read_all_points(db: sqlite3.Connection, start: Instant, end: Instant) -> dict[int, Points]:
    """Return what ``read_points`` returns, of every channel that has any, each frame being decoded once."""
    frames = list(read_frames(db, start, end))
    if not frames:
        return {}
    rows = frame.join(frames)
    order = np.argsort(rows.channel, kind="stable")
    found: dict[int, Points] = {}
    for own in np.split(order, np.flatnonzero(np.diff(rows.channel[order])) + 1):
        part = rows.at(own)
        points = Points(part.source_ms, part.value, part.quality, part.reason)
        found[int(part.channel[0])] = _in_order(points, start, end)
    return found


def _decoded(stored: Iterable[tuple[int, bytes]]) -> Iterator[frame.Columns]:
    for seq, payload in stored:
        try:
            yield frame.decode(payload)
        except Unreadable as error:
            raise _named(seq, error) from None


def _named(seq: int, error: Unreadable) -> Unreadable:
    return Unreadable(f"frame {seq}: {error}; restore the file from a backup")
