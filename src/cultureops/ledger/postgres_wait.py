"""Waiting for a server no longer than is good: for a while in a thread, for a moment where an event loop stands still.

A server that hangs, or whose machine does, keeps its connections open: neither TCP nor a deadline of its own ends them.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.waiting import READY_R

__all__ = ["AT_ONCE_S", "ConnectionInTime", "Hearing", "is_on_loop"]

T = TypeVar("T")

AT_ONCE_S: Final = 2.0
"""How long a loop that polls chambers may stand still for the record, once [OWN]."""
_SPARED_S: Final = 60.0
"""For how long no loop asks a server that was silent, unless a thread has heard of it meanwhile [OWN]."""


def is_on_loop() -> bool:
    """Whether an event loop stands still while this is waited for."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Hearing:
    """Whether a server answers, as the connections of one ledger have found; for any thread."""

    def __init__(self) -> None:
        self._spared_until = 0.0

    def heard(self) -> None:
        """Note that it answers."""
        self._spared_until = 0.0

    def missed(self) -> None:
        """Note that it was silent."""
        self._spared_until = monotonic() + _SPARED_S

    def check(self) -> None:
        """Raise OperationalError for a server that was silent just now, so that no loop stands still for it."""
        if self._spared_until > monotonic():
            raise psycopg.OperationalError("the server was silent just now and is not asked again yet")


class ConnectionInTime(psycopg.Connection[Any]):
    """A connection that is closed when its server has been silent for ``silent_s`` [s].

    One that ``spares_loops`` waits no longer than ``AT_ONCE_S`` while a loop stands still.
    """

    hearing: Hearing
    silent_s: float
    spares_loops: bool

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Finish what goes over the connection; raises OperationalError where no answer comes."""
        is_brief = self.spares_loops and is_on_loop()
        if is_brief:
            self.hearing.check()
        return super().wait(self._in_time(gen, AT_ONCE_S if is_brief else self.silent_s), interval, timeout)

    def _in_time(self, gen: PQGen[T], limit_s: float) -> PQGen[T]:
        heard_at = monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    heard_at = monotonic()
                elif monotonic() - heard_at > limit_s:
                    self.hearing.missed()
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server has been silent for {limit_s:g} s")
                if ready & READY_R:
                    self.hearing.heard()
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
