"""Looking for events in the store itself: what it passes over is never decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, Text, cast, func, select

from cultureops.ledger.file import EVENTS

__all__ = ["WINDOW", "Search", "windowed"]

WINDOW: Final = 100_000
"""How many positions one query looks at, so that none takes long."""


@dataclass(frozen=True, slots=True)
class Search:
    """What an event must have: one of the ``streams``, or the beginning of its stream; all the ``needles`` among its
    canonical bytes; ``text``, in lower case and found without regard to the case of ASCII letters; its time of
    recording from ``since`` on and before ``until`` [ISO 8601 as events have it]. What is empty asks for nothing.
    """

    streams: tuple[str, ...] = ()
    prefix: str = ""
    needles: tuple[bytes, ...] = ()
    text: str = ""
    since: str = ""
    until: str = ""


def windowed(search: Search, after: int, up_to: int, limit: int, *, newest_first: bool) -> Select[Any]:
    """Return the query for the events with ``after < position <= up_to`` that have what is looked for."""
    order = EVENTS.c.position.desc() if newest_first else EVENTS.c.position
    query = select(EVENTS.c.position, EVENTS.c.canonical, EVENTS.c.hash).order_by(order).limit(limit)
    query = query.where(EVENTS.c.position > after, EVENTS.c.position <= up_to)
    if search.streams:
        query = query.where(EVENTS.c.stream.in_(search.streams))
    elif search.prefix:
        query = query.where(EVENTS.c.stream.startswith(search.prefix, autoescape=True))
    for needle in search.needles:
        query = query.where(func.instr(EVENTS.c.canonical, needle) > 0)
    if search.text:
        query = query.where(func.instr(func.lower(cast(EVENTS.c.canonical, Text)), search.text) > 0)
    recorded_at = func.json_extract(cast(EVENTS.c.canonical, Text), "$.recorded_at")
    if search.since:
        query = query.where(recorded_at >= search.since)
    if search.until:
        query = query.where(recorded_at < search.until)
    return query
