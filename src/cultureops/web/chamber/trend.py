"""The curves of a chamber in any window, as few numbers as a screen can show.

Stretches have a width out of a short list and begin at whole multiples of it, so that the same stretch holds the same
numbers however the window was moved, and come from stored roll-ups from a minute on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.telemetry import Buckets, TelemetryStore
from cultureops.units import label
from cultureops.web.chamber.window import Window
from cultureops.web.templating import title

__all__ = ["MOST_POINTS", "snapped_buckets", "stretch_ms", "trend"]

MOST_POINTS: Final = 3_000
WIDTHS_MS: Final = (
    *(200, 500, SECOND_MS, 2 * SECOND_MS, 5 * SECOND_MS, 10 * SECOND_MS, 15 * SECOND_MS, 30 * SECOND_MS),
    *(MINUTE_MS, 2 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS, 15 * MINUTE_MS, 30 * MINUTE_MS),
    *(HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS, DAY_MS),
)
LONGEST_FINE_MS: Final = 12 * HOUR_MS
"""Beyond, a stretch is a minute at least: it comes from roll-ups, and a screen has no more room anyway."""
POLLS_A_STRETCH: Final = 2
"""With fewer a missed beat would look like a missing value."""
EXTRA_DECIMALS: Final = 1
"""A mean is a little finer than the readings it is of."""


async def trend(store: TelemetryStore, rows: Sequence[MeasuredChannel], window: Window, points: int) -> dict[str, Any]:
    """Return each channel's minimum, maximum and mean in at most about ``points`` stretches of the window, for JSON.

    Stretch ``i`` begins at ``first_ms + i * width_ms``; one without a value is null.
    """
    found = await asyncio.gather(*(_curve(store, row, window, points) for row in rows))
    return {"from": window.start, "to": window.end, "channels": found}


async def _curve(store: TelemetryStore, row: MeasuredChannel, window: Window, points: int) -> dict[str, Any]:
    buckets = await snapped_buckets(store, row.id, window, points, row.period_ms)
    filled = np.flatnonzero(buckets.count > 0)
    first, end = (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, 0)
    decimals = row.channel.decimals + EXTRA_DECIMALS
    return {
        "channel": row.id,
        "name": row.channel.name,
        "title": title(row.channel.name),
        "device": row.device,
        "unit": label(row.channel.unit),
        "decimals": row.channel.decimals,
        "verified": row.channel.verified,
        "simulated": row.simulated,
        "width_ms": buckets.width_ms,
        "first_ms": int(buckets.from_ms[first]) if filled.size else window.start,
        "minimum": _numbers(buckets.minimum[first:end], decimals),
        "maximum": _numbers(buckets.maximum[first:end], decimals),
        "mean": _numbers(buckets.mean[first:end], decimals),
    }


async def snapped_buckets(
    store: TelemetryStore, channel: ChannelId, window: Window, points: int, period_ms: int
) -> Buckets:
    """Return a channel in stretches that cover the window and begin at whole multiples of their width."""
    width = stretch_ms(window.length_ms, points, period_ms)
    first: Instant = window.start // width * width
    count = -(-(window.end - first) // width)
    return await store.buckets(channel, first, first + count * width, count)


def stretch_ms(length_ms: int, points: int, period_ms: int) -> int:
    """Return how wide the stretches are of a window of a length, and of a channel that is read so often [ms]."""
    finest = MINUTE_MS if length_ms > LONGEST_FINE_MS else 0
    wanted = max(length_ms / points, POLLS_A_STRETCH * period_ms, finest)
    return next((width for width in WIDTHS_MS if width >= wanted), -(-int(wanted) // DAY_MS) * DAY_MS)


def _numbers(values: np.ndarray, decimals: int) -> list[float | None]:
    rounded = np.round(values, decimals).astype(object)
    rounded[np.isnan(values)] = None
    found: list[float | None] = rounded.tolist()
    return found
