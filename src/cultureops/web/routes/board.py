"""The board, and the stream that keeps it alive."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from cultureops.errors import AccessError
from cultureops.web.alarm_list import alarm_rows
from cultureops.web.board import batch_cards, chamber_cards
from cultureops.web.stream import encode_alarms, encode_readings, events
from cultureops.web.templating import context_of, page
from cultureops.web.visitor import visitor_of

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/")
async def board(request: Request) -> Response:
    """Every chamber and batch on one page."""
    context = context_of(request)
    now = context.clock.now()
    values = {
        "chambers": await chamber_cards(context, now),
        "batches": batch_cards(context, now),
        "alarms": await alarm_rows(context, now),
        "zone": context.zone,
        "titles": {chamber.id: chamber.title for chamber in context.chambers.values()},
    }
    return page(request, "board.html", values)


@router.get("/stream")
async def stream(request: Request) -> Response:
    """Readings and alarms as they come, as server-sent events; first everything as it stands."""
    context = context_of(request)

    def greeting() -> bytes:
        now = context.clock.now()
        shown = [row for name, row in context.store.latest().items() if name in context.channels]
        return encode_readings(shown, now) + encode_alarms(context.engine.active(), context.batches.exposed, now)

    def may_watch() -> bool:
        try:
            context.access.identify(visitor_of(request).credential, is_deed=False)
        except AccessError:
            return False
        return True

    headers = {"cache-control": "no-store", "content-encoding": "identity"}
    return StreamingResponse(events(context.feed, greeting, may_watch), media_type="text/event-stream", headers=headers)
