"""What was recorded of a piece of equipment, a lot or a recipe, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cultureops.access.signature import Signature, signatures_in
from cultureops.clock import Instant
from cultureops.conduct import is_late
from cultureops.errors import SignatureInvalid
from cultureops.ledger.event import Event

__all__ = ["HistoryRow", "history_of"]

_LONG = frozenset({"text", "sha256", "signatures"})


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One event as people read it; ``position`` is where the ledger holds it."""

    at: Instant
    position: int
    what: str
    details: tuple[tuple[str, str], ...]
    who: str
    role: str
    reason: str
    is_late: bool
    signatures: tuple[Signature, ...]


def history_of(events: Iterable[Event]) -> list[HistoryRow]:
    """Return a stream's events, newest first."""
    return [_row(event) for event in reversed(list(events))]


def _row(event: Event) -> HistoryRow:
    try:
        signatures = signatures_in(event)
    except SignatureInvalid:
        signatures = ()
    told = tuple((name.replace("_", " "), str(value)) for name, value in event.data.items() if name not in _LONG)
    return HistoryRow(
        event.occurred_at,
        event.position,
        event.type.replace("_", " "),
        told,
        event.actor.id,
        event.actor.role,
        event.reason,
        is_late(event),
        signatures,
    )
