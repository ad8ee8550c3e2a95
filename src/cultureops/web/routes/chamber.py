"""One chamber's trends."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.clock import HOUR_MS
from cultureops.device.channel import Kind
from cultureops.web.board import chamber_cards
from cultureops.web.chart import drawn_chart
from cultureops.web.context import WebContext
from cultureops.web.gaps import gap_rows
from cultureops.web.templating import context_of, page, title

__all__ = ["router"]

router = APIRouter()
RANGES: Final = {"6h": 6 * HOUR_MS, "24h": 24 * HOUR_MS, "7d": 7 * 24 * HOUR_MS, "30d": 30 * 24 * HOUR_MS}
MOST_GAPS: Final = 50


@router.get("/chambers/{chamber_id}", include_in_schema=False)
async def chamber_page(request: Request, chamber_id: str, span: str = "24h") -> Response:
    """The page of one chamber."""
    context = context_of(request)
    rows, span_ms, now = _measured(context, chamber_id), _span_ms(span), context.clock.now()
    cards = await chamber_cards(context, now)
    gaps = await gap_rows(context, [row.id for row in rows], now - span_ms, now + 1)
    values = {
        "card": next(card for card in cards if card.chamber.id == chamber_id),
        "span": span,
        "spans": tuple(RANGES),
        "gaps": gaps[:MOST_GAPS],
        "more_gaps": len(gaps) - MOST_GAPS,
        "zone": context.zone,
    }
    return page(request, "chamber.html", values)


@router.get("/api/chambers/{chamber_id}/chart")
async def chart(request: Request, chamber_id: str, span: str = "24h") -> dict[str, object]:
    """The chamber's measured channels over a span that ends now; times are ms UTC."""
    context = context_of(request)
    rows, span_ms, now = _measured(context, chamber_id), _span_ms(span), context.clock.now()
    charts = await asyncio.gather(*(drawn_chart(context, row, now - span_ms, now + 1) for row in rows))
    names = ({"name": row.channel.name, "title": title(row.channel.name), "device": row.device} for row in rows)
    return {
        "from": now - span_ms,
        "to": now,
        "channels": [said | drawn for said, drawn in zip(names, charts, strict=True)],
    }


def _measured(context: WebContext, chamber_id: str) -> list[MeasuredChannel]:
    if chamber_id not in context.chambers:
        raise HTTPException(404, f"there is no chamber {chamber_id[:60]!r}; the board lists all chambers")
    rows = context.channels.values()
    return [row for row in rows if row.chamber == chamber_id and row.channel.kind is Kind.MEASUREMENT]


def _span_ms(span: str) -> int:
    if span not in RANGES:
        raise HTTPException(400, f"span {span[:20]!r} is none of {', '.join(RANGES)}")
    return RANGES[span]
