"""The readings of one channel as they are kept: on pages, and as CSV."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response, StreamingResponse

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.clock import DAY_MS, HOUR_MS, Instant, iso
from cultureops.web.chamber.raw_values import LONGEST_CSV_MS, LONGEST_PAGE_MS, PAGE_ROWS, csv_parts, raw_page
from cultureops.web.chamber.window import Window
from cultureops.web.download import disposition, file_name
from cultureops.web.form.local_time import as_typed
from cultureops.web.routes.chamber import From, Time, asked_window, channels_of
from cultureops.web.templating import context_of, number, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
FIRST_SPAN = "1h"
After = Annotated[int | None, Query(ge=0, le=2**53)]


def _row(rows: list[MeasuredChannel], channel: str) -> MeasuredChannel:
    found = next((row for row in rows if row.id == channel or not channel), None)
    if found is None:
        raise HTTPException(404, f"no instrument of this chamber delivers {channel[:120]!r}; choose one of the list")
    return found


@router.get("/chambers/{chamber_id}/values")
async def values_page(
    request: Request,
    chamber_id: str,
    channel: Time = "",
    start: From = "",
    to: Time = "",
    span: Time = FIRST_SPAN,
    after: After = None,
) -> Response:
    """One channel's readings one by one, a page at a time."""
    context, rows = context_of(request), channels_of(request, chamber_id)
    if not rows:
        raise HTTPException(404, "no instrument looks into this chamber, so there are no readings of it")
    row, window = _row(rows, channel), asked_window(context, start, to, span)
    values = {
        "chamber": context.chambers[chamber_id],
        "row": row,
        "rows": rows,
        "window": window,
        "from_typed": as_typed(window.start, context.zone),
        "to_typed": as_typed(window.end, context.zone),
        "is_too_long": window.length_ms > LONGEST_PAGE_MS,
        "longest_h": LONGEST_PAGE_MS // HOUR_MS,
        "csv_days": LONGEST_CSV_MS // DAY_MS,
        "page_rows": PAGE_ROWS,
        "found": None if window.length_ms > LONGEST_PAGE_MS else await raw_page(context.store, row, window, after),
        "is_continued": after is not None,
        "csv": Window(window.start, window.end).query,
        "precise": _precise,
        "whole": _whole,
        "zone": context.zone,
    }
    return page(request, "values.html", values)


@router.get("/chambers/{chamber_id}/values.csv")
async def values_csv(
    request: Request, chamber_id: str, channel: Time = "", start: From = "", to: Time = "", span: Time = FIRST_SPAN
) -> Response:
    """The readings of a window as CSV, written as they are read."""
    context, rows = context_of(request), channels_of(request, chamber_id)
    row = _row(rows, channel or "–")
    window = asked_window(context, start, to, span)
    if window.length_ms > LONGEST_CSV_MS:
        days = LONGEST_CSV_MS // DAY_MS
        raise HTTPException(400, f"one CSV file holds at most {days} days; choose a shorter window")
    name = file_name(f"{row.id}-{iso(window.start)[:16]}", ".csv")
    return StreamingResponse(
        csv_parts(context.store, row, window),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": disposition(name)},
    )


def _precise(instant: Instant, zone: ZoneInfo) -> str:
    """Write an instant in the site's zone as it is kept, to the millisecond."""
    there = datetime.fromtimestamp(instant // 1000, UTC).astimezone(zone)
    return f"{there:%Y-%m-%d %H:%M:%S}.{instant % 1000:03}"


def _whole(value: float | None, decimals: int) -> str:
    """Write a value at its channel's resolution, or with all its digits where it is finer than that."""
    return number(value, decimals) if value is None or round(value, decimals) == value else repr(value)
