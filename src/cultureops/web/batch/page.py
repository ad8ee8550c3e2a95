"""What the page of a batch shows, worked out beside the loop that polls instruments."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from cultureops.access import Identity
from cultureops.batch.batch import Batch
from cultureops.batch.lineage import lineage
from cultureops.batch.looks import looks
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.signed import signatures_of
from cultureops.batch.views import view
from cultureops.clock import Instant
from cultureops.web.alarm.rows import AlarmRow, alarm_row
from cultureops.web.batch.box_map import boxes_of
from cultureops.web.batch.clock import running_clocks
from cultureops.web.batch.lineage_picture import branches, lineage_picture
from cultureops.web.batch.timeline import MOST_ENTRIES, entries, filters, shown
from cultureops.web.context import WebContext
from cultureops.web.quality.signing import open_steps, words_of

__all__ = ["batch_page_values", "sections"]


async def batch_page_values(
    context: WebContext, batch: Batch, identity: Identity | None, kinds: Collection[str]
) -> dict[str, Any]:
    """Return everything the page of a batch is made of; ``kinds`` are those chosen in its timeline."""
    now, recipe = context.clock.now(), context.recipes.of(batch)
    others = context.batches.batches()
    told, alarms = await asyncio.gather(
        asyncio.to_thread(_told, context, batch, recipe, now, others, kinds), _alarms(context, batch, now)
    )
    steps = () if identity is None else [(step, words_of(step)) for step in open_steps(batch, identity)]
    due, mine = told["view"].due, frozenset[str]() if identity is None else frozenset(map(str, identity.roles))
    values: dict[str, Any] = told | {
        "next": next((one for one in due if one.role in mine), due[0] if due else None),
        "alarms": alarms,
        "steps": steps,
        "chambers": context.chambers,
        "zone": context.zone,
        "unreadable": context.batches.unreadable(batch.id),
    }
    return values | {"sections": sections(values)}


def _told(
    context: WebContext,
    batch: Batch,
    recipe: Recipe,
    now: Instant,
    others: Collection[Batch],
    kinds: Collection[str],
) -> dict[str, Any]:
    """Return what the record alone says; pure, and runs in a thread."""
    handlings, standings = lineage(batch.history), signatures_of(batch)
    seen = view(batch, recipe, now)
    story = entries(batch, seen.timeline, standings)
    clocks, untold = running_clocks(batch, recipe, context.process_limits, now)
    chosen = shown(story, kinds)
    doses = {dose.container: dose.viable_cells for dose in batch.doses}
    return {
        "view": seen,
        "recipe": recipe,
        "clocks": clocks,
        "clocks_untold": untold,
        "stages": [clock for clock in seen.clocks if clock.ended_at is not None or batch.ended_at is not None],
        "looks": looks(batch),
        "standings": standings,
        "picture": lineage_picture(handlings, doses),
        "branches": branches(handlings, doses),
        "handlings": handlings,
        "boxes": boxes_of(batch, others) if batch.vials else (),
        "kinds": filters(story, kinds),
        "entries": chosen[:MOST_ENTRIES],
        "more_entries": max(0, len(chosen) - MOST_ENTRIES),
        "all_entries": len(story),
    }


async def _alarms(context: WebContext, batch: Batch, now: Instant) -> list[AlarmRow]:
    """Return the alarms that are not back to normal and endanger this batch now, the gravest first."""
    told = {one.rule_id for one in batch.exposures if one.cleared_at is None and one.withdrawn_at is None}
    stands_in = {stay.chamber for stay in batch.occupancies if stay.taken is None}
    views = [
        one
        for one in context.engine.active()
        if one.rule.batch == batch.id or one.rule.chamber in stands_in or one.rule.id in told
    ]
    rows = await asyncio.gather(*(alarm_row(context, one, now) for one in views))
    return sorted(rows, key=lambda row: (not row.view.rule.gmp_critical, row.view.raised_at))


def sections(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the sections that the page has, in their order: the id to go to, and the title."""
    batch = values["view"].batch
    found = [("at-hand", "Now"), ("growth", "Growth"), ("environment", "Environment")]
    if batch.deviations:
        found.append(("deviations", "Deviations"))
    if values["handlings"]:
        found.append(("lineage", "Lineage"))
    if batch.vials:
        found.append(("cryo", "Cryo map"))
    return [*found, ("signatures", "Signatures"), ("timeline", "Timeline")]
