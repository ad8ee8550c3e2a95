"""Whether the program answers and keeps what it is told, for whatever restarts it; it tells strangers nothing else."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse

from cultureops.web.templating import context_of

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz(request: Request) -> PlainTextResponse:
    """``ok``, or 503 while store or ledger fail; people and programs with a token read why at ``/api/health``."""
    said = context_of(request).health()
    is_well = said.get("store_failure") is None and said.get("ledger_failure") is None
    return PlainTextResponse("ok" if is_well else "failing", 200 if is_well else 503)
