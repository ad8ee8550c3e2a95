"""The gateway's connection to its hub: one request after the other, each with its deadline, none waits for a thread."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress
from typing import Final

import h11

from cultureops.clock import iso
from cultureops.errors import StorageError
from cultureops.sync.certificate import read_certificate
from cultureops.sync.http import ORIGIN_HEADER, TooLarge, Wire
from cultureops.sync.settings import HubSettings
from cultureops.sync.tls import client_context
from cultureops.sync.wire import MAX_BODY, Malformed, loads

__all__ = ["Link", "LinkFailed"]

_CLOSE_S: Final = 1.0


class LinkFailed(StorageError):
    """The hub did not answer, or not as it should; the next try may do better."""


class _Lost(Exception):
    """The connection broke, or was never made."""


class Link:
    """Asks the hub, and connects anew when the connection is gone; raises ConfigError for unusable files."""

    def __init__(self, settings: HubSettings) -> None:
        self._settings = settings
        self._wire: Wire | None = None
        self._writer: asyncio.StreamWriter | None = None
        client_context(settings.certificate, settings.key, settings.ca_file)

    async def ask(self, target: str, body: bytes) -> tuple[int, bytes]:
        """Return status (200 or 409) and body of the hub's answer; raises LinkFailed, and has closed the link then.

        On a connection that was lost while nobody used it, the hub is asked again at once: each request says where it
        goes on from, so the hub takes none twice.
        """
        was_open = self._wire is not None
        try:
            answer = await self._try(target, body)
        except _Lost as error:
            if not was_open:
                raise LinkFailed(str(error)) from None
            try:
                answer = await self._try(target, body)
            except _Lost as again:
                raise LinkFailed(str(again)) from None
        status, answered = answer
        if status not in (200, 409):
            await self.close()
            raise LinkFailed(f"{self._settings.url}: the hub refuses ({status}): {_problem(answered)}")
        return answer

    async def _try(self, target: str, body: bytes) -> tuple[int, bytes]:
        url, timeout_s = self._settings.url, self._settings.timeout_s
        is_connected = False
        try:
            wire = await self._connected()
            is_connected = True
            async with asyncio.timeout(timeout_s):
                await wire.ask(target, self._settings.host, {ORIGIN_HEADER: self._settings.gateway}, body)
                answer = await wire.response()
            if answer is None:
                raise ConnectionResetError("closed by the hub")
            if not wire.next_cycle():
                await self.close()
        except BaseException as error:
            await self.close()
            if isinstance(error, TimeoutError):
                raise LinkFailed(f"{url}: no answer within {timeout_s:g} s") from None
            if isinstance(error, OSError | h11.RemoteProtocolError | TooLarge):
                raise _Lost(f"{url}: {_said(error)}{self._doubt(is_connected=is_connected)}") from None
            raise
        return answer

    def _doubt(self, *, is_connected: bool) -> str:
        """Say what a hub may have against this gateway that closes the connection instead of answering.

        A server that refuses a certificate has no other way to say so: in TLS 1.3 the client has done its part then.
        """
        if not is_connected:
            return ""
        found = read_certificate(self._settings.certificate)
        if time.time() * 1000 >= found.ends:
            return f"; this gateway's certificate ended at {iso(found.ends)}: make a new one and name it at the hub"
        return f"; does the hub know this gateway's certificate? Its SHA-256 is {found.sha256}"

    async def close(self) -> None:
        """Let go of the connection; a second call does nothing."""
        writer, self._writer, self._wire = self._writer, None, None
        if writer is not None:
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await writer.wait_closed()

    async def _connected(self) -> Wire:
        if self._wire is None:
            settings = self._settings
            # Read anew each time: a certificate that was replaced takes effect with the next connection.
            tls = await asyncio.to_thread(client_context, settings.certificate, settings.key, settings.ca_file)
            async with asyncio.timeout(settings.timeout_s):
                reader, self._writer = await asyncio.open_connection(
                    settings.host, settings.port, ssl=tls, ssl_shutdown_timeout=_CLOSE_S
                )
            self._wire = Wire(reader, self._writer, MAX_BODY, serves=False)
        return self._wire


def _said(error: Exception) -> str:
    """Say in one line what went wrong on the way to the hub."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the hub's certificate is not believed: {error.verify_message}; see ca_file"
    return " ".join((str(error) or type(error).__name__).split())[:200]


def _problem(body: bytes) -> str:
    try:
        return loads(body, "answer").prose("problem")
    except Malformed:
        return "without a word that is understood here"
