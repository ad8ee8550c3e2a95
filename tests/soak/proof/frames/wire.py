"""A Modbus link without a socket: what it is to hear comes back from the write itself."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient

from cultureops.device.transport.modbus import Frames, ModbusLink

__all__ = ["Wire", "link_on"]

FRAMERS = {Frames.TCP: FramerType.SOCKET, Frames.RTU: FramerType.RTU, Frames.ASCII: FramerType.ASCII}


class Wire:
    """An asyncio transport whose other end says ``answer(request)``, in one piece or in two."""

    def __init__(self, seed: int) -> None:
        self.answer: Callable[[bytes], bytes] = lambda _request: b""
        self.receiver: Any = None
        self._dice = Random(seed)

    def write(self, request: bytes) -> None:
        stream = self.answer(request)
        at = int(self._dice.random() * 2 * len(stream))
        for piece in (stream[:at], stream[at:]):
            if piece and self.receiver.transport is not None:
                self._say(piece)

    def _say(self, piece: bytes) -> None:
        try:
            self.receiver.data_received(piece)
        except Exception as error:  # asyncio gives up a connection whose protocol raises
            self.receiver.connection_lost(error)

    def close(self) -> None:
        """Leave nothing behind."""


class _Client(AsyncModbusTcpClient):
    """pymodbus's client, always connected to a wire."""

    wire: Wire
    transaction = 1

    async def connect(self) -> bool:
        self.ctx.is_closing = False
        self.ctx.connection_made(self.wire)
        self.next_is(self.transaction)
        return True

    def next_is(self, transaction: int) -> None:
        self.transaction, self.ctx.next_tid = transaction, transaction - 1


def link_on(wire: Wire, frames: Frames) -> tuple[ModbusLink, Callable[[int], None]]:
    """Return a closed link over the wire, and what sets the number of the next transaction."""
    client = _Client("127.0.0.1", framer=FRAMERS[frames], reconnect_delay=0, timeout=3600)
    client.wire, wire.receiver = wire, client.ctx

    def create(line: Any) -> _Client:
        client.ctx.trace_packet, client.ctx.trace_connect = line.on_packet, line.on_connection
        return client

    return ModbusLink("wire", create, 0.0, frames), client.next_is
