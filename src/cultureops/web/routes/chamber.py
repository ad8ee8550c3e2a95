"""One chamber: its page, and its curves and marks in any window."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.device.channel import Kind
from cultureops.errors import ConfigError
from cultureops.web.board.page import chamber_card
from cultureops.web.chamber.daily import MOST_DAYS, daily
from cultureops.web.chamber.instruments import instruments
from cultureops.web.chamber.marks import chamber_marks
from cultureops.web.chamber.marks_json import alarm_words, marks_json, sharpness, told
from cultureops.web.chamber.trend import MOST_POINTS, trend
from cultureops.web.chamber.window import SPANS, Window, window_of
from cultureops.web.context import WebContext
from cultureops.web.templating import context_of, page

__all__ = ["Time", "asked_window", "channels_of", "router"]

router = APIRouter()
FIRST_SPAN = "24h"
SHARE, FACTOR = 0.5, 2.0
"""How far a step of the buttons goes: half a window, twice or half as long."""

Time = Annotated[str, Query(max_length=60)]
From = Annotated[str, Query(alias="from", max_length=60)]
Points = Annotated[int, Query(ge=1, le=MOST_POINTS)]


def channels_of(request: Request, chamber_id: str) -> list[MeasuredChannel]:
    """Return all channels that look into the chamber of an address; a 404 in words where there is none."""
    context = context_of(request)
    if chamber_id not in context.chambers:
        raise HTTPException(404, f"there is no chamber {chamber_id[:60]!r}; the board lists all chambers")
    return [row for row in context.channels.values() if row.chamber == chamber_id]


def asked_window(context: WebContext, start: str, end: str, span: str) -> Window:
    """Return the window of an address; a 400 in words where it is none."""
    try:
        return window_of(start, end, span, context.clock.now(), context.zone)
    except ConfigError as error:
        raise HTTPException(400, str(error)) from None


@router.get("/chambers/{chamber_id}", include_in_schema=False)
async def chamber_page(
    request: Request, chamber_id: str, start: From = "", to: Time = "", span: Time = FIRST_SPAN
) -> Response:
    """The page of one chamber; without scripts it still shows every figure of the window."""
    context, rows = context_of(request), channels_of(request, chamber_id)
    window, now = asked_window(context, start, to, span), context.clock.now()
    measured = [row for row in rows if row.channel.kind is Kind.MEASUREMENT]
    marks, devices, (whole, days) = await asyncio.gather(
        chamber_marks(context, chamber_id, window, now),
        instruments(context, rows, now),
        daily(context.store, measured, window, context.zone),
    )
    values = {
        "card": chamber_card(context, context.chambers[chamber_id], now),
        "equipment": context.equipment.fact(chamber_id, now),
        "window": window,
        "spans": tuple(SPANS),
        "moves": {
            "earlier": window.moved(-SHARE, now),
            "later": window.moved(SHARE, now),
            "in": window.zoomed(1 / FACTOR, now),
            "out": window.zoomed(FACTOR, now),
        },
        "measured": measured,
        "whole": whole,
        "days": days,
        "most_days": MOST_DAYS,
        "marks": marks,
        "instruments": devices,
        "alarm_words": alarm_words,
        "told": told(marks),
        "sharpness": sharpness(marks),
        "zone": context.zone,
    }
    return page(request, "chamber.html", values)


@router.get("/api/chambers/{chamber_id}/trend")
async def chamber_trend(
    request: Request,
    chamber_id: str,
    start: From = "",
    to: Time = "",
    span: Time = FIRST_SPAN,
    points: Points = 1_000,
) -> Response:
    """The chamber's measured channels in a window: minimum, maximum and mean of stretches that begin at whole
    multiples of their width. Times are ms UTC; from and to are ms UTC or ISO 8601.
    """
    context, rows = context_of(request), channels_of(request, chamber_id)
    window = asked_window(context, start, to, span)
    measured = [row for row in rows if row.channel.kind is Kind.MEASUREMENT]
    found = await trend(context.store, measured, window, points)
    return await _json(found | {"now": context.clock.now()})


@router.get("/api/chambers/{chamber_id}/marks")
async def marks(
    request: Request, chamber_id: str, start: From = "", to: Time = "", span: Time = FIRST_SPAN
) -> Response:
    """What happened in and to the chamber in a window: alarms, limits, doors, setpoints, gaps, events, occupants."""
    context = context_of(request)
    channels_of(request, chamber_id)
    window = asked_window(context, start, to, span)
    found = await chamber_marks(context, chamber_id, window, context.clock.now())
    return await _json({"from": window.start, "to": window.end, **marks_json(found)})


async def _json(found: dict[str, Any]) -> Response:
    """Write an answer beside the event loop: there may be many numbers in it."""
    body = await asyncio.to_thread(json.dumps, found, allow_nan=False, separators=(",", ":"))
    return Response(body, media_type="application/json")
