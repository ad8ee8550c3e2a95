"""What the charts draw, worked out on the server at the width of a screen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from cultureops.batch.batch import Batch, Occupancy
from cultureops.batch.views import growth_points
from cultureops.clock import Instant
from cultureops.units import label
from cultureops.web.context import WebContext

__all__ = ["MOST_POINTS", "batch_chart", "channel_chart"]

MOST_POINTS: Final = 1_000
ENVIRONMENT: Final = ("temperature", "co2")


async def batch_chart(context: WebContext, batch: Batch) -> dict[str, Any]:
    """Return what a batch lived through: culture facts, the air of exactly its chambers, and the alarms in it."""
    now = context.clock.now()
    environment = {
        name: await asyncio.gather(
            *(
                _stay(context, row.id, f"{context.chambers[stay.chamber].title} · {row.device}", stay, now)
                for stay in batch.occupancies
                for row in context.channels.values()
                if row.chamber == stay.chamber and row.channel.name == name
            )
        )
        for name in ENVIRONMENT
    }
    points = growth_points(batch)
    looks = [p for p in points if p.confluence_pct is not None]
    counts = [p for p in points if p.viability_pct is not None]
    return {
        "culture": {
            "confluence": {"x": [p.at for p in looks], "y": [p.confluence_pct for p in looks]},
            "viability": {"x": [p.at for p in counts], "y": [p.viability_pct for p in counts]},
            "viable_density": {"x": [p.at for p in counts], "y": [p.viable_density_1e6_per_ml for p in counts]},
        },
        "environment": environment,
        "passages": [{"at": p.detached_at, "text": f"P{p.passage} detached"} for p in batch.passages],
        "alarms": [
            {"from": e.raised_at, "to": e.cleared_at or now, "text": f"{e.rule_id}: {e.text}"} for e in batch.exposures
        ],
    }


async def _stay(context: WebContext, channel: str, name: str, stay: Occupancy, now: Instant) -> dict[str, Any]:
    end = now + 1 if stay.taken is None else stay.taken
    return {"name": name, **await channel_chart(context, channel, stay.placed, max(end, stay.placed + 1), MOST_POINTS)}


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
