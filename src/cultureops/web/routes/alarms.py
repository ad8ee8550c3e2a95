"""Alarms: what stands, one of them in full, what was, and what a person does about one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, HTTPException, Query, Request
from starlette.responses import RedirectResponse, Response

from cultureops.alarms import Act, Kind, Priority
from cultureops.alarms.command import AlarmCommand, Order
from cultureops.errors import AccessError, ConfigError, CultureOpsError, StorageError
from cultureops.field import check_reason
from cultureops.web.alarm.history import WHATS, AlarmChoice, HistoryPage, alarm_history
from cultureops.web.alarm.rows import QUICK_REASONS, AlarmRow, alarm_row, alarm_rows, suppressed_rows
from cultureops.web.alarm.trend import trend_of
from cultureops.web.door.visitor import NotInThisRole, acting, visitor_of
from cultureops.web.form.fields import Code, Secret, Word
from cultureops.web.templating import context_of, page

__all__ = ["check_words", "router"]

router = APIRouter(include_in_schema=False)
NEWEST_SHOWN: Final = 20
PAGE: Final = 50
LAST_INSTANT: Final = 253_402_300_799_999
ONE: Final = "/alarms/one?rule="
_UNDECODABLE: Final = "\ufffd"
_FILTERS: Final = ("rule", "chamber", "priority", "kind", "what", "batch", "since", "until")

Cursor = Annotated[int | None, Query(ge=0, le=2**53)]
Rule = Annotated[str, Query(max_length=400)]


@dataclass(frozen=True, slots=True)
class Refused:
    """What somebody asked of an alarm and was refused: said to them beside all that they had typed."""

    rule_id: str
    order: str
    said: str
    status: int
    typed: Mapping[str, str]


@router.get("/alarms")
async def alarms_page(request: Request) -> Response:
    """Active alarms, suppressed ones, and the newest transitions of all."""
    return await _list(request)


async def _list(request: Request, refused: Refused | None = None) -> Response:
    context = context_of(request)
    now = context.clock.now()
    newest = await asyncio.to_thread(alarm_history, context.ledger, AlarmChoice(), NEWEST_SHOWN)
    values = {
        "alarms": await alarm_rows(context, now),
        "suppressed": await suppressed_rows(context, now),
        "history": newest,
        **_common(request, refused),
    }
    return page(request, "alarms.html", values, 200 if refused is None else refused.status)


def _common(request: Request, refused: Refused | None) -> dict[str, Any]:
    return {"zone": context_of(request).zone, "refused": refused}


@router.get("/alarms/one")
async def alarm_page(request: Request, rule: Rule, cursor: Cursor = None) -> Response:
    """One alarm: what it means, what to do, its last hours, and all that became of it."""
    return await _one(request, rule, cursor)


async def _one(request: Request, rule_id: str, cursor: int | None = None, refused: Refused | None = None) -> Response:
    context = context_of(request)
    now = context.clock.now()
    rule = next((rule for rule in context.engine.rules if rule.id == rule_id), None)
    past = await _history(request, _choice(request, {"rule": rule_id}), cursor)
    if rule is None and not past.rows:
        raise HTTPException(404, f"there is no alarm {rule_id[:120]!r}; the page of alarms lists all that stand")
    row: AlarmRow | None = None
    if rule is not None and (view := context.engine.view(rule_id)) is not None and view.state.value != "NORMAL":
        row = await alarm_row(context, view, now)
    values = {
        "rule": rule,
        "rule_id": rule_id,
        "row": row,
        "trend": None if rule is None else await trend_of(context, rule, None if row is None else row.view.since, now),
        "chamber": None if rule is None else context.chambers.get(rule.chamber),
        "history": past,
        "is_continued": cursor is not None,
        "more": None if past.cursor is None else urlencode({"rule": rule_id, "cursor": past.cursor}),
        **_common(request, refused),
    }
    return page(request, "alarm_one.html", values, 200 if refused is None else refused.status)


@router.get("/alarms/history")
async def history_page(request: Request, cursor: Cursor = None) -> Response:
    """What all alarms have done, chosen by a form, the newest first."""
    context = context_of(request)
    choice = _choice(request, {name: request.query_params.get(name, "") for name in _FILTERS})
    past, asked = await _history(request, choice, cursor), choice.asked(context.zone)
    values = {
        "history": past,
        "choice": choice,
        "asked": asked,
        "whats": WHATS,
        "kinds": tuple(Kind),
        "priorities": tuple(Priority),
        "chambers": context.chambers.values(),
        "is_continued": cursor is not None,
        "more": None if past.cursor is None else urlencode({**asked, "cursor": past.cursor}),
        "zone": context.zone,
    }
    return page(request, "alarm_history.html", values)


def _choice(request: Request, asked: Mapping[str, str]) -> AlarmChoice:
    try:
        return AlarmChoice.of(asked, context_of(request).zone)
    except ConfigError as error:
        raise HTTPException(400, str(error)) from None


async def _history(request: Request, choice: AlarmChoice, cursor: int | None) -> HistoryPage:
    return await asyncio.to_thread(alarm_history, context_of(request).ledger, choice, PAGE, cursor)


@router.post("/alarms/{rule_id:path}/{order}")
async def command(
    request: Request,
    rule_id: str,
    order: Order,
    reason: Annotated[str, Form(max_length=500)] = "",
    quick: Word = "",
    role: Word = "",
    witness: Word = "",
    witness_password: Secret = "",
    witness_code: Code = "",
    minutes: Annotated[float, Form(ge=0.0, le=1440.0, allow_inf_nan=False)] = 0.0,
    one_shot: Annotated[bool, Form()] = False,
    raised_at: Annotated[int | None, Form(ge=0, le=LAST_INSTANT)] = None,
    back: Annotated[str, Form(max_length=1_000)] = "/",
) -> Response:
    """Act on an alarm in the name of who is signed in; a second person proves to be there by their password."""
    context, actor = context_of(request), acting(request, role)
    if quick and quick not in QUICK_REASONS:
        raise HTTPException(400, f"reason {quick[:40]!r} is none of those to choose from; type it instead")
    why = reason.strip() or quick
    try:
        check_words(witness + why, why)
        context.access.permit(actor)
        second = ""
        if witness.strip():
            source = visitor_of(request).source
            person = await context.access.authenticate(
                witness.strip(), witness_password, witness_code, source, "witness"
            )
            context.access.permit_witness(person)
            second = person.username
        act = Act(actor.id, why, second, actor.role)
        await context.command(AlarmCommand(order, rule_id, act, context.clock.now(), minutes, one_shot, raised_at))
    except NotInThisRole:
        raise
    except (CultureOpsError, HTTPException) as error:
        typed = {"reason": reason, "quick": quick, "role": role, "witness": witness, "minutes": f"{minutes:g}"}
        refused = Refused(rule_id, order.value, _said(error), _status(error), typed)
        is_one = back.startswith(ONE) and any(rule.id == rule_id for rule in context.engine.rules)
        return await (_one(request, rule_id, refused=refused) if is_one else _list(request, refused))
    return RedirectResponse(_way_back(back, rule_id), 303)


def _said(error: CultureOpsError | HTTPException) -> str:
    return str(error.detail) if isinstance(error, HTTPException) else str(error)


def _status(error: CultureOpsError | HTTPException) -> int:
    if isinstance(error, HTTPException):
        return error.status_code
    return 503 if isinstance(error, StorageError) else 403 if isinstance(error, AccessError) else 409


def _way_back(back: str, rule_id: str) -> str:
    """Return the page of ours that somebody acted from."""
    if back.startswith(ONE):
        return ONE + quote(rule_id, safe="")
    return "/alarms" if back == "/alarms" else "/"


def check_words(words: str, reason: str) -> None:
    """Refuse what is no reason in words; raises HTTPException or what ``check_reason`` raises."""
    if not reason.strip() or _UNDECODABLE in words:
        raise HTTPException(400, "expected a reason, without broken characters; choose one or type it")
    check_reason(reason)
