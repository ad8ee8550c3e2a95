"""The web application, and the server that carries it."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Mapping
from typing import Final

import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from cultureops import __version__
from cultureops.conduct import REFUSALS
from cultureops.errors import AccessError, BatchError, ConcurrencyError, CultureOpsError, StorageError
from cultureops.field import Unfit, printable
from cultureops.ledger.event import Actor, NewEvent, Source
from cultureops.tracing import is_traced
from cultureops.web.api import alarms as api_alarms
from cultureops.web.api import description, reading, steps
from cultureops.web.board.figures import Figures
from cultureops.web.context import WebContext
from cultureops.web.door.connection import Connection
from cultureops.web.door.csrf import check_form
from cultureops.web.door.guard import HEADERS, Guard, problem
from cultureops.web.door.intake import Intake
from cultureops.web.door.recognition import Door
from cultureops.web.door.traced import Traced
from cultureops.web.door.visitor import NotInThisRole, person_of
from cultureops.web.routes import (
    access_review,
    account,
    accounts,
    alarm_links,
    alarm_performance,
    alarms,
    assets,
    audit,
    batch,
    bench,
    board,
    calculate,
    chamber,
    deviations,
    devices,
    due,
    equipment,
    gateways,
    health,
    images,
    log_in,
    lots,
    metrics,
    new_batch,
    pace,
    papers,
    quality,
    raw_values,
    recipes,
    record,
    review,
    scan,
    signing,
    site,
    standing,
    step,
    upkeep,
)
from cultureops.web.settings import Tls
from cultureops.web.templating import page
from cultureops.web.versioned import VersionedFiles

__all__ = ["create_app", "serve"]

ROUTES: Final = (
    *(log_in, account, accounts, access_review),
    *(board, due, scan, chamber, raw_values, alarm_links, alarm_performance, alarms, pace),
    *(new_batch, batch, images, step, bench, signing, review, record, audit),
    *(quality, deviations, papers),
    *(calculate, standing, metrics),
    *(upkeep, equipment, lots, recipes, devices, site),
    *(assets, gateways, health),
    *(reading, steps, api_alarms, description),
)
GRACE_S: Final = 1
MOST_CONNECTIONS: Final = 256
COMPRESSION: Final = 4
LONGEST_PATH: Final = 200


def create_app(context: WebContext) -> FastAPI:
    """Build the application for one lab."""
    checked = [Depends(check_form)]
    app = FastAPI(title="cultureops", version=__version__, openapi_url=None, dependencies=checked)
    app.state.context = context
    app.state.figures = Figures(context)
    over_tls = context.settings.tls is not None
    for routes in ROUTES:
        app.include_router(routes.router)
    app.state.addresses = _addresses(context)
    app.mount("/static", VersionedFiles(), name="static")
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_exception_handler(CultureOpsError, _refused)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(GZipMiddleware, minimum_size=2_000, compresslevel=COMPRESSION)
    app.add_middleware(Intake)
    app.add_middleware(Door, access=context.access, over_tls=over_tls)
    if is_traced():
        app.add_middleware(Traced)
    app.add_middleware(Guard, public_url=context.public_url, names=context.settings.names, over_tls=over_tls)
    return app


def _addresses(context: WebContext) -> frozenset[str]:
    """Return the addresses there are, as the routes write them: what the menu may link to."""
    rows = (route for routes in ROUTES for route in routes.router.routes)
    there = frozenset(route.path for route in rows if isinstance(route, APIRoute))
    absent = {"/bench"} if context.bench is None else set()
    return there - absent - ({"/gateways"} if context.gateways is None else set())


async def _refused(request: Request, error: Exception) -> Response:
    """Answer a mistake in words."""
    if isinstance(error, HTTPException):
        lost = error.status_code == 404 and error.detail == "Not Found"
        said = "there is no such page here" if lost else str(error.detail)
        return _problem(request, error.status_code, said, error.headers or {})
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        return _problem(request, 400, f"{'.'.join(str(part) for part in first['loc'][1:])}: {first['msg']}")
    if isinstance(error, NotInThisRole):
        await _record(request, error)
    return _problem(request, _status_of(request, error), str(error))


def _status_of(request: Request, error: Exception) -> int:
    if isinstance(error, StorageError):
        return 503
    if request.url.path.startswith("/api/") and (isinstance(error, Unfit) or type(error) is BatchError):
        return 422  # a field holds what it can't, as against a state, a gate or somebody else's change
    if request.url.path.startswith("/api/") and isinstance(error, ConcurrencyError):
        return 412
    return 403 if isinstance(error, AccessError) else 409


async def _record(request: Request, refusal: NotInThisRole) -> None:
    """Record that somebody asked for what is not for their roles."""
    context, person = request.app.state.context, person_of(request)
    data = {
        "command": f"{request.method} {printable(request.url.path)[:LONGEST_PATH]}",
        "error": AccessError.__name__,
        "message": printable(str(refusal)),
    }
    actor = Actor(person.username, "+".join(sorted(person.roles)) or "none")
    event = NewEvent("command_refused", data, actor, Source.HUMAN, context.clock.now())
    await context.ledger.append(REFUSALS, [event], None)


async def _failed(request: Request, _error: Exception) -> Response:
    """Own up to a fault of ours; the server's log holds the rest. Nothing else adds headers to this answer."""
    answer = _problem(request, 500, "this page has a fault; the log of the server says where")
    answer.headers.update(HEADERS)
    return answer


def _problem(request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return problem+json under /api (RFC 9457), a page elsewhere."""
    if request.url.path.startswith("/api/"):
        answer: Response = problem(status, detail)
    else:
        answer = page(request, "problem.html", {"detail": detail, "status": status}, status)
    answer.headers.update(headers or {})
    return answer


async def serve(
    app: FastAPI, host: str, port: int, on_listening: Callable[[str], None], tls: Tls | None = None
) -> None:
    """Serve until cancelled; port 0 takes a free one. Raises CultureOpsError in one line when the port is taken.

    ``on_listening`` is told the address of the pages. With ``tls`` no word is said in the clear; raises ConfigError for
    a certificate or key that is none.
    """
    secured = None if tls is None else await asyncio.to_thread(tls.context)
    listener = _listen(host, port)
    scheme = "http" if tls is None else "https"
    on_listening(f"{scheme}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/")
    config = uvicorn.Config(
        app,
        http=Connection,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # who asks is who is connected: nobody names another source for their guesses
        ssl_context_factory=None if secured is None else lambda *_: secured,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))  # serve() would take the signals that are ours to handle
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        app.state.context.feed.end()
        server.should_exit = True
        await serving
        raise
    finally:
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; without it answers wait 40 ms for an acknowledgement
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        reason = "is taken; choose another port" if error.errno == errno.EADDRINUSE else f"can't be used: {error}"
        raise CultureOpsError(f"{host}:{port} {reason}") from None
    listener.setblocking(False)
    return listener
