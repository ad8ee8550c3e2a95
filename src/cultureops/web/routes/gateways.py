"""Gateways: which are in reach, how far each is behind, what its clock says, and what is wrong with it."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from cultureops.web.door.visitor import person_of
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/gateways")
async def gateways_page(request: Request) -> Response:
    """Every gateway, for everybody who is signed in."""
    person_of(request)
    context = context_of(request)
    if context.gateways is None:
        raise HTTPException(404, "this lab has no gateways; a hub has, see [gateways] of the site file")
    return page(request, "gateways.html", {"gateways": context.gateways(), "zone": context.zone})
