"""Alarms: what is active, what was, and taking note of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from cultureops.alarms.events import ALARM_EVENT_TYPES
from cultureops.web.board import alarm_rows
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
NEWEST_SHOWN = 200


@router.get("/alarms")
async def alarms_page(request: Request) -> Response:
    """Active alarms and the newest transitions of all."""
    context = context_of(request)
    history = [
        event
        for stream in context.ledger.streams("alarm:")
        for event in context.ledger.read(stream)
        if event.type in ALARM_EVENT_TYPES
    ]
    history.sort(key=lambda event: event.position, reverse=True)
    values = {
        "alarms": alarm_rows(context, context.clock.now()),
        "history": history[:NEWEST_SHOWN],
        "zone": context.zone,
    }
    return page(request, "alarms.html", values)


@router.post("/alarms/{rule_id:path}/acknowledge")
async def acknowledge(
    request: Request,
    rule_id: str,
    name: Annotated[str, Form(min_length=1, max_length=100)],
    reason: Annotated[str, Form(min_length=1, max_length=500)],
    back: Annotated[str, Form()] = "/",
) -> Response:
    """Take note of an alarm in a person's name."""
    await context_of(request).acknowledge(rule_id, name, reason)
    return RedirectResponse("/alarms" if back == "/alarms" else "/", 303)
