"""What is due over all batches, for somebody's roles or for all."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from cultureops.access.roles import PEOPLE
from cultureops.web.board.due_list import Urgency, due_items
from cultureops.web.door.visitor import person_of
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
ALL: Final = "all"
HEADINGS: Final = {
    Urgency.LATE: "Late",
    Urgency.NOW: "Now",
    Urgency.TODAY: "Later today",
    Urgency.LATER: "After today",
}
_ROLES: Final = tuple(sorted(PEOPLE))


@router.get("/due")
async def due_page(request: Request, role: Annotated[str, Query(max_length=20)] = "") -> Response:
    """Late things first, then soonest first; whoever holds a role sees theirs unless they ask for others."""
    context, person = context_of(request), person_of(request)
    if role not in ("", ALL, *_ROLES):
        raise HTTPException(400, f"role {role!r} is none of {', '.join(_ROLES)}; {ALL} shows what is due for everybody")
    own = person.roles & PEOPLE
    roles = None if role == ALL or not (role or own) else own if not role else {role}
    items = due_items(context.batches.batches(), context.recipes, context.clock.now(), context.zone)
    values = {
        "groups": [
            (words, [one for one in items if one.urgency is urgency and (roles is None or one.due.role in roles)])
            for urgency, words in HEADINGS.items()
        ],
        "counts": {name: sum(one.due.role == name for one in items) for name in _ROLES},
        "total": len(items),
        "role": role or ("" if own else ALL),
        "own": sorted(own),
        "mine": sum(one.due.role in own for one in items),
        "does": "/batches/{batch_id}/do" in request.app.state.addresses,
        "zone": context.zone,
    }
    return page(request, "due.html", values)
