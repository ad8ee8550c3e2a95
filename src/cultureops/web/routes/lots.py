"""Lots of material: what is on the shelf, what may be used, and whom a lot has touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import RedirectResponse, Response

from cultureops.access.roles import PEOPLE
from cultureops.clock import DAY_MS, Instant
from cultureops.material.lot import LotState, Status
from cultureops.web.context import WebContext
from cultureops.web.door.visitor import needing
from cultureops.web.form.fields import Word
from cultureops.web.quality.signing import words_of
from cultureops.web.templating import context_of, page
from cultureops.web.upkeep.desk import Kind
from cultureops.web.upkeep.facts import address_of, batches_with
from cultureops.web.upkeep.history import history_of
from cultureops.web.upkeep.pending import open_steps

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
SOON_MS: Final = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class LotRow:
    """One lot of the list; ``expires_soon`` within a week."""

    lot: LotState
    expires_soon: bool


def _rows(context: WebContext, text: str, status: str, now: Instant) -> list[LotRow]:
    known = (context.lots.fact(name, now) for name in context.lots.ids())
    wanted = text.strip().casefold()
    return [
        LotRow(lot, lot.is_usable and lot.expires_at - now < SOON_MS)
        for lot in known
        if lot is not None
        and (not status or lot.status.value == status)
        and wanted in f"{lot.id} {lot.material} {lot.supplier}".casefold()
    ]


@router.get("/lots")
async def lots_page(
    request: Request,
    text: Annotated[str, Query(max_length=200)] = "",
    status: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Every lot, those that expire first at the top; a scanned id leads to its lot."""
    needing(request, PEOPLE)
    context = context_of(request)
    if context.lots.fact(text.strip(), context.clock.now()) is not None:
        return RedirectResponse(address_of(Kind.LOT, text.strip()), 303)
    rows = sorted(_rows(context, text, status, context.clock.now()), key=lambda row: (row.lot.expires_at, row.lot.id))
    values = {
        "rows": rows,
        "text": text,
        "status": status,
        "statuses": [one.value for one in Status],
        "zone": context.zone,
    }
    return page(request, "lots.html", values)


@router.post("/lots/new")
async def new_lot(request: Request, lot_id: Word) -> Response:
    """Go on to the receipt of a lot by its id, as scanned or typed."""
    needing(request, PEOPLE)
    if not lot_id.strip().isprintable() or not 0 < len(lot_id.strip()) <= 100:
        raise HTTPException(400, "expected the lot's id: 1 to 100 printable characters")
    return RedirectResponse(f"{address_of(Kind.LOT, lot_id.strip())}/do/LotReceived", 303)


@router.get("/lots/{lot_id:path}")
async def lot_page(request: Request, lot_id: str) -> Response:
    """One lot: how it stands, what was recorded of it, which batches it touched, what can be done."""
    person, context = needing(request, PEOPLE), context_of(request)
    lot = context.lots.fact(lot_id, context.clock.now())
    if lot is None:
        raise HTTPException(404, f"there is no lot {lot_id[:60]!r} on record; receive it first")
    steps = open_steps(Kind.LOT, lot.status.value, person)
    values = {
        "lot": lot,
        "batches": batches_with(context, lot.id),
        "history": history_of(context.ledger.read(f"lot:{lot.id}")),
        "steps": [(step.__name__, words_of(step.__name__)) for step in steps],
        "zone": context.zone,
    }
    return page(request, "lot.html", values)
