"""Questions over HTTP/1.1: one GET, one answer, one deadline.

A connection is kept when the device allows it and opened for each question when it does not, as the small servers
inside instruments that end an answer by hanging up. No redirect is followed, nothing compressed is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, cast

import h11

from cultureops.device.transport.deadline import Deadline, reply_within
from cultureops.errors import DeviceFault, DriverError, DriverTimeout, NotConnected, ProtocolError

__all__ = ["PagesLink", "http_link"]

_OK: Final = 200
_SERVER_ERROR: Final = 500
_MOST_PIECES: Final = 1_000
"""Heads, chunks and segments that an answer may have; each takes some 20 us, however little it says [OWN]."""


class _Connection(asyncio.Protocol):
    """One connection, from made to lost."""

    def __init__(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        self.name = name
        self.is_usable = False
        self.ready: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.Transport
        self._machine = h11.Connection(h11.CLIENT)
        self._answer: asyncio.Future[bytes] | None = None
        self._body = bytearray()
        self._received = 0
        self._pieces = 0
        self._limit = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has transports of its own kind
        if self.ready.done():  # whoever wanted this connection has gone
            self._transport.abort()
            return
        self.is_usable = True
        self.ready.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_usable = False
        self._fail(NotConnected(f"{self.name}: the connection broke ({exc or 'closed by the device'})"))
        if not self.closed.done():
            self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.abort()  # nobody asked: what comes next on this connection would be nobody's answer either
            return
        self._received += len(data)
        try:
            self._take(data)
        except DriverError as error:
            self._fail(error)
        except h11.RemoteProtocolError as error:
            self._fail(ProtocolError(f"{self.name}: no HTTP answer: {error}"))

    def eof_received(self) -> None:
        """Take the end of the connection for the end of the answer, where the answer has no other."""
        self.is_usable = False
        if self._answer is not None and not self._answer.done():
            with contextlib.suppress(h11.RemoteProtocolError, DriverError):  # cut short: the loss is what is said
                self._take(b"")

    async def ask(self, head: h11.Request, limit: int, deadline_s: float) -> bytes:
        self._body.clear()
        self._received, self._pieces, self._limit = 0, 0, limit
        self._answer = asyncio.get_running_loop().create_future()
        try:
            for event in (head, h11.EndOfMessage()):
                self._transport.write(self._machine.send(event) or b"")
            return await reply_within(deadline_s, self._answer)
        finally:
            self._answer = None

    def late(self, deadline_s: float) -> DriverError:
        """Say what was there when the deadline passed."""
        if self._received:
            return ProtocolError(f"{self.name}: no whole answer within {deadline_s:g} s, only {self._received} bytes")
        return DriverTimeout(f"{self.name}: no answer within {deadline_s:g} s")

    def abort(self) -> None:
        if self.is_usable:
            self.is_usable = False
            self._transport.abort()

    def _take(self, data: bytes) -> None:
        self._machine.receive_data(data)
        while (event := self._machine.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            self._pieces += 1
            if self._pieces > _MOST_PIECES:
                raise ProtocolError(f"{self.name}: the answer comes in more than {_MOST_PIECES} pieces")
            match event:
                case h11.Response():
                    self._check(event)
                case h11.Data():
                    self._body += event.data
                    if len(self._body) > self._limit:
                        raise ProtocolError(f"{self.name}: the answer is longer than {self._limit} bytes")
                case h11.EndOfMessage():
                    self._finish()
                    return

    def _check(self, response: h11.Response) -> None:
        encoding = dict(response.headers).get(b"content-encoding", b"identity")
        if response.status_code >= _SERVER_ERROR:
            raise DeviceFault(f"{self.name}: answers with status {response.status_code}; see the device's own display")
        if response.status_code != _OK:
            raise ProtocolError(f"{self.name}: answers with status {response.status_code}; check address and port")
        if encoding.lower() != b"identity":
            raise ProtocolError(f"{self.name}: answers in an encoding nobody asked for: {encoding!r}")

    def _finish(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(bytes(self._body))
        states = self._machine.our_state, self._machine.their_state
        if states == (h11.DONE, h11.DONE) and self._machine.trailing_data == (b"", False):
            self._machine.start_next_cycle()
        else:
            self.abort()

    def _fail(self, error: DriverError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


class PagesLink(Deadline):
    """An HttpLink to ``host:port``; ``deadline_s`` bounds each question, connecting included (> 0)."""

    def __init__(self, host: str, port: int, deadline_s: float) -> None:
        super().__init__(deadline_s)
        self.name = f"http://{host}:{port}"
        self._host, self._port = host, port
        self._connection: _Connection | None = None
        self._was_opened = False

    @property
    def is_open(self) -> bool:
        """Whether a connection stands."""
        return self._connection is not None and self._connection.is_usable

    async def open(self) -> None:
        """Connect, or raise NotConnected; does nothing when connected."""
        await self._connected()
        self._was_opened = True

    async def close(self) -> None:
        """Hang up; never raises."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.deadline_s):
                await connection.closed

    async def get(self, path: str, query: str = "", *, limit: int = 65_536) -> bytes:
        """Return the body that the device answers with 200 (see HttpLink)."""
        if not self._was_opened:
            raise NotConnected(f"{self.name}: was not opened; connect first")
        began_s = asyncio.get_running_loop().time()
        connection = await self._connected()
        left_s = max(0.0, began_s + self.deadline_s - asyncio.get_running_loop().time())
        try:
            return await connection.ask(self._request(path, query), limit, left_s)
        except TimeoutError:
            connection.abort()
            raise connection.late(self.deadline_s) from None
        except (asyncio.CancelledError, DriverError):
            connection.abort()
            raise

    def _request(self, path: str, query: str) -> h11.Request:
        headers = [("Host", f"{self._host}:{self._port}"), ("Accept-Encoding", "identity")]
        return h11.Request(method="GET", target=f"{path}?{query}" if query else path, headers=headers)

    async def _connected(self) -> _Connection:
        if self._connection is not None and self._connection.is_usable:
            return self._connection
        await self.close()
        connection = _Connection(self.name)
        try:
            async with asyncio.timeout(self.deadline_s):
                await asyncio.get_running_loop().create_connection(lambda: connection, self._host, self._port)
                await connection.ready
        except TimeoutError:
            raise NotConnected(
                f"{self.name}: no connection within {self.deadline_s:g} s; check that the device is on"
            ) from None
        except OSError as error:
            raise NotConnected(f"{self.name}: can't be reached: {error}") from None
        self._connection = connection
        return connection


def http_link(host: str, port: int, deadline_s: float) -> PagesLink:
    """Return a closed link to ``host:port`` (port 1-65535)."""
    return PagesLink(host, port, deadline_s)
