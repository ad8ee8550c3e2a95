"""Coming in and going out: log-in, log-out, one-time links that set a password, displays on walls."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from cultureops.errors import AccessError
from cultureops.web.door.recognition import DISPLAY_COOKIE, clear_cookie, own_path, set_cookie, stranger
from cultureops.web.door.visitor import visitor_of
from cultureops.web.form.fields import Code, Secret, Where, Word
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/log-in")
async def log_in_page(request: Request, next: Annotated[str, Query(max_length=4_000)] = "/") -> Response:
    """The form; whoever is signed in goes on to where they wanted to be."""
    if visitor_of(request).identity is not None and not visitor_of(request).is_display:
        return RedirectResponse(own_path(next), 303)
    return _to_stranger(request, "log_in.html", {"next": own_path(next), "said": ""})


@router.post("/log-in")
async def log_in(request: Request, username: Word, password: Secret, code: Code = "", next: Where = "/") -> Response:
    """Open a session with a new secret, whatever the browser held before."""
    context, visitor = context_of(request), visitor_of(request)
    try:
        secret, session = await context.access.sign_in(username.strip(), password, code.strip(), visitor.source)
    except AccessError as refused:
        return _to_stranger(request, "log_in.html", {"next": own_path(next), "said": str(refused)}, 401)
    if visitor.identity is not None and not visitor.is_display:
        await context.access.sign_out(visitor.secret)
    answer = RedirectResponse("/account" if session.asks_for else own_path(next), 303)
    set_cookie(answer, secret, over_tls=context.settings.tls is not None)
    return answer


@router.post("/log-in/key")
async def key_options(request: Request, username: Word = "") -> Response:
    """What a browser needs to answer with a security key; the same for a name that nobody has."""
    identity = visitor_of(request).identity
    asked = username.strip() if identity is None else identity.username
    return Response(await context_of(request).access.security_key_options(asked), media_type="application/json")


@router.post("/log-out")
async def log_out(request: Request) -> Response:
    """End the session, on the server first."""
    context, visitor = context_of(request), visitor_of(request)
    await context.access.sign_out(visitor.secret)
    answer = RedirectResponse("/log-in", 303)
    clear_cookie(answer, over_tls=context.settings.tls is not None)
    return answer


@router.get("/session")
async def session(request: Request) -> Response:
    """How long the session goes on if nobody does anything [s]; asking does not make it longer."""
    return JSONResponse({"idle_left_s": visitor_of(request).idle_left_s})


@router.post("/session")
async def stay(request: Request) -> Response:
    """The same, told to somebody who does something: that keeps them signed in."""
    return JSONResponse({"idle_left_s": visitor_of(request).idle_left_s})


def _to_stranger(request: Request, template: str, values: dict[str, Any], status: int = 200) -> Response:
    """Show a form to a browser without a session; what its form is known by ends with the log-in."""
    visitor = visitor_of(request)
    secret = stranger(visitor)
    if secret != visitor.secret:
        request.state.visitor = visitor.but(secret=secret)
    answer = page(request, template, values, status)
    if secret != visitor.secret:
        set_cookie(answer, secret, over_tls=context_of(request).settings.tls is not None)
    return answer


@router.get("/set-up/{token}")
async def set_up_page(request: Request, token: str) -> Response:
    """The form of a one-time link; opening it uses nothing up, a mail scanner does that too."""
    return _set_up(request, token, "", {})


@router.post("/set-up/{token}")
async def set_up(
    request: Request, token: str, password: Secret, again: Secret, username: Word = "", printed_name: Word = ""
) -> Response:
    """Take the password that a person chooses for themselves."""
    context = context_of(request)
    filled = {"username": username, "printed_name": printed_name}
    if password != again:
        return _set_up(request, token, "the two passwords differ; type them again", filled)
    try:
        await context.access.accept(
            token, password, username=username.strip(), printed_name=printed_name, source=visitor_of(request).source
        )
    except AccessError as refused:
        return _set_up(request, token, str(refused), filled)
    return RedirectResponse("/log-in", 303)


def _set_up(request: Request, token: str, said: str, filled: dict[str, str]) -> Response:
    access = context_of(request).access
    rules = f"at least {access.policy.password_min_length} characters; a sentence is easy to remember"
    values = {"token": token, "is_first": not access.is_set_up, "rules": rules, "said": said, "filled": filled}
    return _to_stranger(request, "set_up.html", values, 400 if said else 200)


@router.get("/display/{token}")
async def display(request: Request, token: str) -> Response:
    """Make this browser a display: the board and the chambers, for as long as its read-only token is good."""
    context = context_of(request)
    try:
        identity = context.access.identify(token, visitor_of(request).source)
    except AccessError as refused:
        raise HTTPException(403, str(refused)) from None
    if identity.scopes != frozenset({"read"}):
        raise HTTPException(403, "a display takes a token that may read and nothing else; issue one")
    answer = RedirectResponse("/", 303)
    set_cookie(answer, token, over_tls=context.settings.tls is not None, name=DISPLAY_COOKIE)
    return answer
