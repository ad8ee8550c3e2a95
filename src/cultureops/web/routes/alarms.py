"""Alarms: what is active, what was, and taking note of one."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from cultureops.alarms.events import ALARM_EVENT_TYPES
from cultureops.ledger.event import Event
from cultureops.ledger.store import Ledger
from cultureops.web.board import alarm_rows
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
NEWEST_SHOWN: Final = 200
_UNDECODABLE: Final = "\ufffd"


@router.get("/alarms")
async def alarms_page(request: Request) -> Response:
    """Active alarms and the newest transitions of all."""
    context = context_of(request)
    history = await asyncio.to_thread(_newest_transitions, context.ledger)
    values = {
        "alarms": alarm_rows(context, context.clock.now()),
        "history": history,
        "zone": context.zone,
    }
    return page(request, "alarms.html", values)


def _newest_transitions(ledger: Ledger) -> list[Event]:
    events = [
        event
        for stream in ledger.streams("alarm:")
        for event in ledger.read(stream, max(0, ledger.version(stream) - NEWEST_SHOWN))
        if event.type in ALARM_EVENT_TYPES
    ]
    return sorted(events, key=lambda event: event.position, reverse=True)[:NEWEST_SHOWN]


@router.post("/alarms/{rule_id:path}/acknowledge")
async def acknowledge(
    request: Request,
    rule_id: str,
    name: Annotated[str, Form(min_length=1, max_length=100)],
    reason: Annotated[str, Form(min_length=1, max_length=500)],
    back: Annotated[str, Form()] = "/",
) -> Response:
    """Take note of an alarm in a person's name; what can't be recorded is refused in words."""
    if not name.strip() or not reason.strip() or not name.isprintable() or _UNDECODABLE in name + reason:
        raise HTTPException(400, "give a name and a reason, without invisible or broken characters; type them again")
    await context_of(request).acknowledge(rule_id, name, reason)
    return RedirectResponse("/alarms" if back == "/alarms" else "/", 303)
