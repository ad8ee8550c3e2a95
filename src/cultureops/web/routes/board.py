"""The board, the parts of it that pages take anew, and the stream that keeps it alive."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from cultureops.alarms.text import describe
from cultureops.device.channel import Kind
from cultureops.errors import AccessError, ConfigError
from cultureops.web.alarm.rows import alarm_rows, by_urgency
from cultureops.web.board.batch_list import SHOWS, Sought, batch_list
from cultureops.web.board.page import away_of, chamber_cards
from cultureops.web.door.visitor import visitor_of
from cultureops.web.stream import encode_alarms, encode_readings, encode_still, events
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
MOST_IN_FULL: Final = 3
"""Alarms that the board shows with all there is to say; the others take a line each."""
ROOMY: Final = 12
"""Chambers up to which each has room for large figures."""


@router.get("/")
async def board(request: Request) -> Response:
    """Every chamber and batch on one page."""
    context = context_of(request)
    chambers = chamber_cards(context, context.clock.now())
    calling = sum(card.calls for card in chambers)
    values = {"chambers": chambers, "calling": calling, "is_dense": len(chambers) > ROOMY}
    return page(request, "board.html", values | await _alarms(request) | _batches(request))


@router.get("/board/alarms")
async def alarms_part(request: Request) -> Response:
    """The board's alarms by themselves."""
    return page(request, "board_part.html", {"part": "alarms"} | await _alarms(request))


@router.get("/board/batches")
async def batches_part(request: Request) -> Response:
    """The board's batches by themselves, and which of them each chamber holds."""
    context = context_of(request)
    now = context.clock.now()
    inside = [(chamber, context.batches.inside(chamber, now)) for chamber in context.chambers]
    there = away_of(context)
    away = {chamber: there.get(chamber) for chamber in context.chambers}
    return page(
        request, "board_part.html", {"part": "batches", "inside_of": inside, "away_of": away} | _batches(request)
    )


@router.get("/board/sparks")
async def sparks(request: Request) -> Response:
    """The drawing of each measured channel's last hours, by channel; empty ones are left out."""
    context = context_of(request)
    now = context.clock.now()
    rows = [row for row in context.channels.values() if row.channel.kind is Kind.MEASUREMENT]
    return JSONResponse({row.id: drawn for row in rows if (drawn := context.sparklines.of(row, now))})


async def _alarms(request: Request) -> dict[str, Any]:
    """Return the most urgent alarms in full, and a line for each of the others."""
    context = context_of(request)
    now = context.clock.now()
    rest = by_urgency(context.engine.active())[MOST_IN_FULL:]
    return {
        "alarms": await alarm_rows(context, now, MOST_IN_FULL, request.app.state.figures),
        "more": [(view, describe(view.rule, view.value, ())) for view in rest],
        "zone": context.zone,
    }


def _batches(request: Request) -> dict[str, Any]:
    context, identity = context_of(request), visitor_of(request).identity
    try:
        sought = Sought.of(request.query_params)
    except ConfigError as problem:
        raise HTTPException(400, str(problem)) from None
    roles = frozenset() if identity is None else identity.roles
    found = batch_list(context, sought, roles, context.clock.now())
    return {"batches": found, "shows": SHOWS, "zone": context.zone}


@router.get("/stream")
async def stream(request: Request) -> Response:
    """Readings, alarms and changed batches as they come, as server-sent events; first everything as it stands."""
    context = context_of(request)

    def greeting() -> bytes:
        now = context.clock.now()
        shown = [row for name, row in context.store.latest().items() if name in context.channels]
        return encode_readings(shown, now) + encode_alarms(context.engine.active(), context.batches.exposed, now)

    def still() -> bytes:
        return encode_still(context.clock.now())

    def may_watch() -> bool:
        try:
            context.access.identify(visitor_of(request).credential, is_deed=False)
        except AccessError:
            return False
        return True

    headers = {"cache-control": "no-store", "content-encoding": "identity"}
    told = events(context.feed, greeting, still, may_watch)
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)
