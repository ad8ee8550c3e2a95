"""The kinds of link a driver can hold: bytes, registers, pages over HTTP, topics of a broker, or whoever calls us.

Deadlines are real seconds and are kept here. A link that missed one, or was cancelled while it waited, drops its line
and opens it anew only after a silence, so that an old answer is never taken for a new one. One link may serve several
devices on a shared line (the bus above holds its lock): ``open`` must have been called once, after which a line that
broke, or that a neighbour closed, is opened again by the next request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = ["ByteLink", "HttpLink", "Peer", "PeerHandler", "PeerLink", "RegisterLink", "TopicLink", "TopicMessage"]


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

    async def exchange(self, request: bytes, terminator: bytes, *, limit: int = 4096, trailing: int = 0) -> bytes:
        """Drop whatever lies unread, send the request and return the reply up to and including the terminator.

        ``trailing`` bytes that follow the terminator, such as a check byte, belong to the reply too.
        Raises NotConnected when the line was never opened, breaks or can't be opened again, DriverTimeout after the
        link's deadline, and ProtocolError when ``limit`` bytes came without a terminator.
        """
        ...

    async def send(self, request: bytes) -> None:
        """Send a request that has no reply."""
        ...

    async def send_break(self, duration_s: float) -> None:
        """Hold a serial line in the break state for ``duration_s`` [s, > 0]; over TCP, which has none, do nothing.

        Raises NotConnected when the line was never opened, breaks or can't be opened again.
        """
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


@runtime_checkable
class HttpLink(Protocol):
    """A device that answers GET over HTTP; nothing is ever sent to it but that."""

    @property
    def is_open(self) -> bool:
        """Whether a connection stands."""
        ...

    async def open(self) -> None:
        """Connect, or raise NotConnected; does nothing when connected."""
        ...

    async def close(self) -> None:
        """Hang up; never raises."""
        ...

    async def get(self, path: str, query: str = "", *, limit: int = 65_536) -> bytes:
        """Return the body that the device answers with 200, connecting anew where it has hung up.

        ``path`` starts with a slash; ``query`` is what stands behind the question mark, encoded already. Raises
        NotConnected when there is no connection or it breaks, DriverTimeout when nothing came within the link's
        deadline (connecting included), ProtocolError for what is no answer, is longer than ``limit`` bytes, is not
        complete in time, or has a status other than 200, and DeviceFault for a status from 500 on.
        """
        ...


@dataclass(frozen=True, slots=True)
class TopicMessage:
    """The newest message of one topic.

    ``arrived_s`` is the event loop's time [s]; ``is_retained`` says that the broker had kept it for whoever comes, so
    that nobody knows how old it is.
    """

    payload: bytes
    arrived_s: float
    is_retained: bool


@runtime_checkable
class TopicLink(Protocol):
    """A subscription at an MQTT broker; devices of one broker share the connection, each with a filter of its own."""

    @property
    def is_open(self) -> bool:
        """Whether the broker is connected."""
        ...

    async def open(self, topic_filter: str) -> None:
        """Hear a filter's topics, connecting first where needed, or raise NotConnected; does nothing when heard."""
        ...

    async def close(self, topic_filter: str) -> None:
        """Forget a filter and what was heard of it; the last one ends the connection. Never raises."""
        ...

    def latest(self, topic: str) -> TopicMessage | None:
        """Return the newest message of a topic, None when it was not heard; raises NotConnected without a broker."""
        ...

    async def wait(self, topics: Collection[str]) -> None:
        """Wait until one of the topics was heard as it was sent, not as it was retained.

        Returns at once when it was already. Raises NotConnected when the connection breaks, and DriverTimeout after
        the link's deadline.
        """
        ...


class Peer(Protocol):
    """The other end of one connection."""

    @property
    def name(self) -> str:
        """Where it is, for messages."""
        ...

    def send(self, data: bytes) -> None:
        """Send bytes as soon as the line takes them; does nothing once it is lost."""
        ...

    def close(self) -> None:
        """Hang up; never raises."""
        ...


class PeerHandler(Protocol):
    """Whoever listens to one connection; both calls come on the event loop and must return at once."""

    def receive(self, data: bytes) -> None:
        """Take bytes as they come in, whole frames or not."""
        ...

    def lost(self) -> None:
        """Learn that the connection is gone; called once."""
        ...


@runtime_checkable
class PeerLink(Protocol):
    """A line on which the instrument begins: it calls us, or speaks unasked on a line that we hold open."""

    @property
    def name(self) -> str:
        """The line, for messages."""
        ...

    @property
    def is_listening(self) -> bool:
        """Whether an instrument that speaks now is heard."""
        ...

    async def listen(self, on_peer: Callable[[Peer], PeerHandler]) -> None:
        """Begin to listen, or raise NotConnected; does nothing while listening. Each connection gets its handler."""
        ...

    async def close(self) -> None:
        """Hang up and stop listening; never raises."""
        ...
