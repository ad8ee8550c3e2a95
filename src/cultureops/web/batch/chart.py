"""What the charts of a batch draw: the culture with its forecast, and the air of exactly the chambers it stood in."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.batch.batch import Batch
from cultureops.batch.conditions import Range, conditions
from cultureops.batch.looks import looks
from cultureops.batch.parts import Occupancy
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.views import fan, growth_points
from cultureops.clock import Instant
from cultureops.web.chamber.chart import drawn_chart
from cultureops.web.chamber.gaps import gap_rows
from cultureops.web.context import WebContext

__all__ = ["batch_chart"]

ENVIRONMENT: Final = ("temperature", "co2")
_NO_LIMIT: Final = Range(None, None)


async def batch_chart(context: WebContext, batch: Batch) -> dict[str, Any]:
    """Return what a batch lived through, from when it was opened until now or until it ended; times are ms UTC."""
    now, recipe = context.clock.now(), context.recipes.of(batch)
    until = now if batch.ended_at is None else batch.ended_at
    stays = _stays(context, batch)
    culture = await asyncio.to_thread(_culture, batch, recipe)
    traces = await asyncio.gather(*(_trace(context, recipe, row, stay, now) for row, stay in stays))
    environment: dict[str, list[dict[str, Any]]] = {name: [] for name in ENVIRONMENT}
    for (row, _), trace in zip(stays, traces, strict=True):
        environment[row.channel.name].append(trace)
    return {
        "from": batch.created_at,
        "to": max(until, batch.created_at + 1),
        "culture": culture,
        "limits": _limits(recipe),
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
            if e.withdrawn_at is None
        ],
        "gaps": await _gaps(context, stays, now),
    }


def _culture(batch: Batch, recipe: Recipe) -> dict[str, Any]:
    """Return what was seen and counted, and when the recipe's confluence is expected; runs in a thread."""
    seen, expected = looks(batch), fan(batch, recipe)
    counts = [point for point in growth_points(batch) if point.viability_pct is not None]
    return {
        "confluence": {
            "x": [look.at for look in seen],
            "y": [look.pct for look in seen],
            "low": [min((one.low_pct for one in look.evidence), default=None) for look in seen],
            "high": [max((one.high_pct for one in look.evidence), default=None) for look in seen],
            "unsure": [look.is_unsure for look in seen],
            "passage": [look.passage for look in seen],
        },
        "fan": {
            "pct": [one.target_pct for one in expected],
            "earliest": [one.earliest for one in expected],
            "median": [one.at for one in expected],
            "latest": [one.latest for one in expected],
        },
        "viability": {"x": [p.at for p in counts], "y": [p.viability_pct for p in counts]},
        "viable_density": {"x": [p.at for p in counts], "y": [p.viable_density_1e6_per_ml for p in counts]},
    }


def _limits(recipe: Recipe) -> list[dict[str, Any]]:
    """Return the recipe's limits on what is seen and counted [%]."""
    passage, release = recipe.passage, recipe.release
    return [
        {"y": passage.confluence.value, "of": "confluence", "text": f"passage at {passage.confluence.value:g} %"},
        {"y": release.viability_min.value, "of": "viability", "text": f"viability ≥ {release.viability_min.value:g} %"},
    ]


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


async def _trace(
    context: WebContext, recipe: Recipe, row: MeasuredChannel, stay: Occupancy, now: Instant
) -> dict[str, Any]:
    chamber = context.chambers[stay.chamber]
    limits = conditions(recipe, stay, chamber.chamber_class).get(row.channel.name, _NO_LIMIT)
    end = _end(stay, now)
    said = {"name": f"{chamber.title} · {row.device}", "from": stay.placed, "to": end}
    return {**said, "low": limits.low, "high": limits.high, **await drawn_chart(context, row, stay.placed, end)}


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
