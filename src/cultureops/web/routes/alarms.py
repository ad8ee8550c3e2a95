"""Alarms: what stands, what was, what a person does about one, and how much they trouble people."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Form, HTTPException, Query, Request
from starlette.responses import RedirectResponse, Response

from cultureops.alarms import Act
from cultureops.alarms.command import AlarmCommand, Order
from cultureops.alarms.events import ALARM_EVENT_TYPES
from cultureops.alarms.kpi_rows import kpi_rows, worst_actors
from cultureops.clock import DAY_MS
from cultureops.field import check_reason
from cultureops.ledger.event import Event
from cultureops.ledger.store import Ledger
from cultureops.web.alarm_list import alarm_row, alarm_rows, suppressed_rows
from cultureops.web.fields import Code, Secret, Word
from cultureops.web.templating import context_of, page
from cultureops.web.visitor import acting, visitor_of

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
NEWEST_SHOWN: Final = 200
KPI_DAYS: Final = 30
LAST_INSTANT: Final = 253_402_300_799_999
_SHOWN: Final = (*ALARM_EVENT_TYPES, "alarm_exposure_revised")
_UNDECODABLE: Final = "\ufffd"

Reason = Annotated[str, Form(min_length=1, max_length=500)]


@router.get("/alarms")
async def alarms_page(request: Request) -> Response:
    """Active alarms, suppressed ones, and the newest transitions of all."""
    context = context_of(request)
    now = context.clock.now()
    values = {
        "alarms": await alarm_rows(context, now),
        "suppressed": await suppressed_rows(context, now),
        "history": await asyncio.to_thread(_newest_transitions, context.ledger),
        "zone": context.zone,
    }
    return page(request, "alarms.html", values)


def _newest_transitions(ledger: Ledger) -> list[Event]:
    events = [
        event
        for stream in ledger.streams("alarm:")
        for event in ledger.read(stream, max(0, ledger.version(stream) - NEWEST_SHOWN))
        if event.type in _SHOWN
    ]
    return sorted(events, key=lambda event: event.position, reverse=True)[:NEWEST_SHOWN]


@router.get("/alarms/performance")
async def performance_page(request: Request, days: Annotated[int, Query(ge=1, le=366)] = KPI_DAYS) -> Response:
    """The KPIs of ISA-18.2 over the last days."""
    context = context_of(request)
    now = context.clock.now()
    kpi = await asyncio.to_thread(context.performance, now - days * DAY_MS, now)
    values = {"kpi": kpi, "rows": kpi_rows(kpi), "worst": worst_actors(kpi), "days": days, "zone": context.zone}
    return page(request, "performance.html", values)


@router.get("/alarms/link/{token}")
async def link_page(request: Request, token: str) -> Response:
    """What a one-time link acknowledges; only looking at it acknowledges nothing, a mail scanner does that too."""
    context = context_of(request)
    person, view = context.links.shown(token)
    row = await alarm_row(context, view, context.clock.now())
    return page(request, "link.html", {"token": token, "person": person, "alarm": row})


@router.post("/alarms/link/{token}")
async def use_link(request: Request, token: str, reason: Reason) -> Response:
    """Acknowledge by a one-time link, in the name of whoever it was sent to."""
    _check_words(reason)
    context = context_of(request)
    view = await context.links.used(token, reason)
    return page(request, "link_used.html", {"view": view})


@router.post("/alarms/{rule_id:path}/{order}")
async def command(
    request: Request,
    rule_id: str,
    order: Order,
    reason: Reason,
    role: Word = "",
    witness: Word = "",
    witness_password: Secret = "",
    witness_code: Code = "",
    minutes: Annotated[float, Form(ge=0.0, le=1440.0, allow_inf_nan=False)] = 0.0,
    one_shot: Annotated[bool, Form()] = False,
    raised_at: Annotated[int | None, Form(ge=0, le=LAST_INSTANT)] = None,
    back: Annotated[str, Form()] = "/",
) -> Response:
    """Act on an alarm in the name of who is signed in; a second person proves to be there by their password."""
    _check_words(witness + reason)
    context, actor = context_of(request), acting(request, role)
    context.access.permit(actor)
    second = ""
    if witness.strip():
        source = visitor_of(request).source
        person = await context.access.authenticate(witness.strip(), witness_password, witness_code, source, "witness")
        context.access.permit_witness(person)
        second = person.username
    act = Act(actor.id, reason, second, actor.role)
    asked = AlarmCommand(order, rule_id, act, context.clock.now(), minutes, one_shot, raised_at)
    await context.command(asked)
    return RedirectResponse("/alarms" if back == "/alarms" else "/", 303)


def _check_words(reason: str) -> None:
    if not reason.strip() or _UNDECODABLE in reason:
        raise HTTPException(400, "give a reason, without broken characters; type it again")
    check_reason(reason)
