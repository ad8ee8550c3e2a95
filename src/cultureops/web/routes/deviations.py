"""Deviations: all of them, and one with its whole story and what comes next."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from cultureops.access.roles import PEOPLE
from cultureops.batch.commands import CloseDeviation, Command
from cultureops.ledger.event import Actor
from cultureops.web.door.visitor import needing
from cultureops.web.quality.deviations import (
    SEVERITIES,
    deviation_named,
    deviation_rows,
    exposures_of,
    next_acts,
    story_of,
)
from cultureops.web.quality.next_steps import problems_in
from cultureops.web.quality.signing import roles_for
from cultureops.web.routes.batch import batch_named
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
PAGE: Final = 200
_CLOSE: Final = CloseDeviation.__name__

Word = Annotated[str, Query(max_length=40)]


@router.get("/deviations")
async def list_page(
    request: Request,
    state: Literal["open", "closed", "all"] = "open",
    severity: Literal["", "critical", "major", "minor"] = "",
    batch: Word = "",
) -> Response:
    """Every deviation, the open ones first, of those the gravest."""
    needing(request, PEOPLE)
    context = context_of(request)
    rows = [
        row
        for row in deviation_rows(context.batches.batches(), context.clock.now())
        if state == "all" or (row.deviation.closed_at is None) is (state == "open")
        if not severity or row.deviation.severity == severity
        if not batch.strip() or row.batch_id == batch.strip()
    ]
    values = {
        "rows": rows[:PAGE],
        "more": len(rows) - PAGE,
        "state": state,
        "severity": severity,
        "severities": SEVERITIES,
        "batch_id": batch.strip(),
        "batches": [one.id for one in context.batches.batches()],
        "zone": context.zone,
    }
    return page(request, "deviations.html", values)


@router.get("/batches/{batch_id}/deviations/{deviation_id}")
async def deviation_page(request: Request, batch_id: str, deviation_id: str) -> Response:
    """One deviation from what drafted it to its closure, and the steps that take it further."""
    person = needing(request, PEOPLE)
    context, batch = context_of(request), batch_named(request, batch_id)
    deviation = deviation_named(batch, deviation_id)
    if deviation is None:
        raise HTTPException(404, f"{batch.id} has no deviation {deviation_id[:60]!r}; its page lists all")
    (row,) = (one for one in deviation_rows([batch], context.clock.now()) if one.deviation.id == deviation.id)
    problems: tuple[str, ...] = ()
    if deviation.closed_at is None and (roles := roles_for(person, _CLOSE)):
        details = CloseDeviation(deviation_id=deviation.id, conclusion="as written", effectiveness="as written")
        problems = await problems_in(context, Command(batch.id, details), Actor(person.username, roles[0]))
    values: dict[str, Any] = {
        "batch": batch,
        "it": deviation,
        "row": row,
        "story": story_of(batch, deviation, context.zone),
        "exposures": exposures_of(batch, deviation),
        "acts": [(act, urlencode(act.query)) for act in next_acts(batch, deviation, person)],
        "close_problems": problems,
        "chambers": context.chambers,
        "zone": context.zone,
    }
    return page(request, "deviation.html", values)
