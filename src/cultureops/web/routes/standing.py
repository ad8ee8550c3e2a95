"""How an entry stands that a browser has kept: asked before it is sent, and after an answer that never came."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from cultureops.batch.batch import Batch, stream_of
from cultureops.batch.entry import entry_claim
from cultureops.batch.views import history_rows
from cultureops.web.door.csrf import token_of
from cultureops.web.door.visitor import person_of, visitor_of
from cultureops.web.routes.batch import batch_named
from cultureops.web.templating import context_of

__all__ = ["router"]

router = APIRouter(prefix="/batches/{batch_id}/do/{step}", include_in_schema=False)
MOST_TOLD: Final = 5
_NO_NEWS: Final = frozenset({"command_refused"})
"""What adds nothing to the record that a step could rest on."""


@router.get("/standing")
async def standing(
    request: Request,
    batch_id: str,
    step: str,
    entry: Annotated[str, Query(max_length=64)] = "",
    version: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Who is logged in here, with the token of their forms; what came since a version; where the entry is on record."""
    batch, person = batch_named(request, batch_id), person_of(request)
    holder = context_of(request).ledger.holder(entry_claim(entry)) if entry else None
    is_here = holder is not None and holder.stream == stream_of(batch.id)
    said = {
        "user": person.username,
        "csrf": token_of(visitor_of(request).secret),
        "version": batch.version,
        "since": _since(batch, version),
        "recorded": holder.position if holder is not None and is_here else None,
    }
    return JSONResponse(said, headers={"cache-control": "no-store"})


def _since(batch: Batch, version: int) -> list[str]:
    """Return what was recorded after a version, the latest few."""
    news = [event for event in batch.history if event.version > version and event.type not in _NO_NEWS]
    return [row.text for row in history_rows(news[-MOST_TOLD:])]
