"""Doing a step of a batch: what can be done now, one step's form, and what was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from cultureops.access.roles import PEOPLE
from cultureops.batch.steps.record import CORRECTABLE
from cultureops.errors import AccessError, AlreadyRecorded, BatchError, GateFailed
from cultureops.field import Unfit
from cultureops.web.door.visitor import needing
from cultureops.web.routes.batch import batch_named
from cultureops.web.step.at_hand import recorded_at, steps_now
from cultureops.web.step.entry import StepEntry
from cultureops.web.step.page import AskedStep, Said, asked_step, step_page
from cultureops.web.step.recording import identify, record, rehearse
from cultureops.web.step.table import is_signed, stage_of
from cultureops.web.step.takes import with_taken
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(prefix="/batches/{batch_id}/do", include_in_schema=False)
MOST_FIELDS: Final = 10_000
LAYOUT: Final = frozenset({"rows", "store", "rack", "box"})
LAST_POSITION: Final = 2**53


@router.get("")
async def steps_page(
    request: Request, batch_id: str, done: Annotated[int, Query(ge=0, le=LAST_POSITION)] = 0, again: bool = False
) -> Response:
    """What can be done now, most likely first, and what can't and why; ``done`` is the position just recorded."""
    batch, person, context = batch_named(request, batch_id), needing(request, PEOPLE), context_of(request)
    recorded = recorded_at(batch, done)
    values = {
        "batch": batch,
        "stage": stage_of(batch),
        "steps": steps_now(context, batch, person),
        "done": recorded,
        "is_correctable": recorded is not None and recorded.kind in CORRECTABLE,
        "again": again,
        "zone": context.zone,
    }
    return page(request, "steps.html", values)


@router.get("/{step}")
async def form_page(request: Request, batch_id: str, step: str) -> Response:
    """The form of one step, filled with what is known; one that is signed has a page of its own."""
    asked = asked_step(request, batch_id, step)
    if is_signed(step):
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/batches/{batch_id}/sign/{step}{query}", 303)
    return await step_page(request, asked, _offered(asked, request.query_params))


@router.post("/{step}")
async def do_step(request: Request, batch_id: str, step: str) -> Response:
    """Record the step, or show the form again with everything that was typed, and why it was not recorded."""
    asked = asked_step(request, batch_id, step)
    if is_signed(step):
        return RedirectResponse(f"/batches/{batch_id}/sign/{step}", 303)
    entry = await _entry(request, asked)
    form = entry.form
    try:
        actor = asked.person.acting(entry.text("role") or asked.roles[0])
        is_identified = await identify(request, entry, actor)
        if entry.text("act") == "identify":
            return await step_page(request, asked, form, Said(is_identified=is_identified))
        if entry.text("act") == "look":
            entry.command()
            return await step_page(request, asked, form)
        found = await record(request, entry, actor)
    except AlreadyRecorded as known:
        return RedirectResponse(f"/batches/{batch_id}/do?done={known.position}&again=true", 303)
    except Unfit as unfit:
        return await step_page(request, asked, form, Said(str(unfit), problems=unfit.problems), 400)
    except GateFailed as refusal:
        wrong = "G2: " in str(refusal)
        return await step_page(request, asked, _without_scans(form) if wrong else form, Said(str(refusal), wrong), 409)
    except AccessError as refusal:
        return await step_page(request, asked, form, Said(str(refusal)), 403)
    except BatchError as refusal:
        return await step_page(request, asked, form, Said(str(refusal)), 409)
    if isinstance(found, int):
        return RedirectResponse(f"/batches/{batch_id}/do?done={found}", 303)
    return await step_page(request, asked, form, Said(question=found), 409)


@router.post("/{step}/check")
async def check(request: Request, batch_id: str, step: str) -> JSONResponse:
    """Say how a form stands; nothing is recorded, and nothing of it counts as a refusal."""
    asked = asked_step(request, batch_id, step)
    entry = await _entry(request, asked)
    said: dict[str, Any] = {"ok": False, "refused": "", "warnings": [], "doubt": "", "errors": {}}
    try:
        question = await rehearse(request, entry, asked.person.acting(entry.text("role") or asked.roles[0]))
        said["ok"] = True
        if question is not None:
            said |= {"warnings": [*question.warnings, *question.deviations], "doubt": question.doubt}
    except Unfit as unfit:
        said["errors"] = dict(unfit.problems)
        said["refused"] = entry.wrong_pair
    except (AccessError, BatchError) as refusal:
        said["refused"] = str(refusal)
    return JSONResponse(said)


def _offered(asked: AskedStep, query: Mapping[str, str]) -> dict[str, str]:
    """Return what a link may fill in: fields of the step and how it is laid out, never a scan, a name or an answer."""
    may = asked.details.model_fields.keys() - {"scans"} | LAYOUT
    return {name: text for name, text in query.items() if name.partition(".")[0] in may}


async def _entry(request: Request, asked: AskedStep) -> StepEntry:
    async with request.form(max_fields=MOST_FIELDS) as sent:
        form = {name: value for name, value in sent.items() if isinstance(value, str)}
    context = context_of(request)
    return StepEntry(asked.batch, asked.details, await with_taken(context, form), context.zone)


def _without_scans(form: Any) -> dict[str, Any]:
    """Forget scans that did not fit: the next ones are made anew."""
    return {name: value for name, value in form.items() if not name.startswith("scan")}
