"""Serving dialects on TCP ports and pseudo terminals.

Both are file descriptors watched by the event loop, not asyncio transports: a cut cable then takes effect before the
call returns, with either loop, and one exchange costs one read and one write.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import tempfile
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from cultureops_simulators.faults import Disturbance
from cultureops_simulators.instrument import Dialect, EndsConversation, SimulatorError, SpeaksFirst

__all__ = ["PtyWire", "TcpWire", "Wire"]

_READ_BYTES: Final = 65_536
_MOST_UNSENT: Final = 65_536
_MOST_CONNECTIONS: Final = 64
_ABORT: Final = struct.pack("ii", 1, 0)


class Wire(Protocol):
    """The cable between an instrument and who asks it."""

    @property
    def address(self) -> dict[str, str]:
        """Where it can be reached: ``{"tcp": "host:port"}`` or ``{"pty": "path"}``."""
        ...

    @property
    def disturbance(self) -> Disturbance:
        """What is wrong with it."""
        ...

    def cut(self) -> None:
        """Hang up and be unreachable until mended."""
        ...

    def mend(self) -> None:
        """Be reachable again under the same address."""
        ...

    def close(self) -> None:
        """Hang up for good."""
        ...


class _Line:
    """One connection: bytes in, dialect, disturbance, bytes out."""

    def __init__(
        self,
        fd: int,
        dialect: Dialect,
        disturbance: Disturbance,
        on_lost: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._fd, self._dialect, self._disturbance, self._on_lost = (
            fd,
            dialect,
            disturbance,
            on_lost,
        )
        self._late: set[asyncio.TimerHandle] = set()
        self._unsent = bytearray()
        self._ending = dialect if isinstance(dialect, EndsConversation) else None
        self._is_stopped = False
        self._loop.add_reader(fd, self._on_readable)
        if isinstance(dialect, SpeaksFirst):
            dialect.on_line(self._speak)

    def _on_readable(self) -> None:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._on_lost()
            return
        if self._disturbance.fault != "silent":
            self._speak(self._dialect.receive(data))

    def _speak(self, words: bytes) -> None:
        """Send what the instrument says, as far as the wire lets it."""
        fault = self._disturbance.fault
        if not words or fault == "silent" or self._is_stopped:
            return
        if fault == "slow":
            self._send_later(words)
        else:
            self._send(self._disturbance.garble(words) if fault == "garbage" else words)

    def _send(self, reply: bytes) -> None:
        """Send now what the line takes and the rest as soon as it takes more: a terminal may take a part only."""
        self._unsent += reply
        if len(self._unsent) > _MOST_UNSENT:
            self._on_lost()
        elif len(self._unsent) == len(reply):
            self._flush()

    def _flush(self) -> None:
        try:
            del self._unsent[: os.write(self._fd, self._unsent)]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._unsent.clear()
            self._on_lost()
            return
        if self._unsent:
            self._loop.add_writer(self._fd, self._flush)
        else:
            self._loop.remove_writer(self._fd)
            if self._ending is not None and self._ending.is_over:
                self._on_lost()

    def _send_later(self, reply: bytes) -> None:
        def send() -> None:
            self._late.discard(handle)
            self._send(reply)

        handle = self._loop.call_later(self._disturbance.delay_s, send)
        self._late.add(handle)

    def stop(self) -> None:
        """Let go of the descriptor, which its owner closes."""
        self._is_stopped = True
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        for handle in self._late:
            handle.cancel()
        self._late.clear()


class TcpWire:
    """One listening port; every connection has a dialect of its own."""

    def __init__(
        self,
        host: str,
        port: int,
        dialect: Callable[[], Dialect],
        disturbance: Disturbance,
    ) -> None:
        self.disturbance = disturbance
        self._dialect = dialect
        self._loop = asyncio.get_running_loop()
        self._lines: dict[socket.socket, _Line] = {}
        self._is_cut = False
        self._socket = self._bound(host, port)
        self._host, self._port = self._socket.getsockname()[:2]
        self._listen()

    @property
    def address(self) -> dict[str, str]:
        """Where it listens."""
        return {"tcp": f"{self._host}:{self._port}"}

    @staticmethod
    def _bound(host: str, port: int) -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            bound.setblocking(False)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
        except OSError as error:
            bound.close()
            raise SimulatorError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        return bound

    def _listen(self) -> None:
        self._socket.listen(_MOST_CONNECTIONS)
        self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            connection = self._socket.accept()[0]
        except OSError:
            return
        if len(self._lines) >= _MOST_CONNECTIONS:
            connection.close()
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines[connection] = _Line(
            connection.fileno(),
            self._dialect(),
            self.disturbance,
            lambda: self._drop(connection),
        )

    def _drop(self, connection: socket.socket) -> None:
        line = self._lines.pop(connection, None)
        if line is not None:
            line.stop()
            connection.close()

    def _stop_listening(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for connection in tuple(self._lines):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            self._drop(connection)

    def cut(self) -> None:
        """Abort all connections and refuse new ones; the port stays reserved by a socket that does not listen."""
        self._stop_listening()
        self._socket = self._bound(self._host, self._port)
        self._is_cut = True

    def mend(self) -> None:
        """Listen again on the same port."""
        if self._is_cut:
            self._listen()
            self._is_cut = False

    def close(self) -> None:
        """Stop listening and hang up."""
        self._stop_listening()


class PtyWire:
    """A pseudo terminal behind a symbolic link whose path never changes."""

    def __init__(
        self,
        link: Path | None,
        dialect: Callable[[], Dialect],
        disturbance: Disturbance,
    ) -> None:
        self.disturbance = disturbance
        self._dialect = dialect
        self._private = None if link else tempfile.TemporaryDirectory(prefix="cultureops-pty-")
        self._link = link if link else Path(self._private.name if self._private else "") / "line"
        self._ends: tuple[int, int] | None = None
        self._line: _Line | None = None
        if self._link.exists() and not self._link.is_symlink():
            raise SimulatorError(f"pty link {self._link}: there is a file of that name; choose another path")
        self.mend()

    @property
    def address(self) -> dict[str, str]:
        """The path to open."""
        return {"pty": str(self._link)}

    def mend(self) -> None:
        """Open a new terminal under the same path, unless one is open."""
        if self._ends is not None:
            return
        master, slave = os.openpty()  # our own hold on the slave keeps the line up while no one has it open
        tty.setraw(slave)
        os.set_blocking(master, False)
        self._ends = (master, slave)
        beside = self._link.with_name(f".{self._link.name}.new")
        try:
            beside.unlink(missing_ok=True)
            beside.symlink_to(os.ttyname(slave))
            beside.replace(self._link)
        except OSError as error:
            self._hang_up()
            raise SimulatorError(f"pty link {self._link}: {error.strerror}") from error
        self._line = _Line(master, self._dialect(), self.disturbance, lambda: None)

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.stop()
            self._line = None
        if self._ends is not None:
            for end in self._ends:
                os.close(end)
            self._ends = None

    def cut(self) -> None:
        """Hang up and take the path away."""
        self._hang_up()
        with contextlib.suppress(FileNotFoundError):
            self._link.unlink()

    def close(self) -> None:
        """Hang up for good and leave nothing behind."""
        self.cut()
        if self._private is not None:
            self._private.cleanup()
