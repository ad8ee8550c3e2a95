"""What a broker may send us before we hang up: the library itself takes whatever length a packet says it has.

It reaches into paho's client for the one function that reads its socket (``_sock_recv``) and the ones that show what it
holds; ``test_mqtt_guard`` fails when a new version has them no more.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

import aiomqtt
from paho.mqtt.client import Client as PahoClient

__all__ = ["MOST_PACKET_BYTES", "MOST_WAITING", "MOST_WAITING_BYTES", "Guard", "Inbox", "Registrar", "let_go"]

MOST_PACKET_BYTES: Final = 1_048_576
MOST_WAITING: Final = 10_000
MOST_WAITING_BYTES: Final = 16 * 1_048_576
_MOST_UNFINISHED: Final = 100
"""Messages of quality of service 2, which nobody here asks for, that a broker may leave half told [OWN]."""
_MOST_ANSWER_BYTES: Final = 1_024
"""Of a packet that is no message: the answer to one subscription has 3, and the library takes 3 us for each [OWN]."""
_READ_AT_ONCE: Final = 65_536
_PUBLISH: Final = 0x30
_CLOSING_S: Final = 1.0


class Inbox(asyncio.Queue[aiomqtt.Message]):
    """Messages that nobody has taken yet; one that overruns is not kept, and says so."""

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self.is_overrun = False
        self._waiting_bytes = 0

    def put_nowait(self, item: aiomqtt.Message) -> None:
        """Keep a message while there is room."""
        if self.qsize() >= MOST_WAITING or self._waiting_bytes + _bytes(item) > MOST_WAITING_BYTES:
            self.is_overrun = True
            return
        super().put_nowait(item)

    def _put(self, item: aiomqtt.Message) -> None:
        self._waiting_bytes += _bytes(item)
        super()._put(item)

    def _get(self) -> aiomqtt.Message:
        item: aiomqtt.Message = super()._get()
        self._waiting_bytes -= _bytes(item)
        return item


class Guard:
    """Stands between a socket and the client that reads it.

    ``fault`` says why the connection broke, where that is known; ``on_end`` is called when it does.
    """

    def __init__(
        self, paho: PahoClient, inbox: Inbox | None = None, on_end: Callable[[], object] = lambda: None
    ) -> None:
        self.fault: str | None = None
        self._on_end = on_end
        self._inbox = inbox
        self._client = cast(Any, paho)
        self._receive: Callable[[int], bytes] = self._client._sock_recv
        self._client._sock_recv = self._bounded
        paho.suppress_exceptions = True  # what can't be understood is left aside; it must not break off half-way

    @classmethod
    def of(cls, client: aiomqtt.Client, on_end: Callable[[], object]) -> Guard:
        """Guard an asynchronous client, whose queue is an Inbox."""
        inbox = client._queue
        return cls(client._client, inbox if isinstance(inbox, Inbox) else None, on_end)

    def _bounded(self, wanted_bytes: int) -> bytes:
        is_message = self._client._in_packet["command"] & 0xF0 == _PUBLISH
        most_bytes = MOST_PACKET_BYTES if is_message else _MOST_ANSWER_BYTES
        if wanted_bytes > most_bytes:
            self._hang_up(f"the broker sent a packet of {wanted_bytes} bytes; at most {most_bytes} are taken")
        if self._inbox is not None and self._inbox.is_overrun:
            self._hang_up("the broker sends faster than it can be listened to; narrow what is published there")
        if len(self._client._in_messages) > _MOST_UNFINISHED:
            self._hang_up("the broker began messages of quality of service 2 and did not finish them")
        try:
            received = self._receive(min(wanted_bytes, _READ_AT_ONCE))
        except BlockingIOError:
            raise
        except OSError as error:  # such as an alert that our certificate is not wanted; the library keeps it back
            self._end(str(error) if isinstance(error, ssl.SSLError) else None)
            raise
        if not received:
            self._end(None)
        return received

    def _hang_up(self, fault: str) -> None:
        self._end(fault)
        raise ConnectionAbortedError(fault)

    def _end(self, fault: str | None) -> None:
        self.fault = self.fault or fault
        self._on_end()


class Registrar:
    """Tells the loop which socket to look at, in the order in which that is so.

    The library connects in a thread of its own and tells the loop of the socket by a later call: a broker that
    hangs up at once would leave the loop looking at a number that is another socket's by then.
    """

    def __init__(self, client: aiomqtt.Client) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._client = client
        client._client.on_socket_close = self._closes
        client._client.on_socket_register_write = self._wants_to_write

    def _closes(self, paho: PahoClient, userdata: Any, sock: Any) -> None:
        if threading.get_ident() == self._thread:
            self._client._on_socket_close(paho, userdata, sock)
            return
        forgotten = threading.Event()

        def forget() -> None:
            self._client._on_socket_close(paho, userdata, sock)
            forgotten.set()

        with suppress(RuntimeError):  # the loop has ended: nobody looks any more
            self._loop.call_soon_threadsafe(forget)
            forgotten.wait(_CLOSING_S)

    def _wants_to_write(self, paho: PahoClient, userdata: Any, sock: Any) -> None:
        if threading.get_ident() == self._thread:
            self._loop.add_writer(sock.fileno(), self._write)
        else:
            self._loop.call_soon_threadsafe(self._loop.add_writer, sock.fileno(), self._write)

    def _write(self) -> None:
        with suppress(OSError, ValueError):  # whoever reads is told of a broken connection
            self._client._client.loop_write()


def let_go(client: aiomqtt.Client) -> None:
    """Close a client's socket where the library has left it open, as after a packet that it fell over."""
    paho: Any = client._client
    paho.on_socket_open = paho.on_disconnect = None  # a connection that still comes, in its thread, is nobody's
    if paho.socket() is not None:
        paho._sock_close()
    if client._disconnected.done() and not client._disconnected.cancelled():
        client._disconnected.exception()  # it has been told already, or nobody is there to be told


def _bytes(message: aiomqtt.Message) -> int:
    payload = message.payload
    return len(payload) if isinstance(payload, bytes | bytearray) else 0
