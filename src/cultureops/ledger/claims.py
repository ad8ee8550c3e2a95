"""Who holds which name, folded from events, pure: no place holds two vials and no vial stands in two places.

A name says what only one stream may have at a time, such as ``place:cryostore_1/R2/B3/A7``. An event's releases
come before its claims, and events come in order, so that one event can move a vial.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cultureops.errors import ClaimTaken
from cultureops.ledger.event import Event
from cultureops.ledger.place import Place

__all__ = ["Holder", "claim_changes", "named"]


class Holder(NamedTuple):
    """The stream that holds a name, and the position of the event that claimed it."""

    stream: str
    position: int


def claim_changes(held: Mapping[str, Holder], events: Iterable[Event | Place]) -> dict[str, Holder | None]:
    """Return the holder of every name that events touch as it is after them, None where nobody holds it.

    Raises ClaimTaken at the first claim of a held name, or release of one that its stream does not hold.
    """
    changed: dict[str, Holder | None] = {}
    for event in events:
        for name in event.releases:
            holder = changed[name] if name in changed else held.get(name)
            if holder is None or holder.stream != event.stream:
                what = f"{name!r} is held by {named(holder)}, stream {event.stream!r} can't release it"
                raise ClaimTaken(f"{what}; read who holds it and decide anew", name, holder)
            changed[name] = None
        for name in event.claims:
            holder = changed[name] if name in changed else held.get(name)
            if holder is not None:
                what = f"{name!r} is held by {named(holder)}, stream {event.stream!r} can't claim it"
                raise ClaimTaken(f"{what}; have it released first or name another", name, holder)
            changed[name] = Holder(event.stream, event.position)
    return changed


def named(holder: Holder | None) -> str:
    """Say who holds a name."""
    return "nobody" if holder is None else f"stream {holder.stream!r} since position {holder.position}"
