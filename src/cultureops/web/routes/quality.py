"""What waits for quality assurance, on one page; each line leads to where it is done."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from cultureops.access.roles import PEOPLE
from cultureops.web.door.visitor import needing
from cultureops.web.quality.page import overview
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/quality")
async def quality_page(request: Request) -> Response:
    """Reviews, releases, holds, deviations, results, alarms, signatures, refusals, and what serves them all."""
    needing(request, PEOPLE)
    context = context_of(request)
    found = await overview(context, context.clock.now())
    return page(request, "quality.html", {"it": found, "zone": context.zone})
