"""Which batches a lot touched, read from what their events say.

The rule: a batch was touched by a lot when any event of its stream names the lot in a field called ``lot`` or
``lots``, or whose name ends in ``_lot`` or ``_lots``, at any depth, as a text or within a list or table of texts.
Names are compared without regard to case and to blanks around them. What was written once counts for ever: a
correction holds the event as it reads now, so it adds the lot it names and takes none away: a recall had better look at
one batch too many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cultureops.clock import Instant
from cultureops.ledger.event import Event, JsonValue

__all__ = ["LotUse", "by_batch", "lots_named", "uses_of"]

_BATCHES = "batch:"


@dataclass(frozen=True, slots=True)
class LotUse:
    """One event of a batch that names a lot; ``field`` is where, e.g. ``medium_lot``; times are [ms UTC]."""

    batch_id: str
    event_id: str
    event_type: str
    field: str
    occurred_at: Instant


def uses_of(lot_id: str, events: Iterable[Event]) -> tuple[LotUse, ...]:
    """Return where batches name a lot, by batch and then by time."""
    wanted = _plain(lot_id)
    found = {
        LotUse(event.stream.removeprefix(_BATCHES), event.event_id, event.type, field, event.occurred_at)
        for event in events
        if event.stream.startswith(_BATCHES)
        for field, lot in lots_named(event.data)
        if _plain(lot) == wanted
    }
    return tuple(sorted(found, key=by_batch))


def by_batch(use: LotUse) -> tuple[str, Instant, str, str]:
    """Sort uses by batch and then by time."""
    return use.batch_id, use.occurred_at, use.event_id, use.field


def lots_named(data: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """Yield (field, lot) for each lot that an event's data name; see the rule above."""
    for key, value in data.items():
        if key in ("lot", "lots") or key.endswith(("_lot", "_lots")):
            yield from ((key, lot) for lot in _texts(value))
        else:
            yield from _within(value)


def _within(value: JsonValue) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield from lots_named(value)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _within(item)


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _texts(item)


def _plain(lot: str) -> str:
    return lot.strip().casefold()
