"""The same facts for programs, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request

from cultureops.batch.signed import signatures_of
from cultureops.batch.views import summary
from cultureops.clock import iso, parse_iso
from cultureops.errors import ConfigError
from cultureops.web.chart import MOST_POINTS, channel_chart
from cultureops.web.routes.batch import batch_named
from cultureops.web.signing import standing_row
from cultureops.web.stream import alarm_row
from cultureops.web.templating import context_of

__all__ = ["router"]

router = APIRouter(prefix="/api")


@router.get("/health")
async def health(request: Request) -> Mapping[str, object]:
    """Whether readings and records really arrive: last durable frame, ledger head, failures, missed polls."""
    return context_of(request).health()


@router.get("/latest")
async def latest(request: Request) -> dict[str, Any]:
    """The last reading of each channel."""
    context = context_of(request)
    return {
        "now": iso(context.clock.now()),
        "readings": {
            name: {
                "value": row.value,
                "unit": context.store.channels()[name].unit,
                "quality": row.quality.name,
                "reason": row.reason.text,
                "at": iso(row.source_time),
                "simulated": context.store.channels()[name].simulated,
            }
            for name, row in context.store.latest().items()
        },
    }


@router.get("/channels/{device}/{name}/series")
async def series(
    request: Request,
    device: str,
    name: str,
    start: str,
    end: str,
    points: Annotated[int, Query(ge=1, le=10_000)] = MOST_POINTS,
) -> dict[str, Any]:
    """One channel between two instants (ISO 8601 with offset), minimum, maximum and mean of each stretch."""
    context, channel = context_of(request), f"{device}/{name}"
    if channel not in context.channels:
        raise HTTPException(404, f"there is no channel {channel[:120]!r}; /api/latest lists them")
    try:
        begin, until = parse_iso(start), parse_iso(end)
    except ConfigError as error:
        raise HTTPException(400, str(error)) from None
    if until <= begin:
        raise HTTPException(400, "end must lie after start")
    return await channel_chart(context, channel, begin, until, points)


@router.get("/batches")
async def batches(request: Request) -> list[dict[str, Any]]:
    """Every batch in short."""
    context = context_of(request)
    return [summary(batch, context.clock.now()) for batch in context.batches.batches()]


@router.get("/batches/{batch_id}")
async def batch(request: Request, batch_id: str) -> dict[str, Any]:
    """One batch in short."""
    return summary(batch_named(request, batch_id), context_of(request).clock.now())


@router.get("/batches/{batch_id}/signatures")
async def signatures(request: Request, batch_id: str) -> list[dict[str, Any]]:
    """Every signature of a batch as it stands: who, when with zone, in which role, what it means."""
    return [standing_row(one) for one in signatures_of(batch_named(request, batch_id))]


@router.get("/alarms")
async def alarms(request: Request) -> list[dict[str, Any]]:
    """Every alarm that is not back to normal, and what it has meant for each batch so far."""
    context, now = context_of(request), context_of(request).clock.now()
    return [
        alarm_row(view, context.batches.exposed, now)
        | {"exposures": [batch.as_json for batch in await context.endangered(view, now)]}
        for view in (*context.engine.active(), *context.engine.suppressed())
    ]
