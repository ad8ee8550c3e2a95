"""The web application, and the server that carries it."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cultureops import __version__
from cultureops.errors import CultureOpsError
from cultureops.web.context import WebContext
from cultureops.web.routes import alarms, api, assets, batch, board, chamber, pace
from cultureops.web.templating import page

__all__ = ["create_app", "serve"]

STATIC: Final = Path(__file__).parent / "static"
GRACE_S: Final = 1
OWN_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


def create_app(context: WebContext) -> FastAPI:
    """Build the application for one lab."""
    app = FastAPI(title="cultureops", version=__version__, docs_url=None, redoc_url=None)
    app.state.context = context
    for routes in (board, batch, chamber, alarms, pace, assets, api):
        app.include_router(routes.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_exception_handler(CultureOpsError, _refused)
    app.add_middleware(GZipMiddleware, minimum_size=2_000)
    app.add_middleware(_Guard)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    """Answer a mistake in words: problem+json under /api (RFC 9457), a page elsewhere."""
    status, detail = 409, str(error)
    if isinstance(error, HTTPException):
        status, detail = error.status_code, str(error.detail)
    elif isinstance(error, RequestValidationError):
        first = error.errors()[0]
        status, detail = 400, f"{'.'.join(str(part) for part in first['loc'][1:])}: {first['msg']}"
    if request.url.path.startswith("/api/"):
        problem = {"type": "about:blank", "status": status, "detail": detail}
        return JSONResponse(problem, status, media_type="application/problem+json")
    return page(request, "problem.html", {"detail": detail, "status": status}, status)


class _Guard:
    """Sets the security headers; refuses foreign names of this machine, and changes that another site asks for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        refusal = ""
        if _name_of(headers.get(b"host", b"")) not in OWN_NAMES:
            refusal = f"pages are served as {' or '.join(OWN_NAMES)} only"
        elif scope["method"] not in ("GET", "HEAD") and not _is_own_page(headers):
            refusal = "changes are taken from this lab's own pages only"
        if refusal:
            await JSONResponse({"detail": refusal}, 403)(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self._app(scope, receive, guarded)


def _name_of(host: bytes) -> str:
    """Return a Host header without its port; a foreign name that points here is not ours (DNS rebinding)."""
    return re.sub(r":[0-9]+$", "", host.decode("latin-1"))


def _is_own_page(headers: dict[bytes, bytes]) -> bool:
    if (site := headers.get(b"sec-fetch-site")) is not None and site not in (b"same-origin", b"none"):
        return False
    origin = headers.get(b"origin")
    return origin is None or origin.partition(b"://")[2] == headers.get(b"host")


async def serve(app: FastAPI, host: str, port: int, on_listening: Callable[[str], None]) -> None:
    """Serve until cancelled; port 0 takes a free one. Raises CultureOpsError in one line when the port is taken.

    ``on_listening`` is told the address of the pages.
    """
    listener = _listen(host, port)
    on_listening(f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/")
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=GRACE_S
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))  # serve() would take the signals that are ours to handle
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
    finally:
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = "is taken; choose another port" if error.errno == errno.EADDRINUSE else f"can't be used: {error}"
        raise CultureOpsError(f"{host}:{port} {reason}") from None
    listener.setblocking(False)
    return listener
