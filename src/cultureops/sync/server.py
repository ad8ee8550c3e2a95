"""The hub's door: TLS by pinned certificates, one connection for each gateway, requests bounded in size and time."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

import h11
import structlog

from cultureops.errors import ConfigError, StorageError
from cultureops.sync.http import ORIGIN_HEADER, TooLarge, Wire, header
from cultureops.sync.settings import GatewaysSettings
from cultureops.sync.tls import server_context
from cultureops.sync.wire import MAX_BODY, Malformed, dumps

__all__ = ["Door", "Reply", "Serve"]

log = structlog.get_logger(__name__)

HANDSHAKE_S: Final = 5.0
IDLE_S: Final = 120.0
PACE_S: Final = 0.01
"""A request takes at least so long, so that nobody who asks without end keeps the hub from the others."""
_CLOSE_S: Final = 1.0
_REST_S: Final = 0.1
_BACKLOG: Final = 64
_MOST_AT_ONCE: Final = 256
_READ_AHEAD: Final = 2**18


class Reply(NamedTuple):
    """Status and body of an answer."""

    status: int
    body: bytes


Serve = Callable[[str, bytes], Awaitable[Reply]]
"""Answers a request's body of the gateway of a name; raises Malformed or StorageError."""


class Door:
    """Lets gateways in, knows each by its certificate, and hands their requests on by path."""

    def __init__(self, settings: GatewaysSettings, paths: Mapping[str, Serve]) -> None:
        self._settings = settings
        self._paths = paths
        self._names = {row.certificate_sha256: row.name for row in settings.rows}
        self._listener: socket.socket | None = None
        self._present: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port that is listened at, once open."""
        assert self._listener is not None
        port: int = self._listener.getsockname()[1]
        return port

    async def open(self) -> None:
        """Begin to listen; raises ConfigError."""
        settings = self._settings
        tls = server_context(settings.certificate, settings.key, [row.certificate for row in settings.rows])
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        try:
            self._listener = socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise ConfigError(f"[gateways]: can't listen at {where}: {error.strerror}; choose another port") from None
        self._listener.setblocking(False)
        self._start(self._accept(self._listener, tls))

    async def close(self) -> None:
        """Stop listening and end every connection; a second call does nothing."""
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        while tasks := tuple(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        listener.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _accept(self, listener: socket.socket, tls: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listener)
            except OSError as error:
                log.warning("a gateway can't be let in", error=str(error))
                await asyncio.sleep(_REST_S)
                continue
            if len(self._tasks) > _MOST_AT_ONCE:
                accepted.close()
                continue
            task = self._start(self._admit(accepted, tls))
            task.add_done_callback(partial(_let_go, accepted))

    async def _admit(self, accepted: socket.socket, tls: ssl.SSLContext) -> None:
        """Have whoever knocks prove itself; the handshake is done here so that the hub's log says why it failed."""
        loop = asyncio.get_running_loop()
        peer = accepted.getpeername()[0]
        reader = asyncio.StreamReader(limit=_READ_AHEAD)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, accepted, ssl=tls, ssl_handshake_timeout=HANDSHAKE_S, ssl_shutdown_timeout=_CLOSE_S
            )
        except OSError as error:
            accepted.close()
            said = " ".join(str(error).split()) or type(error).__name__
            log.warning("somebody was not let in as a gateway", peer=peer, error=said)
            return
        await self._serve(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = self._names.get(_fingerprint(writer))
        try:
            if name is not None:
                await self._take_over(name)
            await self._converse(name, Wire(reader, writer, MAX_BODY, serves=True))
        except (OSError, h11.ProtocolError) as error:
            log.info("a gateway's connection ended", gateway=name, error=str(error))
        except Exception:
            log.exception("a gateway's connection met what it was not made for", gateway=name)
        finally:
            task = asyncio.current_task()
            if name is not None and self._present.get(name) is task:
                del self._present[name]
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await writer.wait_closed()

    async def _take_over(self, name: str) -> None:
        """End the connection that this gateway had before: what it still says there is older than what it says here."""
        task = asyncio.current_task()
        assert task is not None
        before = self._present.get(name)
        self._present[name] = task
        if before is not None:
            before.cancel()
            await asyncio.wait([before])

    async def _converse(self, name: str | None, wire: Wire) -> None:
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    if not await wire.begins():
                        return
                async with asyncio.timeout(self._settings.timeout_s):
                    request = await wire.request()
            except TimeoutError:
                return await self._say(wire, Reply(408, _problem("the request took too long")), is_last=True)
            except TooLarge:
                too_long = f"a body is longer than {MAX_BODY} bytes"
                return await self._say(wire, Reply(413, _problem(too_long)), is_last=True)
            except h11.RemoteProtocolError as error:
                return await self._say(wire, Reply(400, _problem(f"no HTTP/1.1: {error}")), is_last=True)
            if request is None:
                return
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            reply = await self._reply(name, *request)
            await self._say(wire, reply, is_last=reply.status == 403)
            await asyncio.sleep(began_s + PACE_S - loop.time())
            if not wire.next_cycle():
                return

    async def _reply(self, name: str | None, request: h11.Request, body: bytes) -> Reply:
        if name is None:
            return Reply(403, _problem("this certificate is none of a gateway named here"))
        if header(request, ORIGIN_HEADER) != name:
            return Reply(403, _problem(f"this certificate is that of {name!r}; it can't speak for another"))
        serve = self._paths.get(request.target.decode("latin-1"))
        if serve is None:
            return Reply(404, _problem("no such address; gateway and hub are of different versions"))
        if request.method != b"POST":
            return Reply(405, _problem("only POST is known here"))
        try:
            return await serve(name, body)
        except Malformed as error:
            return Reply(400, _problem(str(error)))
        except StorageError as error:
            log.error("what a gateway sent can't be kept", gateway=name, error=str(error))
            return Reply(503, _problem(str(error)))
        except Exception:
            log.exception("a gateway's request met what it was not made for", gateway=name)
            return Reply(500, _problem("the hub met what it was not made for; its own log says what"))

    async def _say(self, wire: Wire, reply: Reply, *, is_last: bool) -> None:
        with suppress(TimeoutError, h11.LocalProtocolError):
            async with asyncio.timeout(self._settings.timeout_s):
                await wire.answer(reply.status, reply.body, is_last=is_last)


def _let_go(accepted: socket.socket, task: asyncio.Task[None]) -> None:
    """Close what a task was to serve that was cancelled before it began."""
    if task.cancelled():
        accepted.close()


def _problem(text: str) -> bytes:
    return dumps({"problem": text})


def _fingerprint(writer: asyncio.StreamWriter) -> str:
    tls = writer.get_extra_info("ssl_object")
    assert isinstance(tls, ssl.SSLObject)
    return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()
