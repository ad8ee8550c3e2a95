"""One batch: what was done to it, what it lived through."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from cultureops.batch.batch import Batch
from cultureops.batch.signed import signatures_of
from cultureops.batch.views import view
from cultureops.web.chart import batch_chart
from cultureops.web.signing import open_steps, words_of
from cultureops.web.templating import context_of, page
from cultureops.web.visitor import visitor_of

__all__ = ["batch_named", "router"]

router = APIRouter()


def batch_named(request: Request, batch_id: str) -> Batch:
    """Return the batch of an address; a 404 in words where there is none."""
    batch = context_of(request).batches.get(batch_id)
    if batch is None:
        raise HTTPException(404, f"there is no batch {batch_id[:60]!r}; the board lists all batches")
    return batch


@router.get("/batches/{batch_id}", include_in_schema=False)
async def batch_page(request: Request, batch_id: str) -> Response:
    """The page of one batch; without scripts it still shows every number."""
    context, batch = context_of(request), batch_named(request, batch_id)
    recipe, identity = context.recipes.of(batch), visitor_of(request).identity
    values = {
        "standings": signatures_of(batch),
        "steps": () if identity is None else [(step, words_of(step)) for step in open_steps(batch, identity)],
        "view": view(batch, recipe, context.clock.now()),
        "zone": context.zone,
        "chambers": context.chambers,
    }
    return page(request, "batch.html", values)


@router.get("/api/batches/{batch_id}/chart")
async def chart(request: Request, batch_id: str) -> dict[str, object]:
    """Culture facts, the air of exactly the chambers the batch stood in, and alarms; times are ms UTC."""
    return await batch_chart(context_of(request), batch_named(request, batch_id))
