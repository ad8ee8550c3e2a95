"""How fast lab time runs in a demo."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from cultureops.web.templating import context_of

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
SLOWEST, FASTEST = 1.0, 100_000.0
ACTIONS: Final = ("pause", "resume", "speed")
OWN_PAGE: Final = re.compile(r"/(?![/\\])(?!.*\.\.)[^\\\x00-\x1f]*")
"""A path here and nowhere else: a browser reads two slashes at the beginning, of either kind, as another host."""


@router.post("/pace")
async def change_pace(
    request: Request,
    action: Annotated[str, Form()],
    lab_seconds_per_second: Annotated[float | None, Form()] = None,
    back: Annotated[str, Form()] = "/",
) -> Response:
    """Pause, resume or set the speed; a running lab has no pace."""
    pace = context_of(request).pace
    if pace is None:
        raise HTTPException(404, "lab time runs by itself here; only a demo can be paced")
    if action not in ACTIONS:
        raise HTTPException(400, f"action {action[:20]!r} is none of {', '.join(ACTIONS)}")
    if action == "speed":
        speed = lab_seconds_per_second
        if speed is None or not SLOWEST <= speed <= FASTEST:
            raise HTTPException(400, f"a speed is {SLOWEST:g} to {FASTEST:g} lab seconds per second")
        pace.lab_seconds_per_second = speed
    else:
        pace.paused = action == "pause"
    return RedirectResponse(quote(back) if OWN_PAGE.fullmatch(back) else "/", 303)
