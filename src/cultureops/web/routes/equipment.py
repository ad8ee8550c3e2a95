"""Equipment: what may be used, until when it is calibrated, what wants somebody's hands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from cultureops.access.roles import PEOPLE
from cultureops.clock import DAY_MS, Instant
from cultureops.conduct import ABSENT
from cultureops.equipment.state import EquipmentState, Service
from cultureops.web.context import WebContext
from cultureops.web.door.visitor import needing
from cultureops.web.quality.signing import words_of
from cultureops.web.templating import context_of, page
from cultureops.web.upkeep.desk import Kind
from cultureops.web.upkeep.history import history_of
from cultureops.web.upkeep.pending import open_steps

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
SOON_MS: Final = 30 * DAY_MS


@dataclass(frozen=True, slots=True)
class EquipmentRow:
    """One piece of equipment of the list; ``wants`` says in words what is wrong with it, empty where nothing is."""

    state: EquipmentState
    is_chamber: bool
    batches: tuple[str, ...]
    wants: str
    is_unfit: bool


def _row(context: WebContext, state: EquipmentState, now: Instant) -> EquipmentRow:
    wants, is_unfit = _wants(state, now)
    is_chamber = state.id in context.chambers
    batches = context.batches.inside(state.id, now) if is_chamber else ()
    return EquipmentRow(state, is_chamber, batches, wants, is_unfit)


def _wants(state: EquipmentState, now: Instant) -> tuple[str, bool]:
    if state.service is not Service.IN_SERVICE:
        return state.service.value, state.service is not Service.RETIRED
    if state.calibrated_until is None:
        return "no calibration on record", True
    if state.calibration_ended(now):
        return "calibration over", True
    days = (state.calibrated_until - now) / DAY_MS
    return (f"calibration due in {days:.0f} d", False) if days * DAY_MS < SOON_MS else ("", False)


@router.get("/equipment")
async def equipment_page(request: Request) -> Response:
    """Everything that is used, with what wants attention first."""
    needing(request, PEOPLE)
    context, now = context_of(request), context_of(request).clock.now()
    known = (context.equipment.fact(name, now) for name in context.equipment.ids())
    rows = [_row(context, state, now) for state in known if state is not None]
    rows.sort(key=lambda row: (not row.is_unfit, not row.wants, row.state.service is Service.RETIRED))
    return page(request, "equipment.html", {"rows": rows, "zone": context.zone})


@router.get("/equipment/{equipment_id:path}")
async def one_page(request: Request, equipment_id: str) -> Response:
    """One piece of equipment: service, calibration, history, and what can be done."""
    person, context = needing(request, PEOPLE), context_of(request)
    now = context.clock.now()
    state = context.equipment.fact(equipment_id, now)
    if state is None:
        raise HTTPException(404, f"nothing is on record about {equipment_id[:60]!r}; the site file names what there is")
    service = ABSENT if state is None else state.service.value
    steps = [
        step
        for step in open_steps(Kind.EQUIPMENT, service, person)
        if step.__name__ != "Commissioned" or state.commissioned_at is None
    ]
    values = {
        "row": _row(context, state, now),
        "history": history_of(context.ledger.read(f"equipment:{state.id}")),
        "steps": [(step.__name__, words_of(step.__name__)) for step in steps],
        "zone": context.zone,
    }
    return page(request, "equipment_of.html", values)
