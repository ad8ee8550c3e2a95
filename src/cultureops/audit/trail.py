"""The audit trail of a ledger, page by page: however long it is, a page costs what it holds and what is skipped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, runtime_checkable

from cultureops.audit.change import replaces
from cultureops.audit.chosen import Chosen
from cultureops.audit.row import AuditRow, audit_row
from cultureops.ledger.event import Event
from cultureops.ledger.ledger import Ledger
from cultureops.ledger.search import WINDOW, Search

__all__ = ["MOST_ROWS", "Page", "Trail"]

MOST_ROWS: Final = 1_000
_PART: Final = 500
_FEW_STREAMS: Final = 500
_FEW_EVENTS: Final = 20_000
_ACCOUNTS: Final = "account:"


@runtime_checkable
class Searching(Protocol):
    """A ledger whose store can look for events by itself."""

    def search(
        self, search: Search, after: int, up_to: int, limit: int, *, newest_first: bool = False
    ) -> tuple[Event, ...]:
        """Return the first events with ``after < position <= up_to`` that have what is looked for."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows in the order asked for; ``cursor`` is the position to go on from, None where there is no more."""

    rows: tuple[AuditRow, ...]
    cursor: int | None


class Trail:
    """The audit trail up to one position of a ledger; its parts may be read from any thread.

    Order is that of positions, which no clock can disturb.
    """

    def __init__(self, ledger: Ledger, up_to: int | None = None) -> None:
        self._ledger = ledger
        self._up_to = ledger.head().position if up_to is None else up_to
        self._names: dict[str, str] = {}
        self._streams: dict[str, tuple[Event, ...]] = {}

    def page(self, chosen: Chosen, size: int, cursor: int | None = None, *, oldest_first: bool = False) -> Page:
        """Return up to ``size`` [1..1000] rows behind ``cursor``, the newest first unless asked otherwise."""
        wanted = max(1, min(size, MOST_ROWS))
        found: list[Event] = []
        for event in self._events(chosen, cursor, wanted + 1, oldest_first=oldest_first):
            found.append(event)
            if len(found) > wanted:
                return Page(self._rows(found[:wanted]), found[wanted - 1].position)
        return Page(self._rows(found), None)

    def rows(self, chosen: Chosen) -> Iterator[AuditRow]:
        """Yield all that was chosen, the oldest first."""
        for event in self._events(chosen, None, _PART, oldest_first=True):
            yield self._row(event)

    def name_of(self, username: str) -> str:
        """Return the printed name that an account was created with, empty where there is none."""
        if username not in self._names:
            stream = _ACCOUNTS + username
            created = self._part(Search(streams=(stream,)), 0, self._up_to, 1) if self._ledger.version(stream) else ()
            found = (str(event.data.get("printed_name", "")) for event in created if event.stream == stream)
            self._names[username] = next(found, "")
        return self._names[username]

    def _rows(self, events: Sequence[Event]) -> tuple[AuditRow, ...]:
        return tuple(self._row(event) for event in events)

    def _row(self, event: Event) -> AuditRow:
        return audit_row(event, self._earlier(event), self.name_of)

    def _earlier(self, event: Event) -> tuple[Event, ...]:
        if not replaces(event):
            return ()
        if event.stream not in self._streams:
            self._streams[event.stream] = self._ledger.read(event.stream)
        return self._streams[event.stream][: event.version - 1]

    def _events(self, chosen: Chosen, cursor: int | None, part: int, *, oldest_first: bool) -> Iterator[Event]:
        search, position = chosen.search, cursor
        if search.prefix and not search.streams:
            streams = self._ledger.streams(search.prefix)
            if not streams:
                return
            if sum(self._ledger.version(stream) for stream in streams) <= _FEW_EVENTS and len(streams) <= _FEW_STREAMS:
                search = replace(search, streams=streams)
        if position is None:
            position = 0 if oldest_first else self._up_to + 1
        window = self._up_to if search.streams else WINDOW  # a stream is found by itself, however long the ledger is
        while True:
            after, up_to = (position, position + window) if oldest_first else (position - 1 - window, position - 1)
            after, up_to = max(after, 0), min(up_to, self._up_to)
            if up_to <= after:
                return
            events = self._part(search, after, up_to, part, newest_first=not oldest_first)
            yield from (event for event in events if chosen.matches(event))
            looked_up_to = up_to if oldest_first else after + 1
            position = events[-1].position if len(events) == part else looked_up_to

    def _part(
        self, search: Search, after: int, up_to: int, limit: int, *, newest_first: bool = False
    ) -> Sequence[Event]:
        """Return the first events of a stretch that have what is looked for; one that can't look gives all."""
        if isinstance(self._ledger, Searching):
            return self._ledger.search(search, after, up_to, limit, newest_first=newest_first)
        if search.streams:
            read = [event for stream in search.streams for event in self._ledger.read(stream)]
            found = sorted((e for e in read if after < e.position <= up_to), key=_position, reverse=newest_first)
            return found[:limit]
        start = max(after, up_to - limit) if newest_first else after
        stretch = tuple(self._ledger.read_all(start, min(limit, up_to - start)))
        return stretch[::-1] if newest_first else stretch


def _position(event: Event) -> int:
    return event.position
