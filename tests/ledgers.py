"""A ledger in a SQLite file and in a PostgreSQL database, and how somebody with full access changes either."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from tests.postgres import Database

from cultureops.ledger import Whereabouts
from cultureops.ledger.postgres import PostgresDatabase

__all__ = ["InDatabase", "InFile", "Kept", "Row", "rows_of"]

Row = list[object]
"""position, stream, version, canonical, hash"""


class Kept(Protocol):
    """Where the ledger of a test is, and what may be done to it behind its back."""

    @property
    def where(self) -> Whereabouts:
        """As the program is told."""
        ...

    @property
    def kind(self) -> str:
        """What it is in a sentence."""
        ...

    def query(self, query: str) -> list[tuple[Any, ...]]:
        """All that a query finds."""
        ...

    def edit(self, *statements: str) -> None:
        """Change rows without regard to guards."""
        ...

    def attempt(self, *statements: str) -> None:
        """Do what the guards may refuse, as the owner of the tables."""
        ...

    def insert(self, row: Row) -> None:
        """Add an event without asking anybody but the guards."""
        ...

    def rewrite(self, rows: list[Row]) -> None:
        """Store other events, whatever they are."""
        ...


def rows_of(kept: Kept) -> list[Row]:
    """All events as they are stored."""
    return [list(row) for row in kept.query("SELECT position, stream, version, canonical, hash FROM events ORDER BY 1")]


class InFile:
    """A ledger in a file."""

    kind = "file"

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def where(self) -> Path:
        return self.path

    def query(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query).fetchall()

    def edit(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            guards = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
            for name, _ in guards:
                connection.execute(f"DROP TRIGGER {name}")
            for statement in (*statements, *(made for _, made in guards)):
                connection.execute(statement)
            connection.commit()

    def attempt(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def insert(self, row: Row) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)
            connection.commit()

    def rewrite(self, rows: list[Row]) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            for (guard,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
                connection.execute(f"DROP TRIGGER {guard}")
            connection.execute("ALTER TABLE events RENAME TO old")
            columns = "position INTEGER PRIMARY KEY, stream TEXT, version INTEGER, canonical BLOB, hash BLOB"
            connection.execute(f"CREATE TABLE events ({columns})")
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute("DROP TABLE old")
            connection.commit()


class InDatabase:
    """A ledger in a database, changed by the owner of its tables."""

    kind = "database"

    def __init__(self, database: Database) -> None:
        self.database = database

    @property
    def where(self) -> PostgresDatabase:
        return PostgresDatabase(self.database.settings())

    def query(self, query: str) -> list[tuple[Any, ...]]:
        return self.database.rows(query)

    def edit(self, *statements: str) -> None:
        self.database.execute(*statements)

    def attempt(self, *statements: str) -> None:
        with self.database.as_() as connection:
            for statement in statements:
                connection.execute(statement)

    def insert(self, row: Row) -> None:
        with self.database.as_() as connection:
            connection.execute("INSERT INTO events VALUES (%s, %s, %s, %s, %s)", row)

    def rewrite(self, rows: list[Row]) -> None:
        self.database.loosen()
        self.database.execute("DELETE FROM events")
        with self.database.unguarded() as connection:
            connection.cursor().executemany("INSERT INTO events VALUES (%s, %s, %s, %s, %s)", rows)
