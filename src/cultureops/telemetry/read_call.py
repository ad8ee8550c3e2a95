"""One question at a time to a server over HTTP, its answer taken line by line.

Only GET is used, which these servers let change nothing. Whoever waits may give up: ``abort`` frees the thread that
reads. No line and no error is taken at any length, and no answer is waited for longer than it may take in all.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from time import monotonic
from typing import Final
from urllib.parse import urlencode, urlsplit

from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.telemetry.influx import Unavailable
from cultureops.telemetry.influxql_answer import QueryRefused
from cultureops.telemetry.read_settings import ReadSettings

__all__ = ["ReadCall"]

MOST_BYTES_A_LINE: Final = 64 * 2**20
_BYTES_A_READ: Final = 1 << 16
_MOST_WORDS_BYTES: Final = 2_000
_REFUSALS: Final = {
    400: "see what it says",
    401: "check token, user and password",
    403: "check what token or user may read",
    404: "check url and database; VictoriaMetrics needs language = \"victoriametrics\"",
    405: "check url",
    413: "ask for less",
    414: "a name is too long for it",
    422: "see what it says",
}  # fmt: skip
_BROKEN: Final = (http.client.HTTPException, OSError, ValueError)


class ReadCall:
    """A connection to one server, used by one thread at a time; raises ConfigError for a file of no certificates."""

    def __init__(self, settings: ReadSettings) -> None:
        self._settings = settings
        parts = urlsplit(settings.url)
        self._host, self._port, self._path = parts.hostname or "", parts.port, parts.path
        self._tls = _tls(settings.ca_file) if parts.scheme == "https" else None
        self._headers = {"Accept": "application/json", "Accept-Encoding": "identity"} | _authorisation(settings)
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._given_up = threading.Event()

    @property
    def server(self) -> str:
        """What errors call the server."""
        return self._settings.url

    def lines(self, path: str, query: Mapping[str, str]) -> Iterator[bytes]:
        """Ask, and yield the answer's lines without their ends.

        Raises Unavailable when there is no whole answer now, QueryRefused when there will be none, Unreadable for a
        line without an end.
        """
        until_s = monotonic() + self._settings.longest_s
        try:
            response = self._asked(f"{self._path}{path}?{urlencode(query)}")
            if response.status != http.client.OK:
                raise self._meant(response)
            yield from self._split(response, until_s)
            response.close()
        except StorageError:
            self.close()
            raise
        except _BROKEN as error:
            self.close()
            raise Unavailable(f"{self.server} gave no whole answer: {self._why(error)}", interrupted=True) from None
        except BaseException:
            self.close()
            raise

    def begin(self, given_up: threading.Event) -> None:
        """Ask from now on for somebody who sets ``given_up`` when they wait no more."""
        self._given_up = given_up

    def abort(self, given_up: threading.Event) -> None:
        """Give up, from another thread; the one who reads for this somebody gets Unavailable."""
        given_up.set()
        if self._given_up is given_up and (open_socket := self._socket) is not None:
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the connection; the next question makes a new one."""
        connection, self._connection, self._socket = self._connection, None, None
        if connection is not None:
            connection.close()

    def _asked(self, target: str) -> http.client.HTTPResponse:
        """Send the question; a connection that the server has closed since the last one is made anew."""
        self._check_wanted()
        if self._connection is not None:
            try:
                return self._sent(self._connection, target)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.close()
                self._check_wanted()
        connection = self._connection = self._connected()
        return self._sent(connection, target)

    def _sent(self, connection: http.client.HTTPConnection, target: str) -> http.client.HTTPResponse:
        connection.request("GET", target, headers=self._headers)
        return connection.getresponse()

    def _connected(self) -> http.client.HTTPConnection:
        timeout_s = self._settings.silence_s
        connection = (
            http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
            if self._tls is None
            else http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=self._tls)
        )
        connection.connect()
        self._socket = connection.sock
        return connection

    def _check_wanted(self) -> None:
        if self._given_up.is_set():
            raise ConnectionAbortedError

    def _split(self, response: http.client.HTTPResponse, until_s: float) -> Iterator[bytes]:
        begun: list[bytes] = []
        size = 0
        while piece := response.read1(_BYTES_A_READ):
            if monotonic() > until_s:
                raise TimeoutError(f"it takes longer than {self._settings.longest_s:g} s")
            *ended, rest = piece.split(b"\n")
            for line in ended:
                yield b"".join((*begun, line))
                begun, size = [], 0
            begun.append(rest)
            size += len(rest)
            if size > MOST_BYTES_A_LINE:
                raise Unreadable(f"{self.server} answers in lines of more than {MOST_BYTES_A_LINE:,} bytes")
        if response.length:
            raise ConnectionError(f"{response.length} bytes are missing")
        if last := b"".join(begun):
            yield last

    def _meant(self, response: http.client.HTTPResponse) -> StorageError:
        """Tell a question that is refused from a server that can't answer any."""
        words = " ".join(response.read(_MOST_WORDS_BYTES).decode(errors="replace").split())[:500]
        said = f"{self.server} answered {response.status} {words}".rstrip()
        if (advice := _REFUSALS.get(response.status)) is not None:
            return QueryRefused(f"{said}; {advice}")
        return Unavailable(said)

    def _why(self, error: Exception) -> str:
        if self._given_up.is_set():
            return "nobody waits for it any more"
        if isinstance(error, TimeoutError) and error.args == ("timed out",):
            return f"nothing came for {self._settings.silence_s:g} s"
        return " ".join(str(error).split())[:500] or type(error).__name__


def _tls(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(f"{ca_file}: holds no certificates (PEM): {error}") from None


def _authorisation(settings: ReadSettings) -> dict[str, str]:
    if settings.user:
        pair = f"{settings.user}:{settings.password or ''}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}
    return {"Authorization": f"Token {settings.token}"} if settings.token else {}
