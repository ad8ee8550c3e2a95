"""Lines on which the instrument begins: it calls our port, or speaks unasked on a line that we hold open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias, cast

import serial_asyncio_fast

from cultureops.device.transport.base import Peer, PeerHandler
from cultureops.device.transport.serial import SerialSettings, opened_port
from cultureops.errors import NotConnected

__all__ = ["CalledLink", "HeldLink", "dial_link", "listen_link", "listen_serial_link"]

OnPeer: TypeAlias = Callable[[Peer], PeerHandler]
Hold: TypeAlias = Callable[[asyncio.Protocol], Awaitable[object]]

MOST_PEERS: Final = 4
"""Connections at one time; an instrument that calls again before its old connection is gone is let in."""


class _Door(Protocol):
    """Where connections register."""

    def enter(self, peer: _Peer) -> PeerHandler | None:
        """Return who hears this connection, None when it must not be."""
        ...

    def leave(self, peer: _Peer) -> None:
        """Forget a connection."""
        ...


class _Peer(asyncio.Protocol):
    """One connection, from made to lost."""

    def __init__(self, name: str, door: _Door, *, can_hang_up: bool) -> None:
        self.name = name
        self.is_open = False
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._door = door
        self._can_hang_up = can_hang_up
        self._transport: asyncio.Transport
        self._handler: PeerHandler | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has transports of its own kind
        where = transport.get_extra_info("peername")
        if where is not None:
            self.name = f"{self.name} from {where[0]}:{where[1]}"
        self.is_open = True
        self._handler = self._door.enter(self)
        if self._handler is None:
            self.abort()

    def data_received(self, data: bytes) -> None:
        if self._handler is not None and self.is_open:
            self._handler.receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._door.leave(self)
        if self._handler is not None:
            self._handler.lost()
        if not self.gone.done():
            self.gone.set_result(None)

    def send(self, data: bytes) -> None:
        """Send bytes as soon as the line takes them; does nothing once it is lost."""
        if self.is_open:
            self._transport.write(data)

    def close(self) -> None:
        """Hang up a connection; a serial line, which can't be, stays as it is."""
        if self._can_hang_up:
            self.abort()

    def abort(self) -> None:
        """Let go of the line, whatever it is."""
        if self.is_open:
            self.is_open = False
            self._transport.abort()


class CalledLink:
    """A PeerLink behind a port of ours that instruments call."""

    def __init__(self, host: str, port: int) -> None:
        self.name = f"listen+tcp://{host}:{port}"
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._on_peer: OnPeer | None = None
        self._peers: set[_Peer] = set()

    @property
    def is_listening(self) -> bool:
        """Whether an instrument that calls now is heard."""
        return self._server is not None and self._server.is_serving()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are really listened on; raises NotConnected before ``listen``."""
        if self._server is None or not self._server.sockets:
            raise NotConnected(f"{self.name}: nobody listens yet")
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def listen(self, on_peer: OnPeer) -> None:
        """Begin to listen, or raise NotConnected; does nothing while listening."""
        self._on_peer = on_peer
        if self.is_listening:
            return
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Peer(self.name, self, can_hang_up=True), self._host, self._port
            )
        except OSError as error:
            raise NotConnected(f"{self.name}: can't be listened on: {error.strerror or error}") from None

    async def close(self) -> None:
        """Hang up and stop listening; never raises."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        await _all_gone(self._peers)

    def enter(self, peer: _Peer) -> PeerHandler | None:
        """Let a caller in while there is room."""
        if self._on_peer is None or self._server is None or len(self._peers) >= MOST_PEERS:
            return None
        self._peers.add(peer)
        return self._on_peer(peer)

    def leave(self, peer: _Peer) -> None:
        """Forget a caller."""
        self._peers.discard(peer)


class HeldLink:
    """A PeerLink over one line that we open and hold; when it breaks, the next ``listen`` opens it again."""

    def __init__(self, name: str, hold: Hold, deadline_s: float, *, can_hang_up: bool) -> None:
        self.name = name
        self._hold = hold
        self._deadline_s = deadline_s
        self._can_hang_up = can_hang_up
        self._on_peer: OnPeer | None = None
        self._peers: set[_Peer] = set()

    @property
    def is_listening(self) -> bool:
        """Whether the line is open."""
        return any(peer.is_open for peer in self._peers)

    async def listen(self, on_peer: OnPeer) -> None:
        """Open the line, or raise NotConnected; does nothing while it is open."""
        self._on_peer = on_peer
        if self.is_listening:
            return
        await _all_gone(self._peers)
        peer = _Peer(self.name, self, can_hang_up=self._can_hang_up)
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._hold(peer)
        except TimeoutError:
            raise NotConnected(
                f"{self.name}: no connection within {self._deadline_s:g} s; check that the device is on"
            ) from None
        except OSError as error:
            raise NotConnected(f"{self.name}: can't be opened: {error}") from None

    async def close(self) -> None:
        """Let go of the line; never raises."""
        self._on_peer = None
        await _all_gone(self._peers)

    def enter(self, peer: _Peer) -> PeerHandler | None:
        """Take the one connection there is."""
        if self._on_peer is None:
            return None
        self._peers.add(peer)
        return self._on_peer(peer)

    def leave(self, peer: _Peer) -> None:
        """Forget the connection."""
        self._peers.discard(peer)


async def _all_gone(peers: set[_Peer]) -> None:
    """Abort connections and wait until their lines are free again."""
    going = tuple(peers)
    for peer in going:
        peer.abort()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            for peer in going:
                await asyncio.shield(peer.gone)


def listen_link(host: str, port: int) -> CalledLink:
    """Return a link on ``host:port`` that instruments call; nothing is bound before ``listen``."""
    return CalledLink(host, port)


def dial_link(host: str, port: int, deadline_s: float) -> HeldLink:
    """Return a link that calls ``host:port`` and hears what the instrument says there."""

    async def hold(protocol: asyncio.Protocol) -> object:
        return await asyncio.get_running_loop().create_connection(lambda: protocol, host, port)

    return HeldLink(f"dial+tcp://{host}:{port}", hold, deadline_s, can_hang_up=True)


def listen_serial_link(device: str, settings: SerialSettings, deadline_s: float) -> HeldLink:
    """Return a link that hears what an instrument says on a serial port; while open nobody else may have the port."""

    async def hold(protocol: asyncio.Protocol) -> object:
        port = await opened_port(device, settings)
        return await serial_asyncio_fast.connection_for_serial(asyncio.get_running_loop(), lambda: protocol, port)

    return HeldLink(f"listen+serial://{device}", hold, deadline_s, can_hang_up=False)
