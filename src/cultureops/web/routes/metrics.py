"""How the program does, in Prometheus' text format, for whoever the site file lets read it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from cultureops.web.templating import context_of

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Measures of stores, links, alarms and outlets; 403 for everybody else."""
    context = context_of(request)
    settings, source = context.settings.metrics, request.client.host if request.client else ""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if settings is None or not settings.admits(source, token.strip() if scheme.lower() == "bearer" else ""):
        why = (
            "measures are shown where the site file says [web] metrics = true, to this machine or to who has the token"
        )
        return PlainTextResponse(f"{why}\n", 403)
    from cultureops.web.metrics import CONTENT_TYPE, exposition  # a lab that shows none pays for none

    return Response(exposition(context), media_type=CONTENT_TYPE, headers={"cache-control": "no-store"})
