"""What stands before every page: the security headers, and who may ask at all. Log-in comes on top of it."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HEADERS", "Guard", "problem"]

POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}
"""What every answer says, unless it says otherwise itself."""
OWN_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_PORT: Final = re.compile(r":[0-9]+$")


def problem(status: int, detail: str) -> JSONResponse:
    """Return a mistake as problem+json (RFC 9457)."""
    said = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(said, status, media_type="application/problem+json")


class Guard:
    """Sets the security headers; refuses foreign names of this machine, and changes that another site asks for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = [*message.get("headers", ())]
                known = {name for name, _ in said}
                own = ((name.encode(), value.encode()) for name, value in HEADERS.items())
                message["headers"] = [*said, *(header for header in own if header[0] not in known)]
            await send(message)

        refusal = _refusal(scope["method"], Headers(scope=scope))
        await (problem(403, refusal) if refusal else self._app)(scope, receive, guarded)


def _refusal(method: str, headers: Headers) -> str:
    """Return why a request is refused, or nothing; a foreign name that points here is not ours (DNS rebinding)."""
    if _PORT.sub("", headers.get("host", "")) not in OWN_NAMES:
        return f"pages are served as {' or '.join(OWN_NAMES)} only"
    if method not in ("GET", "HEAD") and not _is_own_page(headers):
        return "changes are taken from this lab's own pages only"
    return ""


def _is_own_page(headers: Headers) -> bool:
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")
