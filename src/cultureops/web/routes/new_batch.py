"""Opening a batch for one patient by one approved recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from cultureops.access.roles import Role
from cultureops.batch.commands import Command, CreateBatch
from cultureops.errors import AccessError, AlreadyRecorded, BatchError, ConfigError
from cultureops.field import Unfit
from cultureops.web.board.scanned import cleaned
from cultureops.web.door.visitor import needing
from cultureops.web.step.entry import new_entry
from cultureops.web.step.new_batch import approved_recipes, free_batch_id, of_patient
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(prefix="/batches/new", include_in_schema=False)
_ROLES: Final = (Role.OPERATOR, Role.QUALITY_ASSURANCE)
_LONGEST: Final = 200


@router.get("")
async def new_page(request: Request) -> Response:
    """The form of a new batch."""
    needing(request, _ROLES)
    return _page(request, {}, "")


@router.post("")
async def open_batch(request: Request) -> Response:
    """Open the batch and go on to the patient's consent."""
    person = needing(request, _ROLES)
    form = {name: str(value)[:_LONGEST] for name, value in (await request.form()).items()}
    roles = [role for role in _ROLES if role in person.roles]
    batch_id, token = form.get("batch_id", "").strip(), cleaned(form.get("patient_token", ""))
    if form.get("act") == "look":
        return _page(request, form, "")
    known = of_patient(context_of(request).batches.batches(), token)
    going = [batch.id for batch in known if batch.ended_at is None and batch.id != batch_id]
    if going and form.get("confirmed") != token:
        return _page(request, form, f"this patient has {', '.join(going)} open; say below that another is meant", 409)
    try:
        details = CreateBatch(patient_token=token, recipe=form.get("recipe", "").strip())
        command = Command(batch_id, details, entry=form.get("entry") or new_entry())
        await context_of(request).execute(command, person.acting(form.get("role") or roles[0]))
    except AlreadyRecorded:
        pass
    except Unfit as unfit:
        return _page(request, form, "; ".join(unfit.problems.values()), 400)
    except AccessError as refusal:
        return _page(request, form, str(refusal), 403)
    except (BatchError, ConfigError) as refusal:
        return _page(request, form, str(refusal), 409)
    return RedirectResponse(f"/batches/{batch_id}/do/RecordConsent", 303)


def _page(request: Request, typed: Mapping[str, Any], said: str, status: int = 200) -> Response:
    context = context_of(request)
    batches, token = context.batches.batches(), cleaned(str(typed.get("patient_token", "")))
    values = {
        "typed": typed,
        "said": said,
        "entry": typed.get("entry") or new_entry(),
        "recipes": approved_recipes(context.recipes),
        "proposed_id": free_batch_id(batches, context.clock.now(), context.zone),
        "known": of_patient(batches, token),
        "token": token,
        "zone": context.zone,
    }
    return page(request, "new_batch.html", values, status)
