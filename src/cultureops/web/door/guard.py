"""What stands before every page: the security headers, and from where may be asked at all. Who asks comes after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

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
HSTS: Final = ("strict-transport-security", "max-age=31536000")
"""Said over TLS: browsers come back over TLS only (RFC 6797)."""
OWN_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
LINKS: Final = "/alarms/link/"
"""What may be asked for by the public name; its page shows one alarm and takes one acknowledgement."""
_PORT: Final = re.compile(r":[0-9]+$")


def problem(status: int, detail: str) -> JSONResponse:
    """Return a mistake as problem+json (RFC 9457)."""
    said = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(said, status, media_type="application/problem+json")


class Guard:
    """Sets the security headers; refuses foreign names of this machine, and changes that another site asks for.

    ``public_url`` is where people reach the links in messages, through a proxy that passes on nothing else; ``names``
    are the site's own beside those of this machine.
    """

    def __init__(
        self, app: ASGIApp, public_url: str | None = None, names: Sequence[str] = (), *, over_tls: bool = False
    ) -> None:
        self._app = app
        self._public_origin = "" if public_url is None else _origin_of(public_url)
        self._names = (*OWN_NAMES, *names)
        headers = HEADERS | dict([HSTS]) if over_tls else HEADERS
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = [*message.get("headers", ())]
                known = {name for name, _ in said}
                message["headers"] = [*said, *(header for header in self._headers if header[0] not in known)]
            await send(message)

        is_link = scope["path"].startswith(LINKS)
        refusal = _refusal(scope["method"], Headers(scope=scope), self._names, self._public_origin if is_link else "")
        await (problem(403, refusal) if refusal else self._app)(scope, receive, guarded)


def _refusal(method: str, headers: Headers, names: Sequence[str], public_origin: str) -> str:
    """Return why a request is refused, or nothing; a foreign name that points here is not ours (DNS rebinding)."""
    host = headers.get("host", "")
    is_public = bool(public_origin) and host == public_origin.partition("://")[2]
    if _PORT.sub("", host).lower() not in names and not is_public:
        return f"pages are served as {' or '.join(names)} only"
    if method not in ("GET", "HEAD") and not _is_own_page(headers, public_origin):
        return "changes are taken from this lab's own pages only"
    return ""


def _is_own_page(headers: Headers, public_origin: str) -> bool:
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin == public_origin or origin.partition("://")[2] == headers.get("host")


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
