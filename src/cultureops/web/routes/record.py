"""The batch record to take home: as PDF, and as the JSON that says the same."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import JSONResponse, Response

from cultureops.access.roles import PEOPLE
from cultureops.ledger.event import JsonValue
from cultureops.report.batch_record import batch_record, record_pdf
from cultureops.web.door.visitor import needing
from cultureops.web.download import attachment, disposition
from cultureops.web.routes.batch import batch_named
from cultureops.web.templating import context_of

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
DEADLINE_S: Final = 60.0
_setting = asyncio.Lock()
"""One record is set at a time: each takes seconds of a core, and instruments are polled beside it."""


@router.get("/batches/{batch_id}/record.pdf")
async def record_file(request: Request, batch_id: str) -> Response:
    """The record of one batch as PDF/A, up to this moment."""
    record = await _record(request, batch_id)
    async with _in_time(), _setting:
        document = await asyncio.to_thread(record_pdf, record, context_of(request).zone)
    return attachment(document, f"batch-record-{batch_id}.pdf", "application/pdf")


@router.get("/batches/{batch_id}/record.json")
async def record_data(request: Request, batch_id: str) -> Response:
    """The same record as JSON."""
    record = await _record(request, batch_id)
    headers = {"content-disposition": disposition(f"batch-record-{batch_id}.json")}
    return JSONResponse(record, headers=headers)


async def _record(request: Request, batch_id: str) -> dict[str, JsonValue]:
    person, context = needing(request, PEOPLE), context_of(request)
    batch = batch_named(request, batch_id)
    if context.dossier is None:
        raise HTTPException(503, "records are not printed here; use `cultureops batch record` on the data folder")
    async with _in_time():
        dossier = await context.dossier(batch.id)
        return await asyncio.to_thread(batch_record, dossier, person.username, dossier.now)


def _in_time() -> asyncio.Timeout:
    return asyncio.timeout(DEADLINE_S)
