"""Events that are whole and in their place in the chain, and yet say what this program can't read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import structlog

from cultureops.errors import Unreadable
from cultureops.ledger.event import Event
from cultureops.ledger.upcast import is_newer

__all__ = ["Unread"]

log = structlog.get_logger(__name__)

MOST_NAMED: Final = 1_000


class Unread:
    """Takes events to whoever folds them, each on its own: one that can't be read costs none of the others anything.

    ``positions`` are those of the first thousand that were set aside, ``count`` is how many there are in all,
    ``streams`` where they stand.
    """

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.count = 0
        self.streams: set[str] = set()

    def take(self, event: Event, readers: Iterable[Callable[[Event], None]]) -> bool:
        """Hand an event to every reader; False, once logged, where one of them could not read it. Never raises."""
        problem: Exception | None = None
        if is_newer(event.type, event.schema_version):
            problem, readers = Unreadable(f"version {event.schema_version} is not known here; update this program"), ()
        for reader in readers:
            try:
                reader(event)
            except Exception as error:
                problem = problem or error
        if problem is None:
            return True
        self.count += 1
        self.streams.add(event.stream)
        if len(self.positions) < MOST_NAMED:
            self.positions.append(event.position)
        log.error(
            "an event of the ledger can't be read and was set aside",
            position=event.position,
            stream=event.stream,
            type=event.type,
            error=f"{type(problem).__name__}: {problem}",
        )
        return False
