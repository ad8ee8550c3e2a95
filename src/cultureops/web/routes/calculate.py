"""What a calculator beside the fields of a step works out; it records nothing and keeps nothing."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import JSONResponse, Response

from cultureops.web.calculator import Basis, worked_out
from cultureops.web.step.page import asked_step, step_page
from cultureops.web.templating import context_of, fragment

__all__ = ["router"]

router = APIRouter(prefix="/batches/{batch_id}/do/{step}", include_in_schema=False)
MOST_FIELDS: Final = 10_000


@router.post("/work-out")
async def work_out(request: Request, batch_id: str, step: str) -> Response:
    """The results as JSON for a script; else the form again, with results beside its fields or put into one of them.

    ``work`` names the calculator, or ``use`` calculator and field: ``wash:vol_added_ml``.
    """
    asked, context = asked_step(request, batch_id, step), context_of(request)
    form = dict(await request.form(max_fields=MOST_FIELDS))
    name, _, field = str(form.get("work") or form.get("use") or "").partition(":")
    basis = Basis(asked.batch, context.recipes.of(asked.batch), context.clock.now())
    sheet = worked_out(step, name, basis, form)
    if sheet is None:
        raise HTTPException(404, f"{step[:40]} has no calculator {name[:40]!r}; open the step again")
    if "application/json" in request.headers.get("accept", ""):
        html = fragment("_calculator.html", "results", step, asked.batch, sheet)
        return JSONResponse({"said": sheet.said, "html": html})
    if (typed := sheet.typed(field)) is not None:
        form[field] = typed
    return await step_page(request, asked, form)
