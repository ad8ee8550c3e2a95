"""Devices: how each link stands, what answers, and what of its channels is second-hand."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from cultureops.access.roles import PEOPLE, Role
from cultureops.clock import Instant
from cultureops.web.context import DeviceLink, WebContext
from cultureops.web.door.visitor import needing
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/devices")
async def devices_page(request: Request) -> Response:
    """Every device; what does not answer first."""
    needing(request, PEOPLE | {Role.ADMINISTRATOR})
    context, now = context_of(request), context_of(request).clock.now()
    rows = [_row(context, link, now) for link in context.devices.values()]
    rows.sort(key=lambda row: (row["link"].answers, row["link"].device))
    return page(request, "devices.html", {"rows": rows, "zone": context.zone})


def _row(context: WebContext, link: DeviceLink, now: Instant) -> dict[str, Any]:
    channels = [row for row in context.channels.values() if row.device == link.device]
    latest = context.store.latest()
    read = [reading.source_time for row in channels if (reading := latest.get(row.id)) is not None]
    equipment = context.equipment.fact(link.device, now)
    return {
        "link": link,
        "chamber": next((row.chamber for row in channels), None),
        "channels": len(channels),
        "unverified": [row.channel.name for row in channels if not row.channel.verified],
        "simulated": any(row.simulated for row in channels),
        "last_read": max(read, default=None),
        "calibrated_until": None if equipment is None else equipment.calibrated_until,
    }
