"""One batch: what was done to it, what it lived through, and where its vials stand."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from cultureops.batch.batch import Batch
from cultureops.web.batch.box_map import boxes_of
from cultureops.web.batch.chart import batch_chart
from cultureops.web.batch.environment import stay_figures
from cultureops.web.batch.page import batch_page_values
from cultureops.web.door.visitor import visitor_of
from cultureops.web.templating import context_of, page

__all__ = ["batch_named", "router"]

router = APIRouter()


def batch_named(request: Request, batch_id: str) -> Batch:
    """Return the batch of an address; a 404 in words where there is none."""
    batch = context_of(request).batches.get(batch_id)
    if batch is None:
        raise HTTPException(404, f"there is no batch {batch_id[:60]!r}; the board lists all batches")
    return batch


@router.get("/batches/{batch_id}", include_in_schema=False)
async def batch_page(request: Request, batch_id: str, show: Annotated[list[str] | None, Query()] = None) -> Response:
    """The page of one batch; without scripts it still shows every number. ``show`` are kinds of its timeline."""
    context, batch = context_of(request), batch_named(request, batch_id)
    values = await batch_page_values(context, batch, visitor_of(request).identity, show or ())
    values["addresses"] = request.app.state.addresses
    return await asyncio.to_thread(page, request, "batch.html", values)


@router.get("/batches/{batch_id}/environment", include_in_schema=False)
async def environment_page(request: Request, batch_id: str) -> Response:
    """The figures of every stay: least, mean, most, and time beyond the recipe's limits."""
    context, batch = context_of(request), batch_named(request, batch_id)
    now = context.clock.now()
    stays = await stay_figures(context, batch, context.recipes.of(batch), now)
    values = {"batch": batch, "stays": stays, "chambers": context.chambers, "zone": context.zone}
    return await asyncio.to_thread(page, request, "batch_environment.html", values)


@router.get("/batches/{batch_id}/box", include_in_schema=False)
async def box_page(request: Request, batch_id: str, store: str = "", rack: str = "", box: str = "") -> Response:
    """One box of a cryostore, large: where this batch's vials stand in it."""
    context, batch = context_of(request), batch_named(request, batch_id)
    others = context.batches.batches()
    boxes = await asyncio.to_thread(boxes_of, batch, others)
    found = next((one for one in boxes if (one.store, one.rack, one.name) == (store, rack, box)), None)
    if found is None:
        raise HTTPException(404, "no vial of this batch stands or stood in such a box; its page shows where they do")
    return page(request, "batch_box.html", {"batch": batch, "box": found, "vials": batch.vials, "zone": context.zone})


@router.get("/api/batches/{batch_id}/chart")
async def chart(request: Request, batch_id: str) -> dict[str, object]:
    """Culture facts, the air of exactly the chambers the batch stood in, and alarms; times are ms UTC."""
    return await batch_chart(context_of(request), batch_named(request, batch_id))
