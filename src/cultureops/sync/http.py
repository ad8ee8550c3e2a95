"""One HTTP/1.1 message after the other over a stream, each bounded in size; h11 knows the grammar.

A server of our own, for it must see the certificate of whoever connects and cut off who is slow: that is all it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import h11

__all__ = ["ORIGIN_HEADER", "TooLarge", "Wire", "header"]

ORIGIN_HEADER: Final = "cultureops-origin"
MAX_HEAD: Final = 16 * 1024
_CHUNK: Final = 64 * 1024


class TooLarge(Exception):
    """A body is longer than is taken."""


@dataclass(frozen=True, slots=True)
class _Message:
    head: h11.Request | h11.Response
    body: bytes


class Wire:
    """One end of one connection; whoever uses it sets the deadlines."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, max_body: int, *, serves: bool
    ) -> None:
        self._h11 = h11.Connection(h11.SERVER if serves else h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._reader = reader
        self._writer = writer
        self._max_body = max_body

    async def begins(self) -> bool:
        """Wait for the first byte of the next message; False when the other side has closed."""
        if self._h11.trailing_data[0]:
            return True
        data = await self._reader.read(_CHUNK)
        self._h11.receive_data(data)
        return bool(data)

    async def request(self) -> tuple[h11.Request, bytes] | None:
        """Return the next request, None when there is none; raises h11.RemoteProtocolError or TooLarge."""
        message = await self._message()
        if message is None:
            return None
        assert isinstance(message.head, h11.Request)
        return message.head, message.body

    async def response(self) -> tuple[int, bytes] | None:
        """Return status and body of the answer, None when the other side has closed; raises as ``request`` does."""
        message = await self._message()
        return None if message is None else (message.head.status_code, message.body)  # type: ignore[union-attr]

    async def ask(self, target: str, host: str, headers: Mapping[str, str], body: bytes) -> None:
        """Send a POST."""
        fields = [("host", host), ("content-length", str(len(body))), *headers.items()]
        await self._send(h11.Request(method="POST", target=target, headers=fields), body)

    async def answer(self, status: int, body: bytes, *, is_last: bool = False) -> None:
        """Send a response."""
        fields = [("content-type", "application/json"), ("content-length", str(len(body)))]
        if is_last:
            fields.append(("connection", "close"))
        await self._send(h11.Response(status_code=status, headers=fields), body)

    def next_cycle(self) -> bool:
        """Get ready for the next message; False when this connection can't carry one."""
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        self._h11.start_next_cycle()
        return True

    async def _send(self, head: h11.Request | h11.Response, body: bytes) -> None:
        parts = [self._h11.send(event) for event in (head, h11.Data(data=body), h11.EndOfMessage())]
        self._writer.write(b"".join(part for part in parts if part))
        await self._writer.drain()

    async def _message(self) -> _Message | None:
        head: h11.Request | h11.Response | None = None
        body = bytearray()
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                if self._h11.they_are_waiting_for_100_continue:
                    going_on = self._h11.send(h11.InformationalResponse(status_code=100, headers=[]))
                    self._writer.write(going_on or b"")
                data = await self._reader.read(_CHUNK)
                if not data and head is None:
                    return None
                self._h11.receive_data(data)
            elif isinstance(event, h11.Request | h11.Response):
                head = event
                if _length(head) > self._max_body:
                    raise TooLarge
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._max_body:
                    raise TooLarge
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                return _Message(head, bytes(body))
            elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                return None


def header(request: h11.Request, name: str) -> str:
    """Return a header's value; empty where it is absent, or stands twice."""
    found = [value for key, value in request.headers if key == name.encode()]
    return found[0].decode("latin-1") if len(found) == 1 else ""


def _length(head: h11.Request | h11.Response) -> int:
    text = next((value for key, value in head.headers if key == b"content-length"), b"0")
    return int(text)
