"""Small instruments on real ports, that can be spoiled: what a driver's tests talk to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

__all__ = ["Fault", "Instrument", "PtyInstrument", "TcpInstrument"]

_GARBAGE: Final = b"\x00\xfe\xed?!~garbage~\r\n"


class Fault(StrEnum):
    """How an instrument misbehaves."""

    NONE = "none"
    SILENT = "silent"
    GARBAGE = "garbage"
    LATE = "late"


class Instrument(ABC):
    """An instrument that answers requests by a function, on a port of its own.

    ``answer(request)`` returns the bytes of the reply; ``end`` is the end mark of a request, or its fixed length in
    bytes. A LATE answer is made at once and sent after ``delay_s``. ``asked`` is set at every request.
    """

    def __init__(self, answer: Callable[[bytes], bytes], end: bytes | int) -> None:
        self.answer = answer
        self.fault = Fault.NONE
        self.delay_s = 0.0
        self.requests: list[bytes] = []
        self.asked = asyncio.Event()
        self._end = end
        self._unread = b""

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it can be reached: ``host:port`` or the path of a serial device; the same after ``restore``."""

    @abstractmethod
    async def restore(self) -> None:
        """Plug it in, for the first time or again."""

    @abstractmethod
    async def cut(self) -> None:
        """Pull its cable."""

    @abstractmethod
    def say(self, data: bytes) -> None:
        """Write bytes to the line now, asked or not."""

    def receive(self, data: bytes, write: Callable[[bytes], object]) -> None:
        """Take bytes from the line and write what this instrument has to say."""
        self._unread += data
        while (request := self._next_request()) is not None:
            self.requests.append(request)
            self.asked.set()
            if self.fault is Fault.NONE:
                write(self.answer(request))
            elif self.fault is Fault.GARBAGE:
                write(_GARBAGE)
            elif self.fault is Fault.LATE:
                asyncio.get_running_loop().call_later(self.delay_s, write, self.answer(request))

    def _next_request(self) -> bytes | None:
        if isinstance(self._end, int):
            length = self._end if len(self._unread) >= self._end else 0
        else:
            length = self._unread.find(self._end) + len(self._end) if self._end in self._unread else 0
        request, self._unread = self._unread[:length], self._unread[length:]
        return request or None


class _Connection(asyncio.Protocol):
    def __init__(self, instrument: TcpInstrument) -> None:
        self._instrument = instrument

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._instrument.connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._instrument.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._instrument.receive(data, self._write)

    def _write(self, answer: bytes) -> None:
        self._transport.write(answer)
        if self._instrument.hangs_up:
            self._transport.close()


class TcpInstrument(Instrument):
    """An instrument on a TCP port of this machine; one that ``hangs_up`` does so after each answer, as some HTTP do."""

    def __init__(self, answer: Callable[[bytes], bytes], end: bytes | int, *, hangs_up: bool = False) -> None:
        super().__init__(answer, end)
        self.hangs_up = hangs_up
        self.connections: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self._port}"

    async def restore(self) -> None:
        """Listen, on the same port as before."""
        loop = asyncio.get_running_loop()
        self._unread = b""
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Stop listening and reset every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self.connections):
            connection.abort()
        await asyncio.sleep(0)

    def say(self, data: bytes) -> None:
        """Write bytes to every connection now."""
        for connection in self.connections:
            connection.write(data)


class PtyInstrument(Instrument):
    """An instrument on a pseudo-terminal that is reached through a link in ``folder``."""

    def __init__(self, answer: Callable[[bytes], bytes], end: bytes | int, folder: Path) -> None:
        super().__init__(answer, end)
        self._path = folder / "serial_port"
        self._ports: tuple[int, int] | None = None

    @property
    def address(self) -> str:
        """The path of the serial device."""
        return str(self._path)

    async def restore(self) -> None:
        """Open a new pseudo-terminal under the same path."""
        self._unread = b""
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._path.symlink_to(os.ttyname(theirs))
        self._ports = ours, theirs
        asyncio.get_running_loop().add_reader(ours, self._readable, ours)

    async def cut(self) -> None:
        """Hang up and take the path away."""
        if self._ports is None:
            return
        ours, theirs = self._ports
        self._ports = None
        asyncio.get_running_loop().remove_reader(ours)
        self._path.unlink()
        os.close(theirs)
        os.close(ours)

    def _readable(self, port: int) -> None:
        with contextlib.suppress(OSError):
            self.receive(os.read(port, 4096), self.say)

    def say(self, data: bytes) -> None:
        """Write bytes to the line now."""
        if self._ports is not None:
            os.write(self._ports[0], data)
