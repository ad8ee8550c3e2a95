"""Readings at the width of a chart: equal stretches with exact extremes, from roll-ups where they are fine enough."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import numpy as np

from cultureops.clock import HOUR_MS, MINUTE_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reason
from cultureops.telemetry.points import read_points
from cultureops.telemetry.rollup import MINUTES, empty_hour, roll_up, unpack
from cultureops.telemetry.store import Buckets, Gap

__all__ = ["read_buckets", "read_gaps"]


def read_buckets(db: sqlite3.Connection, channel: int, start: Instant, end: Instant, count: int) -> Buckets:
    """Return ``start..end`` in at most ``count`` stretches.

    Stretches of a minute or more are whole minutes, begin on one, and come from roll-ups; finer ones from the readings
    themselves.
    """
    if end <= start or count < 1:
        raise ValueError(f"{start}..{end} in {count} stretches is no range")
    width_ms = -(-(end - start) // count)
    if width_ms < MINUTE_MS:
        return _from_points(db, channel, start, end, width_ms)
    first = start // MINUTE_MS * MINUTE_MS
    width_ms = max(MINUTE_MS, -(-(end - first) // (count * MINUTE_MS)) * MINUTE_MS)
    return _from_rollups(db, channel, first, end, width_ms)


def _from_points(db: sqlite3.Connection, channel: int, start: Instant, end: Instant, width_ms: int) -> Buckets:
    points = read_points(db, channel, start, end)
    bucket, good = (points.source_ms - start) // width_ms, ~points.bad
    return _gathered(
        start, end, width_ms, bucket,
        minimum=points.value, maximum=points.value, total=np.where(good, points.value, 0.0),
        count=good.astype(np.int64), bad=points.bad.astype(np.int64),
    )  # fmt: skip


def _from_rollups(db: sqlite3.Connection, channel: int, start: Instant, end: Instant, width_ms: int) -> Buckets:
    hours, minutes = _hours(db, channel, start, end)
    instants = (np.repeat(hours * HOUR_MS, MINUTES) + np.tile(np.arange(MINUTES) * MINUTE_MS, len(hours))).astype(
        np.int64
    )
    inside = (instants >= start) & (instants < end) & ((minutes["count"] > 0) | (minutes["bad"] > 0))
    minutes, instants = minutes[inside], instants[inside]
    return _gathered(
        start, end, width_ms, (instants - start) // width_ms,
        minimum=minutes["minimum"], maximum=minutes["maximum"], total=minutes["sum"],
        count=minutes["count"].astype(np.int64), bad=minutes["bad"].astype(np.int64),
    )  # fmt: skip


def _hours(db: sqlite3.Connection, channel: int, start: Instant, end: Instant) -> tuple[np.ndarray, np.ndarray]:
    """Return the hours that hold readings and their minutes, the present hour rolled up from its readings."""
    state = db.execute("SELECT open_hour FROM state").fetchone()
    first_hour, last_hour = start // HOUR_MS, (end - 1) // HOUR_MS
    stored = db.execute(
        "SELECT hour, payload FROM rollups WHERE channel = ? AND hour BETWEEN ? AND ? ORDER BY hour",
        (channel, first_hour, last_hour),
    ).fetchall()
    hours, rows = [hour for hour, _ in stored], [unpack(payload) for _, payload in stored]
    if state is not None and last_hour >= state[0]:
        for hour in range(max(first_hour, state[0]), min(last_hour, state[0]) + 1):
            points = read_points(db, channel, hour * HOUR_MS, (hour + 1) * HOUR_MS)
            hours.append(hour)
            rows.append(roll_up(points.source_ms, points.value))
    return np.array(hours, np.int64), np.concatenate(rows) if rows else empty_hour()[:0]


def _gathered(
    start: Instant, end: Instant, width_ms: int, bucket: np.ndarray, *,
    minimum: np.ndarray, maximum: np.ndarray, total: np.ndarray, count: np.ndarray, bad: np.ndarray,
) -> Buckets:  # fmt: skip
    """Put rows into their stretches; a stretch without a value has NaN for all three values."""
    size = -(-(end - start) // width_ms)
    low, high = np.full(size, np.nan), np.full(size, np.nan)
    sums, counts, bads = np.zeros(size), np.zeros(size, np.int64), np.zeros(size, np.int64)
    np.fmin.at(low, bucket, minimum)
    np.fmax.at(high, bucket, maximum)
    np.add.at(sums, bucket, total)
    np.add.at(counts, bucket, count)
    np.add.at(bads, bucket, bad)
    mean = np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)
    from_ms = start + np.arange(size, dtype=np.int64) * width_ms
    return Buckets(width_ms, from_ms, low, high, mean, counts, bads)


def read_gaps(db: sqlite3.Connection, names: Mapping[int, ChannelId], start: Instant, end: Instant) -> tuple[Gap, ...]:
    """Return the stretches of BAD readings that touch ``start..end``, by channel and time."""
    rows = db.execute(
        "SELECT channel, from_ms, to_ms, reason FROM runs WHERE from_ms < ? AND coalesce(to_ms, ?) > ? "
        "ORDER BY channel, from_ms",
        (end, end + 1, start),
    )
    return tuple(
        Gap(names[channel], from_ms, to_ms, Reason(reason))
        for channel, from_ms, to_ms, reason in rows
        if channel in names
    )
