"""The tables of a ledger's SQLite file, and the guards that let each of them only grow."""

from __future__ import annotations

import sqlite3
from typing import Final

__all__ = ["SCHEMA_VERSION", "missing_from"]

SCHEMA_VERSION: Final = 3
"""1 had no table of claims, 2 none of heads; such a file gets them, empty, when it is opened for writing."""

_TABLES: Final = {
    "events": """CREATE TABLE events (
    position INTEGER NOT NULL,
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    canonical BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (position),
    UNIQUE (stream, version),
    CHECK (length(hash) = 32)
)""",
    "claims": """CREATE TABLE claims (
    name TEXT NOT NULL PRIMARY KEY,
    stream TEXT NOT NULL,
    position INTEGER NOT NULL
) WITHOUT ROWID""",
    "heads": """CREATE TABLE heads (
    number INTEGER PRIMARY KEY,
    size INTEGER NOT NULL UNIQUE,
    root BLOB NOT NULL CHECK (length(root) = 32),
    chain_hash BLOB NOT NULL CHECK (length(chain_hash) = 32),
    signed_at INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    origin TEXT NOT NULL
)""",
    "stamps": """CREATE TABLE stamps (
    number INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    authority TEXT NOT NULL,
    token BLOB NOT NULL,
    UNIQUE (size, authority)
)""",
}

_GUARDS: Final = {
    "events_stay": """CREATE TRIGGER events_stay BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no event is ever changed'); END""",
    "events_last": """CREATE TRIGGER events_last BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no event is ever deleted'); END""",
    # INSERT OR REPLACE deletes without asking delete triggers, so every insert must be exactly the next one.
    "events_follow": """CREATE TRIGGER events_follow BEFORE INSERT ON events
    WHEN NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM events)
      OR NEW.version IS NOT (SELECT coalesce(max(version), 0) + 1 FROM events WHERE stream = NEW.stream)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: positions and versions have no gaps'); END""",
    "heads_stay": """CREATE TRIGGER heads_stay BEFORE UPDATE ON heads
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no head is ever changed'); END""",
    "heads_last": """CREATE TRIGGER heads_last BEFORE DELETE ON heads
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no head is ever deleted'); END""",
    "heads_follow": """CREATE TRIGGER heads_follow BEFORE INSERT ON heads
    WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM heads)
      OR NEW.size <= (SELECT coalesce(max(size), 0) FROM heads)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: heads have no gaps'); END""",
    "stamps_stay": """CREATE TRIGGER stamps_stay BEFORE UPDATE ON stamps
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no time stamp is ever changed'); END""",
    "stamps_last": """CREATE TRIGGER stamps_last BEFORE DELETE ON stamps
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no time stamp is ever deleted'); END""",
    "stamps_follow": """CREATE TRIGGER stamps_follow BEFORE INSERT ON stamps
    WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM stamps)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: time stamps have no gaps'); END""",
}


def missing_from(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the statements that make the tables and guards that a file lacks, by name."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    return {name: statement for name, statement in (_TABLES | _GUARDS).items() if name not in there}
