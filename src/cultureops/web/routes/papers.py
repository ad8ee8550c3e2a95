"""What of a batch is taken home: its record, paper forms, labels, and the audit pack, which takes a while to make."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import FileResponse, RedirectResponse, Response

from cultureops.access.roles import PEOPLE
from cultureops.errors import ConfigError
from cultureops.label import KINDS, labels_of
from cultureops.label import page as label_page
from cultureops.pack.shelf import PackShelf
from cultureops.report.document import Imprint
from cultureops.report.step_forms import FormsFor, forms_pdf, step_forms
from cultureops.web.door.visitor import needing
from cultureops.web.download import attachment, disposition
from cultureops.web.routes.batch import batch_named
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(prefix="/batches/{batch_id}", include_in_schema=False)
DEADLINE_S: Final = 60.0


@router.get("/papers")
async def papers_page(request: Request, batch_id: str) -> Response:
    """Everything that can be taken home of a batch."""
    needing(request, PEOPLE)
    return await _papers(request, batch_id)


async def _papers(request: Request, batch_id: str, said: str = "") -> Response:
    context, batch = context_of(request), batch_named(request, batch_id)
    shelf = context.packs
    work = None if shelf is None else shelf.work()
    values = {
        "batch": batch,
        "labels": [kind for kind in KINDS if labels_of(batch, kind, context.zone)],
        "has_records": context.dossier is not None,
        "has_packs": shelf is not None,
        "work": work,
        "is_busy": shelf is not None and shelf.is_busy,
        "packs": () if shelf is None else await shelf.listed(batch.id),
        "zone": context.zone,
        "said": said,
    }
    return page(request, "papers.html", values, 409 if said else 200)


@router.get("/forms.pdf")
async def forms(request: Request, batch_id: str) -> Response:
    """Paper forms for the steps of the batch's recipe, for the time when there is nothing to type into."""
    person, context, batch = needing(request, PEOPLE), context_of(request), batch_named(request, batch_id)
    wanted = FormsFor(context.recipes.of(batch), batch.id, batch.patient_token, batch.stage)
    now, zone = context.clock.now(), context.zone
    imprint = Imprint(f"Forms for {batch.id}", context.site_name, person.username, now, zone, context.ledger.head())
    async with asyncio.timeout(DEADLINE_S):
        document = await asyncio.to_thread(lambda: forms_pdf(step_forms(wanted, imprint)))
    return attachment(document, f"forms-{batch.id}.pdf", "application/pdf")


@router.get("/labels/{kind}")
async def labels(request: Request, batch_id: str, kind: str) -> Response:
    """Labels of a batch's vessels, vials or containers, to be printed."""
    needing(request, PEOPLE)
    batch, zone = batch_named(request, batch_id), context_of(request).zone
    if kind not in KINDS:
        raise HTTPException(404, f"labels are printed for {', '.join(KINDS)}")
    found = await asyncio.to_thread(labels_of, batch, kind, zone)
    if not found:
        raise HTTPException(404, f"{batch.id} has no {kind} to label now")
    text = await asyncio.to_thread(label_page, found, f"{batch.id}: {kind}")
    return attachment(text.encode(), f"labels-{batch.id}-{kind}.html", "text/html; charset=utf-8")


@router.post("/packs")
async def make(request: Request, batch_id: str) -> Response:
    """Begin to make the audit pack of a batch; the page says how far it is."""
    person, batch, shelf = needing(request, PEOPLE), batch_named(request, batch_id), _shelf(request)
    try:
        shelf.start(batch.id, person.username)
    except ConfigError as busy:
        return await _papers(request, batch.id, str(busy))
    return _back(batch.id)


@router.post("/packs/stop")
async def stop(request: Request, batch_id: str) -> Response:
    """Give up the pack of this batch that is being made."""
    needing(request, PEOPLE)
    batch, shelf = batch_named(request, batch_id), _shelf(request)
    work = shelf.work()
    if work is not None and work.batch_id == batch.id:
        await shelf.stop()
    return _back(batch.id)


@router.get("/packs/{name}")
async def fetch(request: Request, batch_id: str, name: str) -> Response:
    """A pack that lies ready."""
    needing(request, PEOPLE)
    batch, shelf = batch_named(request, batch_id), _shelf(request)
    there = next((pack for pack in await shelf.listed(batch.id) if pack.name == name), None)
    path = None if there is None else shelf.path(there.name)
    if path is None:
        raise HTTPException(404, "this pack does not lie ready; packs are kept for a day, make it again")
    headers = {"content-disposition": disposition(name)}
    return FileResponse(path, media_type="application/zip", headers=headers)


def _shelf(request: Request) -> PackShelf:
    shelf = context_of(request).packs
    if shelf is None:
        raise HTTPException(503, "packs are not made here; use `cultureops pack write` on the data folder")
    return shelf


def _back(batch_id: str) -> RedirectResponse:
    return RedirectResponse(f"/batches/{quote(batch_id, safe='')}/papers#packs", 303)
