"""How much a request may say and how long it may take: nobody fills the memory of the process that watches chambers."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cultureops.web.guard import problem

__all__ = ["LONGEST_BODY", "LONGEST_OF_STRANGERS", "Intake"]

LONGEST_BODY: Final = 1_000_000
LONGEST_OF_STRANGERS: Final = 64_000
"""Bytes; a log-in with the answer of a security key needs less."""
DEADLINE_S: Final = 20.0
_BODILESS: Final = ("GET", "HEAD", "OPTIONS")


class _TooMuchError(Exception):
    """The body is longer than it may be."""


class Intake:
    """Takes the whole body of a request before anybody works on it; stands behind the door, which knows who asks."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] in _BODILESS:
            await self._app(scope, receive, send)
            return
        most = LONGEST_OF_STRANGERS if scope["state"]["visitor"].identity is None else LONGEST_BODY
        try:
            async with asyncio.timeout(DEADLINE_S):
                body = await _whole(receive, most)
        except TimeoutError:
            await problem(408, f"the form did not arrive within {DEADLINE_S:.0f} s; send it again")(
                scope, receive, send
            )
            return
        except _TooMuchError:
            await problem(413, f"expected at most {most:,} bytes; nothing was recorded")(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replayed(body, receive), send)


async def _whole(receive: Receive, most: int) -> bytes | None:
    """Return the body, None where whoever asked has gone; raises _TooMuchError."""
    parts, length, more = list[bytes](), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        parts.append(part)
        length, more = length + len(part), message.get("more_body", False)
        if length > most:
            raise _TooMuchError
    return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body once, then what comes after it."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return whole.pop() if whole else await receive()

    return replayed
