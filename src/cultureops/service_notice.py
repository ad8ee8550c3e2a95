"""What a running lab tells the service manager that started it: that it is ready, that it lives, that it ends.

Datagrams to the socket that ``NOTIFY_SOCKET`` names, as systemd asks for (sd_notify(3), systemd.service(5) of version
252). Without such a socket nothing is said.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping

import structlog

__all__ = ["ServiceNotice"]

log = structlog.get_logger(__name__)

FEEDS_TO_A_DEADLINE = 3
"""So often within the watchdog's time, so that one late word is no death [sd_watchdog_enabled(3) asks for two]."""


class ServiceNotice:
    """Tells one service manager; ``watchdog_s`` is within which time it wants to hear [s], None where it does not."""

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s if address else None
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ, pid: int | None = None) -> ServiceNotice:
        """Return the one that started this process, if any did; children of ours are not asked."""
        address, microseconds = environment.get("NOTIFY_SOCKET"), environment.get("WATCHDOG_USEC", "")
        for_whom = environment.get("WATCHDOG_PID", "")
        is_ours = not for_whom or for_whom == str(os.getpid() if pid is None else pid)
        is_asked = is_ours and microseconds.isdecimal() and int(microseconds) > 0
        return cls(address, int(microseconds) / 1e6 if is_asked else None)

    def ready(self, status: str) -> None:
        """Say that the start is over; ``status`` is one line for people."""
        self._say(f"READY=1\nSTATUS={status}")

    def alive(self) -> None:
        """Say that the watchdog need not bite."""
        self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._say("STOPPING=1")

    async def keep(self, stands_still: Callable[[], bool]) -> None:
        """Say that the program lives, as often as is asked for, until cancelled; not while it stands still.

        A loop that hangs says nothing either: both end in a restart.
        """
        if self.watchdog_s is None:
            return
        while True:
            if stands_still():
                log.error("the lab does not tick any more; the service manager will start it again")
            else:
                self.alive()
            await asyncio.sleep(self.watchdog_s / FEEDS_TO_A_DEADLINE)

    def _say(self, words: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as out:
                out.sendto(words.encode(), self._address)
        except OSError as error:
            log.warning("the service manager can't be told", error=str(error))
