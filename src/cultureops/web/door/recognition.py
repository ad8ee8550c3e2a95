"""Who comes in: everything but the log-in itself and one-time links needs a session, a token or a display."""

from __future__ import annotations

import re
import secrets
from typing import Final
from urllib.parse import quote

from fastapi import Request
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cultureops.access.desk import AccessDesk
from cultureops.errors import AccessError
from cultureops.web.door.guard import problem
from cultureops.web.door.visitor import Visitor
from cultureops.web.templating import page

__all__ = ["DISPLAY_COOKIE", "SESSION_COOKIE", "Door", "clear_cookie", "own_path", "set_cookie", "stranger"]

SESSION_COOKIE: Final = "cultureops"
DISPLAY_COOKIE: Final = "cultureops-display"
STRANGER: Final = "stranger."
"""What the cookie of a browser begins with that has no session: its forms need a token too."""
OPEN: Final = re.compile(r"/healthz|/metrics|/log-in(/key)?|/set-up/[^/]*|/static/.*|/alarms/link/[^/]*|/display/[^/]*")
"""What is shown to strangers; ``/metrics`` asks for more itself."""
DISPLAYED: Final = re.compile(r"/|/board/[a-z]+|/stream|/assets/.*|/chambers/[^/]+|/api/chambers/[^/]+/(trend|marks)")
"""What a display on a wall shows."""
LONGEST_SECRET: Final = 500
DISPLAY_AGE_S: Final = 400 * 86_400
"""Longer than browsers keep a cookie; the token's own end comes first."""
_NEEDS: Final = (("/api/alarms", "alarms:act"), ("/api/", "records:write"))
"""The scope that a token needs for a change, by the beginning of its address."""


class Door:
    """Recognises who asks, and turns away who may not come in."""

    def __init__(self, app: ASGIApp, access: AccessDesk, *, over_tls: bool) -> None:
        self._app = app
        self._access = access
        self._over_tls = over_tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visitor = self._recognise(scope, Headers(scope=scope))
        scope.setdefault("state", {})["visitor"] = visitor
        refused = _refusal(Request(scope, receive), visitor)
        await (self._app if refused is None else refused)(scope, receive, send)

    def _recognise(self, scope: Scope, headers: Headers) -> Visitor:
        stranger = Visitor(scope["client"][0] if scope.get("client") else "unknown")
        authorization = headers.get("authorization", "")
        if authorization[:7].lower() == "bearer " and scope["path"].startswith("/api/"):
            return self._known(stranger.but(is_program=True), authorization[7:].strip(), is_deed=True)
        cookies = HTTPConnection(scope).cookies
        if secret := cookies.get(cookie_name(SESSION_COOKIE, over_tls=self._over_tls), ""):
            known = self._known(stranger.but(secret=secret), secret, is_deed=_is_deed(scope, headers))
            if known.identity is not None or not _is_displayed(scope):
                return known
        if token := cookies.get(cookie_name(DISPLAY_COOKIE, over_tls=self._over_tls), ""):
            shown = self._known(stranger.but(secret=secret, is_display=True), token, is_deed=True)
            if shown.identity is not None and shown.identity.scopes == frozenset({"read"}):
                return shown
        return stranger.but(secret=secret)

    def _known(self, visitor: Visitor, secret: str, *, is_deed: bool) -> Visitor:
        if secret.startswith(STRANGER) or len(secret) > LONGEST_SECRET:
            return visitor
        try:
            identity = self._access.identify(secret, visitor.source, is_deed=is_deed)
        except AccessError:
            return visitor
        if (identity.scopes is None) is (visitor.is_program or visitor.is_display):
            return visitor  # a session is no token, and a token no session
        idle_s = None if identity.session_id is None else self._access.idle_for_s(identity.session_id)
        left_s = None if idle_s is None else max(0.0, self._access.policy.idle_s - idle_s)
        return visitor.but(identity=identity, credential=secret, idle_left_s=left_s)


def _is_displayed(scope: Scope) -> bool:
    return scope["method"] in ("GET", "HEAD") and DISPLAYED.fullmatch(scope["path"]) is not None


def _is_deed(scope: Scope, headers: Headers) -> bool:
    """Whether a person does something; what a page fetches by itself keeps nobody signed in."""
    return scope["method"] not in ("GET", "HEAD") or headers.get("sec-fetch-dest", "document") == "document"


def _refusal(request: Request, visitor: Visitor) -> Response | None:
    """Return what a visitor is told who may not come in, None for one who may."""
    path, identity = request.scope["path"], visitor.identity
    if OPEN.fullmatch(path):
        return None
    if identity is None:
        return _unknown(request, path)
    if visitor.is_program and (needed := _scope_of(request)) not in (identity.scopes or ()):
        return problem(403, f"this token lacks the scope {needed}; ask for one that holds it")
    if visitor.is_display and not _is_displayed(request.scope):
        return _unknown(request, path)
    return None


def _scope_of(request: Request) -> str:
    if request.method in ("GET", "HEAD"):
        return "read"
    return next((scope for start, scope in _NEEDS if request.url.path.startswith(start)), "records:write")


def _unknown(request: Request, path: str) -> Response:
    if path.startswith("/api/") or path == "/stream":
        said = problem(401, "log in, or send a token: Authorization: Bearer ...")
        said.headers["www-authenticate"] = "Bearer"
        return said
    if request.method in ("GET", "HEAD"):
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/log-in?next={quote(asked, safe='')}", 303)
    lost = "you are not signed in any more, so nothing was recorded; log in and do it again"
    return page(request, "problem.html", {"detail": lost, "status": 401}, 401)


def own_path(path: str) -> str:
    """Return where to go on to after a log-in: a page of ours, the board for everything else."""
    is_own = path.startswith("/") and not path.startswith(("//", "/log-in", "/set-up", "/display"))
    return path if is_own and path.isprintable() and "\\" not in path and len(path) < 2_000 else "/"


def cookie_name(name: str, *, over_tls: bool) -> str:
    """Return a cookie's name; over TLS browsers take this one from this host alone (RFC 6265bis, section 4.1.3.2)."""
    return f"__Host-{name}" if over_tls else name


def set_cookie(answer: Response, secret: str, *, over_tls: bool, name: str = SESSION_COOKIE) -> None:
    """Give the browser its secret: for no script, no other site and, over TLS, for no line in the clear."""
    answer.set_cookie(
        cookie_name(name, over_tls=over_tls),
        secret,
        max_age=DISPLAY_AGE_S if name == DISPLAY_COOKIE else None,
        path="/",
        secure=over_tls,
        httponly=True,
        samesite="strict",
    )


def clear_cookie(answer: Response, *, over_tls: bool, name: str = SESSION_COOKIE) -> None:
    """Have the browser forget its secret."""
    answer.delete_cookie(
        cookie_name(name, over_tls=over_tls), path="/", secure=over_tls, httponly=True, samesite="strict"
    )


def stranger(visitor: Visitor) -> str:
    """Return the secret of a browser without a session, a new one where it has none yet."""
    return visitor.secret if visitor.secret.startswith(STRANGER) else STRANGER + secrets.token_urlsafe(32)
