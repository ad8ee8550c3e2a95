"""What the charts draw, worked out on the server at the width of a screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.clock import Instant
from cultureops.units import label
from cultureops.web.context import WebContext

__all__ = ["MOST_POINTS", "channel_chart", "drawn_chart"]

MOST_POINTS: Final = 1_000


async def drawn_chart(context: WebContext, row: MeasuredChannel, start: Instant, end: Instant) -> dict[str, Any]:
    """Return one channel at the width of a screen, in stretches of two polls or more: a hole is a missing value."""
    fitting = (end - start) // (2 * row.period_ms) + 2  # two more, for the store's stretches begin on a minute
    return await channel_chart(context, row.id, start, end, min(MOST_POINTS, fitting))


async def channel_chart(context: WebContext, channel: str, start: Instant, end: Instant, points: int) -> dict[str, Any]:
    """Return one channel between two instants; a stretch without a value is null, and stays a hole."""
    buckets = await context.store.buckets(channel, start, end, points)
    row = context.channels[channel]
    filled = np.flatnonzero((buckets.count > 0) | (buckets.bad > 0))
    last = int(filled[-1]) + 1 if filled.size else 0
    decimals = row.channel.decimals + 1
    return {
        "channel": channel,
        "unit": label(row.channel.unit),
        "verified": row.channel.verified,
        "simulated": row.simulated,
        "width_ms": buckets.width_ms,
        "x": buckets.from_ms[:last].tolist(),
        "minimum": _numbers(buckets.minimum[:last], decimals),
        "maximum": _numbers(buckets.maximum[:last], decimals),
        "mean": _numbers(buckets.mean[:last], decimals),
        "bad": buckets.bad[:last].tolist(),
    }


def _numbers(values: Iterable[float], decimals: int) -> list[float | None]:
    return [None if value != value else round(float(value), decimals) for value in values]
