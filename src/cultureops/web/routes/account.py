"""One's own account: password, second factors, sessions, tokens. Whatever lets somebody in asks for the password."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, HTTPException, Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from cultureops.access.desk import AccessDesk
from cultureops.clock import DAY_MS
from cultureops.errors import AccessError
from cultureops.web.door.visitor import person_of, proven, visitor_of
from cultureops.web.form.fields import Code, Secret, Word
from cultureops.web.templating import context_of, page

__all__ = ["router"]

router = APIRouter(prefix="/account", include_in_schema=False)

SCOPES: Final = (
    ("read", "look at everything"),
    ("alarms:act", "act on alarms in your name"),
    ("records:write", "enter records in your name"),
)
QR_SCALE: Final = 5


@router.get("")
async def account_page(request: Request) -> Response:
    """Who one is here, and where one is signed in."""
    return _account(request)


def _account(request: Request, **more: Any) -> Response:
    context, person = context_of(request), person_of(request)
    account = context.access.accounts.get(person.username)
    assert account is not None
    session = account.sessions.get(person.session_id or "")
    values = {
        "account": account,
        "asks_for": "" if session is None else session.asks_for,
        "sessions": sorted(account.sessions.values(), key=lambda one: -one.started_at),
        "tokens": sorted(account.tokens.values(), key=lambda one: -one.issued_at),
        "scopes": SCOPES,
        "rules": f"at least {context.access.policy.password_min_length} characters",
        "zone": context.zone,
        **more,
    }
    return page(request, "account.html", values)


@router.post("/password")
async def change_password(
    request: Request, password: Secret, new_password: Secret, again: Secret, code: Code = ""
) -> Response:
    """Change one's password; every session ends, so that whoever knew the old one is out."""
    access, person = context_of(request).access, person_of(request)
    if new_password != again:
        raise AccessError("the two new passwords differ; type them again")
    await access.change_password(person.username, password, code, new_password, visitor_of(request).source)
    return RedirectResponse("/log-in?next=/account", 303)


@router.post("/totp/new")
async def begin_totp(request: Request, password: Secret, code: Code = "") -> Response:
    """Show the secret that a phone is to take, once."""
    access, person = context_of(request).access, person_of(request)
    new = await access.begin_totp(person.username, password, code, visitor_of(request).source)
    return _totp(request, new.factor_id, new.secret, new.uri)


def _totp(request: Request, factor_id: str, secret: str, uri: str) -> Response:
    import segno

    drawn = segno.make(uri, error="m").svg_inline(scale=QR_SCALE, border=4, light="#fff", dark="#000", omitsize=False)
    values = {"factor_id": factor_id, "secret": secret, "qr": Markup(drawn)}  # drawn by us: squares and nothing else
    return page(request, "totp.html", values)


@router.post("/totp")
async def confirm_totp(request: Request, factor_id: Word, code: Word) -> Response:
    """Take the authenticator into use once it has shown a right code."""
    person_of(request)
    await context_of(request).access.confirm_totp(factor_id, code, "authenticator")
    return RedirectResponse("/account", 303)


@router.post("/keys/new")
async def begin_key(request: Request, password: Secret, code: Code = "") -> Response:
    """What a browser needs to make a key for this site."""
    access, person = context_of(request).access, person_of(request)
    options = await access.begin_security_key(person.username, password, code, visitor_of(request).source)
    return Response(options, media_type="application/json")


@router.post("/keys")
async def confirm_key(request: Request, answer: Code, title: Word) -> Response:
    """Take the security key into use."""
    await context_of(request).access.confirm_security_key(person_of(request).username, answer, title)
    return RedirectResponse("/account", 303)


@router.post("/factors/{factor_id}/remove")
async def remove_factor(request: Request, factor_id: str, password: Secret, code: Code = "") -> Response:
    """Let a second factor count no more; every session ends."""
    access, person = context_of(request).access, person_of(request)
    await access.remove_factor(person.username, password, code, factor_id, visitor_of(request).source)
    return RedirectResponse("/log-in?next=/account", 303)


@router.post("/sessions/{session_id}/end")
async def end_session(request: Request, session_id: str) -> Response:
    """End a session of one's own."""
    access, person = context_of(request).access, person_of(request)
    await access.end_session(person.username, session_id, person, "ended by its owner")
    return RedirectResponse("/account", 303)


@router.post("/tokens")
async def issue_token(
    request: Request,
    password: Secret,
    title: Word,
    days: Annotated[int, Form(ge=1, le=366)],
    scopes: Annotated[tuple[str, ...], Form()] = (),
    code: Code = "",
) -> Response:
    """Issue a token and show it, once."""
    context, person = context_of(request), await proven(request, password, code)
    expires_at = context.clock.now() + days * DAY_MS
    token = await context.access.issue_token(person, title, scopes, expires_at)
    return _account(request, said_once=token)


@router.post("/tokens/{token_id}/revoke")
async def revoke_token(request: Request, token_id: str) -> Response:
    """Let a token of one's own count no more."""
    access, person = context_of(request).access, person_of(request)
    if token_id not in _own_tokens(access, person.username):
        raise HTTPException(404, "you have no such token; the list of your tokens shows all")
    await access.revoke_token(token_id, person, "revoked by its owner")
    return RedirectResponse("/account", 303)


def _own_tokens(access: AccessDesk, username: str) -> frozenset[str]:
    account = access.accounts.get(username)
    return frozenset() if account is None else frozenset(account.tokens)
