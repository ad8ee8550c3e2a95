"""A way to a server that breaks off at a word: what comes after it, or the answer to it, never arrives."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

__all__ = ["Dropping"]


class Dropping:
    """Listens on ``port`` of the loopback and passes everything on to another, until it is told to break off."""

    def __init__(self, to_port: int) -> None:
        self._to = to_port
        self._word: bytes | None = None
        self._is_passed_on = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def drop_at(self, word: bytes, *, is_passed_on: bool) -> None:
        """Break off the next connection that says a word, once; the server hears it or does not."""
        self._word, self._is_passed_on = word, is_passed_on

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            self._end(one)
        for thread in self._threads:
            thread.join(10)

    def _run(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [client, server]
                self._run(self._pass_on, client, server)
                self._run(self._answer, server, client)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while said := client.recv(65_536):
                if self._word is not None and self._word in said:
                    self._word = None
                    self._end(client)
                    if self._is_passed_on:
                        server.sendall(said)
                        server.shutdown(socket.SHUT_WR)
                        return  # the server finishes what it was told
                    break
                server.sendall(said)
        self._end(server)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while said := server.recv(65_536):
                client.sendall(said)
        self._end(client)

    @staticmethod
    def _end(one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
