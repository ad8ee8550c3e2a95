"""Signing a decision on a batch: fill in, see exactly what is signed, sign it with the password."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from cultureops.access import Identity, Role, Signature
from cultureops.batch.batch import Batch
from cultureops.batch.commands import Command, Identified
from cultureops.batch.field import Details
from cultureops.batch.identification import HANDS_ON
from cultureops.batch.rules import RULES, Rule
from cultureops.batch.signed import shown_of
from cultureops.errors import AccessError, BatchError, SignatureInvalid
from cultureops.ledger.event import Actor
from cultureops.web.door.visitor import needing, visitor_of
from cultureops.web.form.details_filled import details_from, details_from_json
from cultureops.web.form.details_form import as_filled, form_fields
from cultureops.web.form.fields import Reason, Word
from cultureops.web.quality.next_steps import problems_in
from cultureops.web.quality.signing import NEEDS_REASON, STEPS, choices_in, known_of, roles_for, told, words_of
from cultureops.web.routes.batch import batch_named
from cultureops.web.step.entry import StepEntry
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(prefix="/batches/{batch_id}/sign/{step}", include_in_schema=False)
LONGEST_DETAILS: Final = 200_000


@dataclass(frozen=True, slots=True)
class _Asked:
    """One step of one batch that somebody wants to sign."""

    batch: Batch
    step: str
    details: type[Details]
    rule: Rule
    person: Identity
    roles: tuple[Role, ...]


def _asked(request: Request, batch_id: str, step: str) -> _Asked:
    batch = batch_named(request, batch_id)
    if step not in STEPS:
        raise HTTPException(404, f"{step[:40]!r} is nothing to sign; the page of the batch lists what is")
    rule = RULES[STEPS[step]]
    person = needing(request, rule.roles)
    return _Asked(batch, step, STEPS[step], rule, person, roles_for(person, step))


@router.get("")
async def form_page(request: Request, batch_id: str, step: str) -> Response:
    """The record as it stands, and what the step says of it."""
    asked = _asked(request, batch_id, step)
    known = await known_of(context_of(request), step, asked.batch)
    offered = choices_in(asked.batch, asked.step)
    chosen = {name: request.query_params[name] for name in offered if name in request.query_params}
    return _form(request, asked, {**known, **chosen})


def _form(request: Request, asked: _Asked, known: dict[str, Any], said: str = "", reason: str = "") -> Response:
    values = _of(request, asked) | {
        "fields": form_fields(asked.details, known, choices_in(asked.batch, asked.step)),
        "is_hands_on": asked.details in HANDS_ON,
        "typed": known,
        "needs_reason": asked.step in NEEDS_REASON,
        "reason": reason,
        "said": said,
    }
    return page(request, "sign_form.html", values, 400 if said else 200)


def _of(request: Request, asked: _Asked) -> dict[str, Any]:
    batch = asked.batch
    return {
        "batch": batch,
        "step": asked.step,
        "words": words_of(asked.step),
        "about": (asked.details.__doc__ or "").partition("\n")[0],
        "roles": asked.roles,
        "rule": asked.rule,
        "record_hash": batch.history[-1].hash,
        "zone": context_of(request).zone,
    }


@router.post("/shown")
async def shown_page(request: Request, batch_id: str, step: str, role: Word = "", reason: Reason = "") -> Response:
    """Exactly what is signed, and the place for the password; it is offered once and for a minute."""
    asked = _asked(request, batch_id, step)
    form = await request.form(max_fields=10_000)
    try:
        details = details_from(asked.details, form, context_of(request).zone)
        identified = await _identified(request, asked, form, role)
    except BatchError as problem:
        return _form(request, asked, await _filled(request, asked, form), str(problem), reason)
    command = Command(asked.batch.id, details, None, reason.strip(), identified=identified)
    return await _offered(request, asked, command, role)


async def _identified(request: Request, asked: _Asked, form: Any, role: str) -> Identified | None:
    """Return what was scanned where hands are on the material; a wrong pair is refused at once, and on record."""
    entry = StepEntry(asked.batch, asked.details, form, context_of(request).zone)
    if (identified := entry.identified) is not None:
        actor = asked.person.acting(role or asked.roles[0])
        await context_of(request).identify(asked.batch, asked.details, identified, (), actor)
    return identified


async def _filled(request: Request, asked: _Asked, form: Any) -> dict[str, Any]:
    return {**await known_of(context_of(request), asked.step, asked.batch), **as_filled(asked.details, form)}


async def _offered(request: Request, asked: _Asked, command: Command, role: str, said: str = "") -> Response:
    """Show what would be signed of the batch as it stands now."""
    context, person, meaning = context_of(request), asked.person, asked.rule.signed
    assert meaning is not None
    actor = person.acting(role or asked.roles[0])
    shown = shown_of(asked.batch, command)
    offer = await context.access.offer(person.username, actor.role, meaning, shown, person.session_id)
    values = _of(request, asked) | {
        "offer": offer,
        "shown": shown,
        "told": told(command.details),
        "reason": command.reason,
        "identified": command.identified,
        "details": json.dumps(command.details.model_dump(mode="json")),
        "role": actor.role,
        "meaning": meaning,
        "problems": () if said else await problems_in(context, command, actor),
        "said": said,
    }
    return page(request, "sign.html", values, 409 if said else 200)


class SignForm(BaseModel):
    """What comes back with the password: the offer, and the command that was shown."""

    offer: str = Field(max_length=200)
    role: str = Field(max_length=20)
    details: str = Field(max_length=LONGEST_DETAILS)
    reason: str = Field("", max_length=2_000)
    password: str = Field("", max_length=1_000)
    code: str = Field("", max_length=8_000)
    scan_container: str = Field("", max_length=200)
    scan_token: str = Field("", max_length=200)
    second_name: str = Field("", max_length=200)
    second_role: str = Field("", max_length=20)
    second_password: str = Field("", max_length=1_000)
    second_code: str = Field("", max_length=8_000)


@router.post("")
async def sign(request: Request, batch_id: str, step: str, form: Annotated[SignForm, Form()]) -> Response:
    """Sign what was shown and carry it out; a record that changed meanwhile is shown anew."""
    asked, context = _asked(request, batch_id, step), context_of(request)
    details = details_from_json(asked.details, form.details)
    try:
        identified = StepEntry(asked.batch, asked.details, form.model_dump(), context.zone).identified
    except BatchError as problem:
        typed = {name: text for name, text in details.model_dump(mode="json").items() if isinstance(text, str)}
        return _form(request, asked, await _filled(request, asked, typed), str(problem), form.reason)
    command = Command(asked.batch.id, details, None, form.reason, identified=identified)
    actor, source = asked.person.acting(form.role), visitor_of(request).source
    try:
        first = await context.access.sign(form.offer, form.password, form.code, source, asked.person.session_id)
        if asked.rule.countersigned is None:
            await context.execute(command, actor, None, (first,))
        else:
            second = await _countersign(request, asked, first, form)
            await context.execute(command, actor, Actor(second.username, second.role), (first, second))
    except (AccessError, BatchError, SignatureInvalid) as problem:
        return await _offered(request, _asked(request, batch_id, step), command, form.role, str(problem))
    return RedirectResponse(_after(batch_id, command), 303)


def _after(batch_id: str, command: Command) -> str:
    """Return the page that shows what was signed: a deviation's own, the batch's for everything else."""
    about = getattr(command.details, "deviation_id", None)
    if about is None:
        return f"/batches/{batch_id}#signatures"
    return f"/batches/{batch_id}/deviations/{quote(about, safe='')}#story"


async def _countersign(request: Request, asked: _Asked, first: Signature, form: SignForm) -> Signature:
    """Take the second person's signature of the very same."""
    access, meaning = context_of(request).access, asked.rule.countersigned
    assert meaning is not None
    if form.second_role not in asked.rule.witnesses:
        allowed = ", ".join(sorted(asked.rule.witnesses))
        raise AccessError(f"the second signature is for {allowed}, not for {form.second_role!r}")
    offer = await access.offer(form.second_name.strip(), Role(form.second_role), meaning, first.shown)
    return await access.sign(offer.id, form.second_password, form.second_code, visitor_of(request).source)
