"""The tables of a ledger as both databases have them, and the rows of events, believed in nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, Table, Text, text

from cultureops.ledger.chain import Row

__all__ = ["EVENTS", "has_tables", "last_row", "read_rows"]

EVENTS: Final = Table(
    "events",
    MetaData(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("stream", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("canonical", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

# Text without types: nothing is converted, so that a damaged row arrives as it is and is named, not stumbled over.
_COLUMNS: Final = "SELECT position, stream, version, canonical, hash FROM events"
_ORDERED: Final = {"sqlite": f"{_COLUMNS} NOT INDEXED", "postgresql": _COLUMNS}  # an index may be damaged by itself
_ALL: Final = {name: text(f"{query} ORDER BY position") for name, query in _ORDERED.items()}
_BEHIND: Final = {name: text(f"{query} WHERE position > :after ORDER BY position") for name, query in _ORDERED.items()}
_LAST: Final = text("SELECT position, hash FROM events ORDER BY position DESC LIMIT 1")
_TABLES: Final = {
    "sqlite": text("SELECT name FROM sqlite_schema WHERE type = 'table'"),
    "postgresql": text("SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"),
}
_AT_A_TIME: Final = {"yield_per": 1000}


def read_rows(connection: Connection, after_position: int | None = None) -> Iterator[Row]:
    """Yield stored rows by position, as they are; raises one of ``FAILURES`` where they can't be read."""
    if after_position is None:
        found = connection.execute(_ALL[connection.dialect.name], execution_options=_AT_A_TIME)
    else:
        query = _BEHIND[connection.dialect.name]
        found = connection.execute(query, {"after": after_position}, execution_options=_AT_A_TIME)
    with found:
        for row in found:
            yield Row(*row)


def last_row(connection: Connection) -> tuple[int, bytes] | None:
    """Return position and hash of the last row, None when there is no row."""
    found = connection.execute(_LAST).first()
    return None if found is None else (found[0], found[1])


def has_tables(connection: Connection, *names: str) -> bool:
    """Whether all tables of these names are there."""
    return {*names} <= set(connection.execute(_TABLES[connection.dialect.name]).scalars())
