"""A line in memory, for testing a driver's dialogue without any port."""

from __future__ import annotations

from collections.abc import Callable

from cultureops.errors import DriverTimeout, NotConnected, ProtocolError

__all__ = ["MemoryLink"]


class MemoryLink:
    """A ByteLink answered by a function: bytes asked in, bytes answered out; None is silence.

    ``sent`` keeps all that was sent, ``breaks_s`` how long each break was [s].
    """

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self.sent: list[bytes] = []
        self.breaks_s: list[float] = []
        self._answer = answer
        self._is_open = False

    @property
    def is_open(self) -> bool:
        """Whether bytes can be sent at once."""
        return self._is_open

    async def open(self) -> None:
        """Open the line."""
        self._is_open = True

    async def close(self) -> None:
        """Close the line."""
        self._is_open = False

    async def exchange(self, request: bytes, terminator: bytes, *, limit: int = 4096, trailing: int = 0) -> bytes:
        """Return the function's answer up to and including the terminator (see ByteLink)."""
        await self.send(request)
        answer = self._answer(request)
        if answer is None:
            raise DriverTimeout(f"memory: no answer to {request!r}")
        head, found, rest = answer.partition(terminator)
        reply = head + found + rest[:trailing]
        if not found or len(rest) < trailing or len(reply) > limit:
            raise ProtocolError(f"memory: no end mark {terminator!r} and {trailing} bytes within {limit} bytes")
        return reply

    async def send_break(self, duration_s: float) -> None:
        """Keep how long the break was; no time passes."""
        if not self._is_open:
            raise NotConnected("memory: the line is closed; connect first")
        self.breaks_s.append(duration_s)

    async def send(self, request: bytes) -> None:
        """Keep what was sent."""
        if not self._is_open:
            raise NotConnected("memory: the line is closed; connect first")
        self.sent.append(request)
