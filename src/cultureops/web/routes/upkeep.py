"""Steps on equipment and lots: one form for each, and the page on which one of them is signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from cultureops.access.roles import PEOPLE, Role
from cultureops.clock import Instant, parse_iso
from cultureops.conduct import Command, subject_of
from cultureops.errors import BatchError
from cultureops.field import Details, Unfit, check_reason
from cultureops.web.door.visitor import needing
from cultureops.web.form.details_filled import details_from, instant_text
from cultureops.web.form.details_form import as_filled, form_fields
from cultureops.web.form.fields import Code, Secret, Word
from cultureops.web.quality.signing import told, words_of
from cultureops.web.templating import context_of, page
from cultureops.web.upkeep.desk import Kind
from cultureops.web.upkeep.facts import address_of, choices_for, known_for, state_of, warning_of
from cultureops.web.upkeep.pending import Pending, begin, finish, roles_in, rule_of, step_named

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One step of one subject that somebody wants to do."""

    kind: Kind
    subject_id: str
    step: type[Details]
    roles: tuple[Role, ...]

    @property
    def title(self) -> str:
        """What is done to what."""
        return f"{words_of(self.step.__name__)}: {self.subject_id}"


def _asked(request: Request, kind: Kind, subject_id: str, step: str) -> _Asked:
    found = step_named(kind, step)
    rule = rule_of(kind, found)
    person = needing(request, [Role(role) for role in rule.roles])
    try:
        subject_of("", subject_id)
    except BatchError as problem:
        raise HTTPException(400, str(problem)) from None
    return _Asked(kind, subject_id, found, roles_in(rule, person))


def _form(request: Request, asked: _Asked, filled: dict[str, Any], problem: BatchError | None = None) -> Response:
    context, rule = context_of(request), rule_of(asked.kind, asked.step)
    known = known_for(asked.step) | filled
    values = {
        "asked": asked,
        "rule": rule,
        "about": (asked.step.__doc__ or "").partition("\n")[0].replace("``", ""),
        "state": state_of(context, asked.kind, asked.subject_id),
        "warning": warning_of(context, asked.step, asked.subject_id),
        "fields": form_fields(asked.step, known, choices_for(asked.step)),
        "problems": problem.problems if isinstance(problem, Unfit) else {},
        "said": "" if problem is None else str(problem),
        "filled": filled,
        "back": address_of(asked.kind, asked.subject_id),
    }
    return page(request, "upkeep_form.html", values, 200 if problem is None else 400)


async def _do(request: Request, asked: _Asked) -> Response:
    form = await request.form(max_fields=1_000)
    more = {name: str(form.get(name, "")) for name in ("reason", "role", "occurred_at")}
    filled = {**as_filled(asked.step, form), **more}
    try:
        return await begin(request, _pending(request, asked, filled, form))
    except BatchError as problem:
        return _form(request, asked, filled, problem)


def _pending(request: Request, asked: _Asked, filled: dict[str, Any], form: Any) -> Pending:
    zone, rule = context_of(request).zone, rule_of(asked.kind, asked.step)
    details, reason = details_from(asked.step, form, zone), filled["reason"].strip()
    check_reason(reason)
    if rule.needs_reason and not reason:
        raise Unfit(f"{asked.step.__name__}: reason: say why", {"reason": "say why"})
    at = _happened(filled["occurred_at"].strip(), zone)
    role = filled["role"] or asked.roles[0]
    if role not in asked.roles:
        raise Unfit(f"{asked.step.__name__}: role: expected {' or '.join(asked.roles)}", {"role": "choose one"})
    command = Command(asked.subject_id, details, at, reason)
    back = address_of(asked.kind, asked.subject_id)
    return Pending(asked.kind, command, rule, Role(role), asked.title, tuple(told(details)), back)


def _happened(text: str, zone: ZoneInfo) -> Instant | None:
    """Return when it happened, None where it is entered as it happens."""
    try:
        return parse_iso(instant_text(text, zone)) if text else None
    except ValueError as problem:
        raise Unfit(f"happened at: {problem}", {"occurred_at": str(problem)}) from None


def _routes(kind: Kind) -> None:
    """Make the addresses of the steps of one kind."""
    address = f"/{kind.value}/{{subject_id:path}}/do/{{step}}"

    @router.get(address)
    async def form_page(request: Request, subject_id: str, step: str) -> Response:
        """The form of one step."""
        return _form(request, _asked(request, kind, subject_id, step), {})

    @router.post(address)
    async def do(request: Request, subject_id: str, step: str) -> Response:
        """Carry out one step, or show what is to be signed of it; what was typed survives every refusal."""
        return await _do(request, _asked(request, kind, subject_id, step))


_routes(Kind.EQUIPMENT)
_routes(Kind.LOT)


@router.post("/upkeep/sign")
async def sign(request: Request, offer: Word, password: Secret = "", code: Code = "") -> Response:
    """Sign what was shown and carry it out."""
    needing(request, PEOPLE)
    return await finish(request, offer, password, code)
