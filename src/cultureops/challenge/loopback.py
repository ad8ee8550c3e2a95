"""A fence around a challenge: this process can reach simulators on its own machine, and nothing else.

Links are replaced before anything is opened (see ``twin``); this is the second lock, for what nobody thought of: a
driver that looks up a name, a route that sends, a serial port that is opened by a name of its own. Python's audit hooks
see every connection and every opened file before it happens (PEP 578).
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cultureops.errors import CultureOpsError

__all__ = ["NotLoopback", "is_loopback", "loopback_only"]

_HARMLESS: Final = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero", "/dev/pts/", "/dev/shm/", "/dev/fd/")


class NotLoopback(CultureOpsError):
    """A challenge was about to reach something that is not a simulator on this machine; it was not reached."""


class _Fence:
    """The hook, installed once, for a hook can't be taken away; it heeds nothing while nobody is inside."""

    def __init__(self) -> None:
        self.depth = 0
        self.refused: list[str] = []
        self._is_installed = False

    def install(self) -> None:
        if not self._is_installed:
            sys.addaudithook(self._heed)
            self._is_installed = True

    def _heed(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.depth:
            return
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            address = arguments[1]
            if isinstance(address, tuple) and not is_loopback(str(address[0])):
                self._refuse(f"{address[0]}:{address[1]}")
        elif event == "socket.getaddrinfo":
            host = arguments[0]
            if host is not None and not is_loopback(_text(host)):
                self._refuse(_text(host))
        elif event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.normpath(_text(arguments[0]))
            if path.startswith("/dev/") and not path.startswith(_HARMLESS):
                self._refuse(path)

    def _refuse(self, place: str) -> None:
        self.refused.append(place)
        raise NotLoopback(f"a challenge was about to reach {place}, which is no simulator on this machine; refused")


_FENCE: Final = _Fence()


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's loopback: 127.0.0.0/8, ::1, localhost."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def loopback_only() -> Iterator[None]:
    """Let nothing leave this machine within the block; raises NotLoopback at its end if something tried."""
    _FENCE.install()
    _FENCE.depth += 1
    before = len(_FENCE.refused)
    try:
        yield
    finally:
        _FENCE.depth -= 1
    if tried := _FENCE.refused[before:]:
        raise NotLoopback(f"a challenge was about to reach {tried[0]}, which is no simulator on this machine; refused")
