"""Walking over a ledger for the events that somebody wants to see, without decoding those that nobody does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Protocol, runtime_checkable

from cultureops.ledger.event import Event
from cultureops.ledger.ledger import Ledger
from cultureops.ledger.search import WINDOW, Search

__all__ = ["Searching", "some", "walk"]

_FEW_STREAMS: Final = 500
_FEW_EVENTS: Final = 20_000


@runtime_checkable
class Searching(Protocol):
    """A ledger whose store can look for events by itself."""

    def search(
        self, search: Search, after: int, up_to: int, limit: int, *, newest_first: bool = False
    ) -> tuple[Event, ...]:
        """Return the first events with ``after < position <= up_to`` that have what is looked for."""
        ...


def walk(
    ledger: Ledger,
    search: Search,
    matches: Callable[[Event], bool],
    up_to: int,
    cursor: int | None = None,
    part: int = 500,
    *,
    oldest_first: bool = False,
    down_to: int = 0,
) -> Iterator[Event]:
    """Yield the events up to a position that have what is looked for and match, from behind ``cursor`` on; blocks.

    ``part`` is how many are read at once [from 1]. Order is that of positions, newest first unless asked otherwise;
    then nothing at or before ``down_to`` is looked at.
    """
    if search.prefix and not search.streams:
        streams = ledger.streams(search.prefix)
        if not streams:
            return
        if len(streams) <= _FEW_STREAMS and sum(ledger.version(stream) for stream in streams) <= _FEW_EVENTS:
            search = replace(search, streams=streams)
    position = cursor if cursor is not None else 0 if oldest_first else up_to + 1
    window = up_to if search.streams else WINDOW  # a stream is found by itself, however long the ledger is
    while True:
        after, until = (position, position + window) if oldest_first else (position - 1 - window, position - 1)
        after, until = max(after, down_to), min(until, up_to)
        if until <= after:
            return
        events = some(ledger, search, after, until, part, newest_first=not oldest_first)
        yield from (event for event in events if matches(event))
        looked_up_to = until if oldest_first else after + 1
        position = events[-1].position if len(events) == part else looked_up_to


def some(
    ledger: Ledger, search: Search, after: int, up_to: int, limit: int, *, newest_first: bool = False
) -> Sequence[Event]:
    """Return the first events of a stretch that have what is looked for; one that can't look gives all."""
    if isinstance(ledger, Searching):
        return ledger.search(search, after, up_to, limit, newest_first=newest_first)
    if search.streams:
        read = [event for stream in search.streams for event in ledger.read(stream)]
        found = sorted((e for e in read if after < e.position <= up_to), key=_position, reverse=newest_first)
        return found[:limit]
    start = max(after, up_to - limit) if newest_first else after
    stretch = tuple(ledger.read_all(start, min(limit, up_to - start)))
    return stretch[::-1] if newest_first else stretch


def _position(event: Event) -> int:
    return event.position
