"""The two kinds of link a driver can hold: a stream of bytes, or registers.

Deadlines are real seconds and are kept here. A link that missed one, or was cancelled while it waited, drops its line
and opens it anew only after a silence, so that an old answer is never taken for a new one. One link may serve several
devices on a shared line (the bus above holds its lock): ``open`` must have been called once, after which a line that
broke, or that a neighbour closed, is opened again by the next request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

__all__ = ["ByteLink", "RegisterLink"]


@runtime_checkable
class ByteLink(Protocol):
    """A request-and-reply line of bytes: serial, TCP, or a replayed capture."""

    @property
    def is_open(self) -> bool:
        """Whether bytes can be sent at once."""
        ...

    async def open(self) -> None:
        """Open the line, or raise NotConnected; does nothing when open."""
        ...

    async def close(self) -> None:
        """Close the line; never raises."""
        ...

    async def exchange(self, request: bytes, terminator: bytes, *, limit: int = 4096) -> bytes:
        """Drop whatever lies unread, send the request and return the reply up to and including the terminator.

        Raises NotConnected when the line was never opened, breaks or can't be opened again, DriverTimeout after the
        link's deadline, and ProtocolError when ``limit`` bytes came without a terminator.
        """
        ...

    async def send(self, request: bytes) -> None:
        """Send a request that has no reply."""
        ...


@runtime_checkable
class RegisterLink(Protocol):
    """A Modbus line of any framing."""

    @property
    def check_bits(self) -> int:
        """How many check bits guard each answer: 16 for RTU and TCP, 8 for ASCII."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent at once."""
        ...

    async def open(self) -> None:
        """Open the line, or raise NotConnected; does nothing when open."""
        ...

    async def close(self) -> None:
        """Close the line; never raises."""
        ...

    async def read_registers(self, unit_id: int, function: int, address: int, count: int) -> Sequence[int]:
        """Read ``count`` 16-bit registers with function 3 or 4, or bits with 1 or 2, from ``address`` (0-based).

        Raises NotConnected, DriverTimeout, ProtocolError for a reply that does not fit the request, and DeviceFault
        for a Modbus exception.
        """
        ...
