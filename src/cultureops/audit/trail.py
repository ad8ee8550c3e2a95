"""The audit trail of a ledger, page by page: however long it is, a page costs what it holds and what is skipped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.audit.change import replaces
from cultureops.audit.chosen import Chosen
from cultureops.audit.row import AuditRow, audit_row
from cultureops.audit.walking import some, walk
from cultureops.ledger.event import Event
from cultureops.ledger.ledger import Ledger
from cultureops.ledger.search import Search

__all__ = ["MOST_ROWS", "Page", "Trail"]

MOST_ROWS: Final = 1_000
_PART: Final = 500
_ACCOUNTS: Final = "account:"


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
            created = (
                some(self._ledger, Search(streams=(stream,)), 0, self._up_to, 1) if self._ledger.version(stream) else ()
            )
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
        matches, up_to = chosen.matches, self._up_to
        return walk(self._ledger, chosen.search, matches, up_to, cursor, part, oldest_first=oldest_first)
