"""One chamber's trends."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from cultureops.clock import HOUR_MS
from cultureops.device.channel import Kind
from cultureops.web.board import chamber_cards
from cultureops.web.chart import MOST_POINTS, channel_chart
from cultureops.web.templating import context_of, page, title

__all__ = ["router"]

router = APIRouter()
RANGES: Final = {"6h": 6 * HOUR_MS, "24h": 24 * HOUR_MS, "7d": 7 * 24 * HOUR_MS, "30d": 30 * 24 * HOUR_MS}


@router.get("/chambers/{chamber_id}", include_in_schema=False)
async def chamber_page(request: Request, chamber_id: str, span: str = "24h") -> Response:
    """The page of one chamber."""
    context = context_of(request)
    if chamber_id not in context.chambers:
        raise HTTPException(404, f"there is no chamber {chamber_id[:60]!r}; the board lists all chambers")
    if span not in RANGES:
        raise HTTPException(400, f"span {span[:20]!r} is none of {', '.join(RANGES)}")
    cards = await chamber_cards(context, context.clock.now())
    card = next(card for card in cards if card.chamber.id == chamber_id)
    values = {"card": card, "span": span, "spans": tuple(RANGES), "zone": context.zone}
    return page(request, "chamber.html", values)


@router.get("/api/chambers/{chamber_id}/chart")
async def chart(request: Request, chamber_id: str, span: str = "24h") -> dict[str, object]:
    """The chamber's measured channels over a span that ends now; times are ms UTC."""
    context = context_of(request)
    if chamber_id not in context.chambers:
        raise HTTPException(404, f"there is no chamber {chamber_id[:60]!r}")
    if span not in RANGES:
        raise HTTPException(400, f"span {span[:20]!r} is none of {', '.join(RANGES)}")
    now = context.clock.now()
    rows = [row for row in context.channels.values() if row.chamber == chamber_id]
    return {
        "channels": [
            {"name": row.channel.name, "title": title(row.channel.name), "device": row.device}
            | await channel_chart(context, row.id, now - RANGES[span], now + 1, MOST_POINTS)
            for row in rows
            if row.channel.kind is Kind.MEASUREMENT
        ]
    }
