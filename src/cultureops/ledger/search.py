"""Looking for events in the store itself: what it passes over is never decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, LargeBinary, Select, Text, func, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from cultureops.ledger.table import EVENTS

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
        query = query.where(func.substr(EVENTS.c.stream, 1, len(search.prefix)) == search.prefix)
    for needle in search.needles:
        query = query.where(_PlaceOfBytes(EVENTS.c.canonical, literal(needle, LargeBinary)) > 0)
    if search.text:
        query = query.where(_PlaceOfText(EVENTS.c.canonical, literal(search.text, Text)) > 0)
    recorded_at: ColumnElement[str] = _RecordedAt(EVENTS.c.canonical)
    if search.since:
        query = query.where(recorded_at >= search.since)
    if search.until:
        query = query.where(recorded_at < search.until)
    return query


class _PlaceOfBytes(GenericFunction[int]):
    """Where bytes begin in a column of bytes, 0 where they are not in it."""

    name = "place_of_bytes"
    inherit_cache = True


class _PlaceOfText(GenericFunction[int]):
    """Where a text in lower case begins in canonical bytes, whatever the case of their ASCII letters."""

    name = "place_of_text"
    inherit_cache = True


class _RecordedAt(GenericFunction[str]):
    """When an event was recorded, out of its canonical bytes."""

    name = "recorded_at"
    type = Text()
    inherit_cache = True


@compiles(_PlaceOfBytes, "sqlite")
def _place_of_bytes_in_sqlite(element: _PlaceOfBytes, compiler: SQLCompiler, **options: Any) -> str:
    column, needle = (compiler.process(clause, **options) for clause in element.clauses)
    return f"instr({column}, {needle})"


@compiles(_PlaceOfBytes, "postgresql")
def _place_of_bytes_in_postgresql(element: _PlaceOfBytes, compiler: SQLCompiler, **options: Any) -> str:
    column, needle = (compiler.process(clause, **options) for clause in element.clauses)
    return f"position({needle} IN {column})"


@compiles(_PlaceOfText, "sqlite")
def _place_of_text_in_sqlite(element: _PlaceOfText, compiler: SQLCompiler, **options: Any) -> str:
    column, needle = (compiler.process(clause, **options) for clause in element.clauses)
    return f"instr(lower(CAST({column} AS TEXT)), {needle})"


@compiles(_PlaceOfText, "postgresql")
def _place_of_text_in_postgresql(element: _PlaceOfText, compiler: SQLCompiler, **options: Any) -> str:
    column, needle = (compiler.process(clause, **options) for clause in element.clauses)
    return f"strpos(lower(convert_from({column}, 'UTF8') COLLATE \"C\"), {needle})"


@compiles(_RecordedAt, "sqlite")
def _recorded_at_in_sqlite(element: _RecordedAt, compiler: SQLCompiler, **options: Any) -> str:
    (column,) = (compiler.process(clause, **options) for clause in element.clauses)
    return f"json_extract(CAST({column} AS TEXT), '$.recorded_at')"


# Not by its JSON functions, which refuse a text with \u0000 in it; the last such key is the event's own, and within
# a text every quotation mark stands behind a backslash.
@compiles(_RecordedAt, "postgresql")
def _recorded_at_in_postgresql(element: _RecordedAt, compiler: SQLCompiler, **options: Any) -> str:
    (column,) = (compiler.process(clause, **options) for clause in element.clauses)
    return f'(substring(convert_from({column}, \'UTF8\') FROM \'.*"recorded_at":"([^"]*)"\') COLLATE "C")'
