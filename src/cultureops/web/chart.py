"""What the charts draw, worked out on the server at the width of a screen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.batch.batch import Batch
from cultureops.batch.parts import Occupancy
from cultureops.batch.views import growth_points
from cultureops.clock import Instant
from cultureops.units import label
from cultureops.web.context import WebContext
from cultureops.web.gaps import gap_rows

__all__ = ["MOST_POINTS", "batch_chart", "channel_chart", "drawn_chart"]

MOST_POINTS: Final = 1_000
ENVIRONMENT: Final = ("temperature", "co2")


async def batch_chart(context: WebContext, batch: Batch) -> dict[str, Any]:
    """Return what a batch lived through: culture facts, the air of exactly its chambers, and the alarms in it."""
    now = context.clock.now()
    stays = _stays(context, batch)
    traces = await asyncio.gather(*(_trace(context, row, stay, now) for row, stay in stays))
    environment: dict[str, list[dict[str, Any]]] = {name: [] for name in ENVIRONMENT}
    for (row, _), trace in zip(stays, traces, strict=True):
        environment[row.channel.name].append(trace)
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
            {
                "from": e.raised_at,
                "to": e.cleared_at or now,
                "label": e.rule_id.partition("/")[2].replace("/", " "),
                "text": f"{e.rule_id}: {e.text}",
            }
            for e in batch.exposures
        ],
        "gaps": await _gaps(context, stays, now),
    }


def _stays(context: WebContext, batch: Batch) -> list[tuple[MeasuredChannel, Occupancy]]:
    """Return which channels tell the air of which stay."""
    return [
        (row, stay)
        for stay in batch.occupancies
        for row in context.channels.values()
        if row.chamber == stay.chamber and row.channel.name in ENVIRONMENT
    ]


def _end(stay: Occupancy, now: Instant) -> Instant:
    """Return where a stay ends; one that ends where it began still has a moment."""
    return max(now + 1 if stay.taken is None else stay.taken, stay.placed + 1)


async def _trace(context: WebContext, row: MeasuredChannel, stay: Occupancy, now: Instant) -> dict[str, Any]:
    name = f"{context.chambers[stay.chamber].title} · {row.device}"
    return {"name": name, **await drawn_chart(context, row, stay.placed, _end(stay, now))}


async def _gaps(
    context: WebContext, stays: list[tuple[MeasuredChannel, Occupancy]], now: Instant
) -> list[dict[str, Any]]:
    """Return when which device gave no value while the batch stood there, and why."""
    found: list[dict[str, Any]] = []
    for stay in dict.fromkeys(stay for _, stay in stays):
        channels = [row.id for row, other in stays if other == stay]
        until = _end(stay, now)
        for gap in await gap_rows(context, channels, stay.placed, until):
            text = f"{gap.device}: no {', '.join(gap.titles)}, {gap.reason}"
            begin, end = max(gap.from_ms, stay.placed), min(gap.to_ms or until, until)
            found.append({"from": begin, "to": end, "text": text})
    return found


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
