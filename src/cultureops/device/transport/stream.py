"""A line of bytes over any asyncio transport: one request, one reply, one deadline."""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, cast

from cultureops.device.transport.deadline import Deadline, reply_within
from cultureops.errors import DriverError, DriverTimeout, NotConnected, ProtocolError

__all__ = ["Connect", "StreamLink"]

Connect: TypeAlias = Callable[[asyncio.Protocol], Awaitable[object]]
"""Ties a protocol to a new connection; raises OSError when there is none."""

_STALE_PASSES: Final = 8
_MOST_UNASKED_BYTES: Final = 1_048_576
"""What an instrument may say between two questions before the line is hung up: 18 minutes at 9600 baud [OWN]."""


class _Line(asyncio.Protocol):
    """One connection, from made to lost."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_open = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport
        self._unread = select.poll()
        self._reply: asyncio.Future[bytes] | None = None
        self._buffer = bytearray()
        self._terminator = b""
        self._trailing = 0
        self._limit = 0
        self._unasked_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop has transports of its own kind
        self._transport = transport
        if self.ready.done():  # whoever wanted this connection has gone
            transport.abort()
            return
        port = transport.get_extra_info("socket") or transport.get_extra_info("serial")
        self._unread.register(port.fileno(), select.POLLIN)
        self.is_open = True
        self.ready.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(NotConnected(f"{self.name}: the line broke ({exc or 'closed by the device'})"))
        if not self.closed.done():
            self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        reply = self._reply
        if reply is None or reply.done():
            self._unasked_bytes += len(data)  # late, doubled or foreign
            if self._unasked_bytes > _MOST_UNASKED_BYTES:
                self.abort()
            return
        buffer, terminator = self._buffer, self._terminator
        searched = max(0, len(buffer) - len(terminator) - self._trailing + 1)
        buffer += data
        found = buffer.find(terminator, searched)
        end = found + len(terminator) + self._trailing
        if found >= 0 and end <= self._limit:
            if len(buffer) >= end:
                reply.set_result(bytes(buffer[:end]))
        elif len(buffer) >= self._limit:
            reply.set_exception(
                ProtocolError(f"{self.name}: {len(buffer)} bytes came without the end mark {terminator!r}")
            )

    async def ask(self, request: bytes, terminator: bytes, trailing: int, limit: int, deadline_s: float) -> bytes:
        await self._drop_stale()
        self._buffer.clear()
        self._unasked_bytes = 0
        self._terminator, self._trailing, self._limit = terminator, trailing, limit
        self._reply = asyncio.get_running_loop().create_future()
        try:
            self.write(request)
            return await reply_within(deadline_s, self._reply)
        finally:
            self._reply = None

    def late(self, deadline_s: float) -> DriverError:
        """Say what was there when the deadline passed."""
        if self._buffer:
            began = bytes(self._buffer[:40])
            return ProtocolError(
                f"{self.name}: no end mark {self._terminator!r} within {deadline_s:g} s, only {began!r}"
            )
        return DriverTimeout(f"{self.name}: no answer within {deadline_s:g} s")

    async def _drop_stale(self) -> None:
        """Let the loop hand over, to nobody, what the system already holds for this line."""
        for _ in range(_STALE_PASSES):
            if not self._unread.poll(0):
                return
            await asyncio.sleep(0)

    def write(self, request: bytes) -> None:
        if not self.is_open:
            raise NotConnected(f"{self.name}: the line is closed")
        self._transport.write(request)

    async def hold_break(self, duration_s: float) -> None:
        port = self._transport.get_extra_info("serial")
        if port is None:
            return
        try:
            port.break_condition = True
            try:
                await asyncio.sleep(duration_s)
            finally:
                if self.is_open:
                    port.break_condition = False
        except OSError as error:
            raise NotConnected(f"{self.name}: the line broke ({error})") from None

    def abort(self) -> None:
        if self.is_open:
            self.is_open = False
            self._transport.abort()


class StreamLink(Deadline):
    """A ByteLink over whatever ``connect`` connects to.

    ``deadline_s`` bounds the opening and each exchange (> 0). An answer that comes later than two deadlines after its
    request, on a serial line whose protocol numbers nothing, can't be told from the next one by anybody.
    """

    def __init__(self, name: str, connect: Connect, deadline_s: float) -> None:
        super().__init__(deadline_s)
        self.name = name
        self._connect = connect
        self._line: _Line | None = None
        self._going: asyncio.Future[None] | None = None
        self._was_opened = False
        self._silent_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether bytes can be sent at once."""
        return self._line is not None and self._line.is_open

    async def open(self) -> None:
        """Open the line, or raise NotConnected; does nothing when open."""
        await self._opened()
        self._was_opened = True

    async def close(self) -> None:
        """Close the line; never raises."""
        self._drop()
        await self._gone()

    async def exchange(self, request: bytes, terminator: bytes, *, limit: int = 4096, trailing: int = 0) -> bytes:
        """Send the request and return the reply up to and including the terminator (see ByteLink)."""
        line = await self._usable()
        try:
            return await line.ask(request, terminator, trailing, limit, self.deadline_s)
        except TimeoutError:
            self._distrust()
            raise line.late(self.deadline_s) from None
        except (asyncio.CancelledError, ProtocolError):
            self._distrust()
            raise

    async def send(self, request: bytes) -> None:
        """Send a request that has no reply."""
        (await self._usable()).write(request)

    async def send_break(self, duration_s: float) -> None:
        """Hold a serial line in the break state; over TCP do nothing (see ByteLink)."""
        await (await self._usable()).hold_break(duration_s)

    async def _usable(self) -> _Line:
        if not self._was_opened:
            raise NotConnected(f"{self.name}: the line was not opened; connect first")
        return await self._opened()

    async def _opened(self) -> _Line:
        if self._line is not None and self._line.is_open:
            return self._line
        self._drop()
        await self._gone()
        await asyncio.sleep(max(0.0, self._silent_until - asyncio.get_running_loop().time()))
        line = _Line(self.name)
        try:
            async with asyncio.timeout(self.deadline_s):
                await self._connect(line)
                await line.ready
        except TimeoutError:
            raise NotConnected(
                f"{self.name}: no connection within {self.deadline_s:g} s; check that the device is on"
            ) from None
        except OSError as error:
            raise NotConnected(f"{self.name}: can't be opened: {error}") from None
        self._line = line
        return line

    def _distrust(self) -> None:
        """Give up a line that still owes an answer: whatever comes within one more deadline is not heard."""
        self._silent_until = asyncio.get_running_loop().time() + self.longest_s
        self._drop()

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.abort()
            self._going = line.closed

    async def _gone(self) -> None:
        """Wait until the last connection has let go of its port, which may be exclusive."""
        going, self._going = self._going, None
        if going is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.deadline_s):
                    await going
