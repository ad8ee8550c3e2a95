"""One-time links that acknowledge an alarm: opened on a phone, in the name of whoever they were sent to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from cultureops.web.alarm.rows import QUICK_REASONS, alarm_row
from cultureops.web.form.fields import Word
from cultureops.web.routes.alarms import check_words
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(prefix="/alarms/link", include_in_schema=False)


@router.get("/{token}")
async def link_page(request: Request, token: str) -> Response:
    """What a one-time link acknowledges; only looking at it acknowledges nothing, a mail scanner does that too."""
    context = context_of(request)
    person, view = context.links.shown(token)
    row = await alarm_row(context, view, context.clock.now())
    values = {"token": token, "person": person, "alarm": row}
    return page(request, "link.html", values)


@router.post("/{token}")
async def use_link(
    request: Request, token: str, reason: Annotated[str, Form(max_length=500)] = "", quick: Word = ""
) -> Response:
    """Acknowledge by a one-time link, in the name of whoever it was sent to."""
    why = reason.strip() or (quick if quick in QUICK_REASONS else "")
    check_words(why, why)
    view = await context_of(request).links.used(token, why)
    return page(request, "link_used.html", {"view": view})
