"""Minimum, mean and maximum of each day of the site, for whoever reads a table instead of a curve."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.clock import MINUTE_MS, Instant
from cultureops.telemetry import Buckets, TelemetryStore
from cultureops.web.chamber.trend import snapped_buckets
from cultureops.web.chamber.window import Window

__all__ = ["MOST_DAYS", "Day", "Figures", "daily"]

MOST_DAYS: Final = 62
QUARTER_MS: Final = 15 * MINUTE_MS
"""All zones' days begin on a quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a channel did: its extremes and mean, None without a value, and how many readings had one or none."""

    minimum: float | None
    mean: float | None
    maximum: float | None
    count: int
    bad: int


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the site with the figures of each channel, in their order."""

    date: date
    figures: tuple[Figures, ...]


async def daily(
    store: TelemetryStore, rows: Sequence[MeasuredChannel], window: Window, zone: ZoneInfo
) -> tuple[tuple[Figures, ...], tuple[Day, ...]]:
    """Return the figures of the window and of each of its last days, the newest first; ends count by the quarter."""
    quarters = max(1, -(-window.length_ms // QUARTER_MS))
    found = await asyncio.gather(*(snapped_buckets(store, row.id, window, quarters, period_ms=0) for row in rows))
    return await asyncio.to_thread(_by_day, found, zone)


def _by_day(found: Sequence[Buckets], zone: ZoneInfo) -> tuple[tuple[Figures, ...], tuple[Day, ...]]:
    """Gather stretches that are alike for all channels into days."""
    whole = tuple(_figures(buckets, np.ones(buckets.count.size, bool)) for buckets in found)
    if not found:
        return whole, ()
    ordinals = np.array([_ordinal(at, zone) for at in found[0].from_ms.tolist()])
    newest = sorted(set(ordinals.tolist()), reverse=True)[:MOST_DAYS]
    return whole, tuple(
        Day(date.fromordinal(day), tuple(_figures(buckets, ordinals == day) for buckets in found)) for day in newest
    )


def _ordinal(at: Instant, zone: ZoneInfo) -> int:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).toordinal()


def _figures(buckets: Buckets, inside: np.ndarray) -> Figures:
    count, bad = buckets.count[inside], int(buckets.bad[inside].sum())
    has = count > 0
    if not has.any():
        return Figures(None, None, None, 0, bad)
    values = int(count.sum())
    mean = float((buckets.mean[inside][has] * count[has]).sum() / values)
    low, high = buckets.minimum[inside][has].min(), buckets.maximum[inside][has].max()
    return Figures(float(low), mean, float(high), values, bad)
