"""Review by exception: of one batch only what a person must judge, everything else one click away."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from cultureops.access.roles import PEOPLE
from cultureops.batch.checklist import checklist
from cultureops.batch.exceptions import exceptions
from cultureops.batch.signed import signatures_of
from cultureops.clock import with_offset
from cultureops.web.door.visitor import needing
from cultureops.web.quality.deviations import deviation_rows
from cultureops.web.quality.next_steps import decisions
from cultureops.web.quality.review import environment_rows
from cultureops.web.routes.batch import batch_named
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/batches/{batch_id}/review")
async def review_page(request: Request, batch_id: str) -> Response:
    """What must be judged, the release checklist, the environment, signatures, and what may be decided now."""
    person = needing(request, PEOPLE)
    context, batch = context_of(request), batch_named(request, batch_id)
    facts = await context.facts(batch)
    simulated = {row.device for row in context.channels.values() if row.simulated}
    matters = exceptions(batch, facts, simulated)
    checks = checklist(batch, facts)
    values = {
        "batch": batch,
        "open": [matter for matter in matters if not matter.is_read],
        "read": [matter for matter in matters if matter.is_read],
        "checks": checks,
        "not_met": sum(check.is_not_met for check in checks),
        "environment": environment_rows(batch, facts, context.chambers),
        "deviations": deviation_rows([batch], facts.now),
        "standings": signatures_of(batch),
        "next": await decisions(context, batch, person),
        "unreadable": context.batches.unreadable(batch.id),
        "zone": context.zone,
        "when": with_offset,
    }
    return page(request, "review.html", values)
