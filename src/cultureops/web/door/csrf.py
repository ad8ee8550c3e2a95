"""The token that every form carries: only a page that was shown to this browser knows it.

It is derived from the secret of the browser's cookie, so that it ends with the session and nothing is kept of it. It
comes on top of the check of origins in ``guard``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

from fastapi import HTTPException, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException as FormError

from cultureops.web.door.visitor import visitor_of

__all__ = ["FIELD", "HEADER", "check_form", "token_of"]

FIELD: Final = "csrf"
HEADER: Final = "x-csrf"
"""Where scripts put it, which send no form."""
_PURPOSE: Final = b"cultureops form"
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
ONE_TIME: Final = re.compile(r"/alarms/link/[^/]*")
"""Whoever posts to a one-time link knows a secret already, and may have no cookie."""


def token_of(secret: str) -> str:
    """Return the token [hex] of the forms that a browser with this cookie is shown."""
    return hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).hexdigest()


async def check_form(request: Request) -> None:
    """Refuse a change without the token of this very browser; stands before every route of the application."""
    visitor = visitor_of(request)
    if request.method in _SAFE or visitor.is_program or ONE_TIME.fullmatch(request.scope["path"]):
        return
    given = request.headers.get(HEADER) or await _of_form(request)
    if not visitor.secret or not hmac.compare_digest(given.encode(), token_of(visitor.secret).encode()):
        raise HTTPException(403, "this form is not from a page of yours, or is older than your log-in; open it again")


async def _of_form(request: Request) -> str:
    try:
        form: FormData = await request.form()
    except FormError:
        return ""
    given = form.get(FIELD)
    return given if isinstance(given, str) else ""
