"""Instruments that speak unasked, to an MQTT broker: MQTT 3.1.1 packets, and the wire that sends them.

Source: OASIS MQTT 3.1.1 (3.1 CONNECT, 3.2 CONNACK, 3.3 PUBLISH, 3.12 PINGREQ). Only what a publisher needs: clean
sessions with a last will, quality of service 0. A cut cable ends without DISCONNECT, so that the broker says the will.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Final

from cultureops_simulators.faults import Disturbance
from cultureops_simulators.instrument import PublishingJob, SimulatorError

__all__ = ["BrokerWire", "connect_packet", "publish_packet"]

KEEPALIVE_S: Final = 10
AGAIN_AFTER_S: Final = 0.2
CONNECT_WITHIN_S: Final = 2.0
_PINGREQ: Final = b"\xc0\x00"
_DISCONNECT: Final = b"\xe0\x00"
_CONNACK_ACCEPTED: Final = b"\x20\x02\x00\x00"
_CLEAN_WILL_RETAIN: Final = 0x02 | 0x04 | 0x20
_ABORT: Final = struct.pack("ii", 1, 0)


def _text(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def _packet(kind: int, body: bytes) -> bytes:
    """Put the remaining length before the body: seven bits a byte, lowest first (2.2.3)."""
    length, left = b"", len(body)
    while True:
        left, low = divmod(left, 128)
        length += bytes((low | (0x80 if left else 0),))
        if not left:
            return bytes((kind,)) + length + body


def connect_packet(client_id: str, will_topic: str, will: bytes) -> bytes:
    """Return CONNECT with a retained last will."""
    head = _text(b"MQTT") + bytes((4, _CLEAN_WILL_RETAIN)) + struct.pack(">H", KEEPALIVE_S)
    return _packet(0x10, head + _text(client_id.encode()) + _text(will_topic.encode()) + _text(will))


def publish_packet(topic: str, payload: bytes) -> bytes:
    """Return a retained PUBLISH of quality of service 0."""
    return _packet(0x31, _text(topic.encode()) + payload)


class _Connection:
    """One job's connection: dialled, kept alive, dialled again when the broker hangs up."""

    def __init__(self, address: tuple[str, int], job: PublishingJob) -> None:
        self.job = job
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._next: asyncio.TimerHandle | None = None

    @property
    def is_up(self) -> bool:
        """Whether the broker is connected."""
        return self._socket is not None

    def dial(self) -> None:
        """Connect, say who is there, and what was said last; raises OSError."""
        dialled = socket.create_connection(self._address, timeout=CONNECT_WITHIN_S)
        try:
            dialled.sendall(connect_packet(self.job.client_id, self.job.state_topic, b"lost"))
            if dialled.recv(len(_CONNACK_ACCEPTED)) != _CONNACK_ACCEPTED:
                raise ConnectionRefusedError("the broker does not accept this client")
            dialled.setblocking(False)
            dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            dialled.close()
            raise
        self._socket = dialled
        self._loop.add_reader(dialled.fileno(), self._on_readable)
        self._next = self._loop.call_later(KEEPALIVE_S / 2, self._ping)
        for word in (b"init", b"ready"):
            self.send(publish_packet(self.job.state_topic, word))

    def send(self, packet: bytes) -> None:
        """Send a packet; a broker that takes none any more has hung up."""
        if self._socket is None:
            return
        try:
            whole = self._socket.send(packet) == len(packet)
        except OSError:
            whole = False
        if not whole:
            self._lost()

    def hang_up(self, *, politely: bool) -> None:
        """End the connection, with DISCONNECT or as if the cable were cut."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._socket is None:
            return
        self._loop.remove_reader(self._socket.fileno())
        with contextlib.suppress(OSError):
            if politely:
                self._socket.send(publish_packet(self.job.state_topic, b"disconnected") + _DISCONNECT)
            else:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._socket.close()
        self._socket = None

    def _on_readable(self) -> None:
        try:
            heard = self._socket.recv(4096) if self._socket is not None else b""
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        if not heard:
            self._lost()

    def _ping(self) -> None:
        self.send(_PINGREQ)
        if self._socket is not None:
            self._next = self._loop.call_later(KEEPALIVE_S / 2, self._ping)

    def _lost(self) -> None:
        self.hang_up(politely=False)
        self._next = self._loop.call_later(AGAIN_AFTER_S, self._dial_again)

    def _dial_again(self) -> None:
        try:
            self.dial()
        except OSError:
            self._next = self._loop.call_later(AGAIN_AFTER_S, self._dial_again)


class BrokerWire:
    """All connections of one instrument to its broker, one for each of its jobs."""

    def __init__(
        self,
        host: str,
        port: int,
        jobs: tuple[PublishingJob, ...],
        listen: Callable[[Callable[[str, str, bytes], None]], None],
        disturbance: Disturbance,
    ) -> None:
        self.disturbance = disturbance
        self._address = (host, port)
        self._late: set[asyncio.TimerHandle] = set()
        self._connections = {job.name: _Connection(self._address, job) for job in jobs}
        self.mend()
        listen(self._publish)

    @property
    def address(self) -> dict[str, str]:
        """The broker."""
        host, port = self._address
        return {"mqtt": f"{host}:{port}"}

    def cut(self) -> None:
        """Hang up without a word: the broker says the last wills."""
        self._end(politely=False)

    def mend(self) -> None:
        """Connect what is not connected; raises SimulatorError when there is no broker."""
        for connection in self._connections.values():
            if connection.is_up:
                continue
            connection.hang_up(politely=True)
            try:
                connection.dial()
            except OSError as error:
                self._end(politely=True)
                host, port = self._address
                raise SimulatorError(f"no MQTT broker at {host}:{port}: {error.strerror or error}") from error

    def close(self) -> None:
        """Take leave of the broker."""
        self._end(politely=True)

    def _end(self, *, politely: bool) -> None:
        for handle in self._late:
            handle.cancel()
        self._late.clear()
        for connection in self._connections.values():
            connection.hang_up(politely=politely)

    def _publish(self, job: str, topic: str, payload: bytes) -> None:
        connection, fault = self._connections[job], self.disturbance.fault
        if fault == "silent":
            return
        packet = publish_packet(topic, self.disturbance.garble(payload) if fault == "garbage" else payload)
        if fault == "slow":
            self._send_later(connection, packet)
        else:
            connection.send(packet)

    def _send_later(self, connection: _Connection, packet: bytes) -> None:
        def send() -> None:
            self._late.discard(handle)
            connection.send(packet)

        handle = asyncio.get_running_loop().call_later(self.disturbance.delay_s, send)
        self._late.add(handle)
