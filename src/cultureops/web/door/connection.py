"""One connection of a browser: who opens many, or opens one and says nothing, holds up nobody else."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from cultureops.access.throttle import network_of

__all__ = ["MOST_OF_ONE_SOURCE", "Connection"]

HEAD_S: Final = 10.0
"""How long the first lines of a request may take."""
MOST_OF_ONE_SOURCE: Final = 128
"""Half of what is served at once; the rest stays for everybody else."""


class Connection(H11Protocol):
    """A connection that is closed when no request comes, or when its source has too many open."""

    _giving_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connections of its source, and wait for the first request."""
        super().connection_made(transport)
        source = self._source()
        others = sum(isinstance(one, Connection) and one._source() == source for one in self.connections)
        if others > MOST_OF_ONE_SOURCE:
            transport.abort()
        else:
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Take what has come; until a request is whole the time for it runs."""
        super().handle_events()
        if self._is_asked():
            self._stop_waiting()
        elif self._giving_up is None and not self.transport.is_closing():
            self._await_request()

    def _await_request(self) -> None:
        self._giving_up = self.loop.call_later(HEAD_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    def _give_up(self) -> None:
        self._giving_up = None
        if not self._is_asked():
            self.transport.abort()

    def _is_asked(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _source(self) -> str:
        return "" if self.client is None else network_of(self.client[0])
