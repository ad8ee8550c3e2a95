"""The page that takes any code: one place leads straight on, several are a choice, none is said in one line."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from cultureops.access.roles import PEOPLE
from cultureops.web.board.scanned import cleaned, places_of
from cultureops.web.door.visitor import needing
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/scan")
async def scan_page(request: Request, code: str = "") -> Response:
    """Go to the page of what was scanned."""
    needing(request, PEOPLE)
    sought = cleaned(code)
    found = places_of(context_of(request), sought) if sought else ()
    if len(found) == 1:
        answer: Response = RedirectResponse(found[0].address, 303)
    else:
        status = 404 if sought and not found else 200
        answer = page(request, "scan.html", {"code": sought, "found": found}, status)
    answer.headers["cache-control"] = "no-store"
    return answer
