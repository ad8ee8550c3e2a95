"""How much a request may say and how long it may take: nobody fills the memory of the process that watches chambers."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cultureops.web.door.guard import problem

__all__ = ["LONGEST_BODY", "LONGEST_OF_STRANGERS", "Intake"]

LONGEST_BODY: Final = 1_000_000
LONGEST_OF_STRANGERS: Final = 64_000
"""Bytes; a log-in with the answer of a security key needs less."""
DEADLINE_S: Final = 20.0
LONGEST_OF_IMAGES: Final = 34 * 2**20
"""A camera's picture and the form around it; ``Micrographs.most_bytes`` says how large the picture may be."""
UPLOAD_DEADLINE_S: Final = 60.0
MOST_UPLOADS: Final = 3
PIECE: Final = 256 * 1024
_IMAGES: Final = re.compile(r"/batches/[^/]+/images")
_BODILESS: Final = ("GET", "HEAD", "OPTIONS")


class _TooMuchError(Exception):
    """The body is longer than it may be."""


class Intake:
    """Takes the whole body of a request before anybody works on it; stands behind the door, which knows who asks."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._uploads = asyncio.Semaphore(MOST_UPLOADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] in _BODILESS:
            await self._app(scope, receive, send)
            return
        visitor = scope["state"]["visitor"]
        if visitor.identity is not None and not visitor.is_display and _IMAGES.fullmatch(scope["path"]):
            if self._uploads.locked():
                await problem(503, "other images are being taken in; send this one again in a moment")(
                    scope, receive, send
                )
                return
            async with self._uploads:
                await self._take(scope, receive, send, LONGEST_OF_IMAGES, UPLOAD_DEADLINE_S)
            return
        most = LONGEST_OF_STRANGERS if visitor.identity is None else LONGEST_BODY
        await self._take(scope, receive, send, most, DEADLINE_S)

    async def _take(self, scope: Scope, receive: Receive, send: Send, most: int, deadline_s: float) -> None:
        try:
            async with asyncio.timeout(deadline_s):
                body = await _whole(receive, most)
        except TimeoutError:
            await problem(408, f"the form did not arrive within {deadline_s:.0f} s; send it again")(
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
    """Return what gives the body once, a piece at a time so that nobody parses it in one go, then what comes after."""
    starts = iter(range(0, max(len(body), 1), PIECE))

    async def replayed() -> Message:
        if (start := next(starts, None)) is None:
            return await receive()
        await asyncio.sleep(0)
        piece = body[start : start + PIECE]
        return {"type": "http.request", "body": piece, "more_body": start + PIECE < len(body)}

    return replayed
