"""Whether the program answers and keeps what it is told: in one word for whatever restarts it, in full for people."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from cultureops.web.door.visitor import person_of
from cultureops.web.health import health_parts, to_mend
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz(request: Request) -> PlainTextResponse:
    """``ok``, or 503 while store or ledger fail; people and programs with a token read why at ``/api/health``."""
    said = context_of(request).health()
    is_well = said.get("store_failure") is None and said.get("ledger_failure") is None
    return PlainTextResponse("ok" if is_well else "failing", 200 if is_well else 503)


@router.get("/health")
async def health(request: Request) -> Response:
    """How stores, links, people's messages and copies stand, for everybody who is signed in."""
    person_of(request)
    context = context_of(request)
    parts = health_parts(context.health(), context.zone)
    return page(request, "health.html", {"parts": parts, "to_mend": to_mend(parts)})
