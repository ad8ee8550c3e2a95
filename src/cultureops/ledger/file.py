"""The SQLite file of a ledger: its tables, their guards against change, and how it is opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import (
    CheckConstraint,
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import QueuePool, StaticPool
from sqlalchemy.schema import CreateTable

from cultureops.errors import StorageError, Unreadable
from cultureops.ledger import claim_table, head_table
from cultureops.ledger.chain import Row
from cultureops.ledger.guard import append_only, read_only
from cultureops.ledger.merkle import Leaves

__all__ = [
    "EVENTS",
    "SCHEMA_VERSION",
    "SQLITE_FAILURES",
    "WAIT_S",
    "cause",
    "is_locked",
    "last_row",
    "leaves_of",
    "open_reader",
    "read_rows",
    "reader_engine",
    "writer_engine",
]

log = structlog.get_logger(__name__)

SCHEMA_VERSION: Final = 3
"""1 had no table of claims, 2 none of heads; such a file gets them, empty, when it is opened for writing."""

WAIT_S: Final = 5.0
"""How long a transaction waits for another process to end its own."""

# A damaged schema makes SQLite quote bytes that are no text, and sqlite3 then fails over its own message.
SQLITE_FAILURES: Final = (sqlite3.Error, UnicodeDecodeError)

EVENTS: Final = Table(
    "events",
    MetaData(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("stream", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("canonical", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    UniqueConstraint("stream", "version"),
    CheckConstraint("length(hash) = 32"),
)

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
    **head_table.GUARDS,
}


def writer_engine(path: Path) -> Engine:
    """Open this process's writing connection, creating the file when absent; raise StorageError or Unreadable."""
    if not path.parent.is_dir():
        raise StorageError(f"{path}: its folder does not exist; create {path.parent} first")
    try:
        connection = sqlite3.connect(path, WAIT_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise Unreadable(f"{path}: can't be opened for writing: {cause(error)}; check its permissions") from None
    try:
        connection.text_factory = _lenient_text
        _prepare(connection, path)
        append_only(connection)
    except BaseException:
        connection.close()
        raise
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    event.listen(engine, "begin", lambda opened: opened.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def reader_engine(path: Path) -> Engine:
    """Open a pool of read-only connections, usable from any thread."""
    engine = create_engine("sqlite://", creator=lambda: _limited(path), poolclass=QueuePool)
    event.listen(engine, "begin", lambda opened: opened.exec_driver_sql("BEGIN"))
    return engine


def _limited(path: Path) -> sqlite3.Connection:
    connection = _connect_read_only(path)
    read_only(connection)
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open an existing ledger read-only beside whoever writes it; raise Unreadable when it isn't one."""
    if not path.is_file():
        raise Unreadable(f"{path}: no such file; give the path of a ledger")
    connection: sqlite3.Connection | None = None
    try:
        connection = _connect_read_only(path)
        connection.text_factory = _lenient_text
        _check_schema(connection, path)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.Error | UnicodeDecodeError):
            raise Unreadable(f"{path}: can't be read: {cause(error)}") from None
        raise
    return connection


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is not a ledger of a version known here."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        known = f"(ledger version {version}, known here {SCHEMA_VERSION})"
        raise Unreadable(f"{path}: written by a newer cultureops {known}; install that one")
    if version < 1 or not _has_events(connection):
        raise Unreadable(f"{path}: a database, but not a ledger; give the path of a ledger")


def read_rows(connection: sqlite3.Connection, after_position: int | None = None) -> Iterator[Row]:
    """Yield stored rows by position, as they are; a failing page raises sqlite3.Error."""
    columns = "SELECT position, stream, version, canonical, hash FROM events NOT INDEXED"
    after, values = ("", ()) if after_position is None else (" WHERE position > ?", (after_position,))
    for values_of_row in connection.execute(f"{columns}{after} ORDER BY position", values):
        yield Row(*values_of_row)


def leaves_of(path: Path) -> Leaves:
    """Return what reads events again, as leaves of the Merkle tree; it raises Unreadable."""

    def read(first: int, end: int) -> list[bytes]:
        connection = open_reader(path)
        try:
            query = "SELECT canonical FROM events WHERE position > ? AND position <= ? ORDER BY position"
            return [canonical for (canonical,) in connection.execute(query, (first, end))]
        except SQLITE_FAILURES as error:
            raise Unreadable(f"{path}: can't be read: {cause(error)}; run `cultureops verify`") from None
        finally:
            connection.close()

    return read


def last_row(connection: sqlite3.Connection) -> tuple[int, bytes] | None:
    """Return position and hash of the last row, None when there is no row."""
    last = "SELECT position, hash FROM events ORDER BY position DESC LIMIT 1"
    found: tuple[int, bytes] | None = connection.execute(last).fetchone()
    return found


def is_locked(error: Exception) -> bool:
    """Whether the database gave up because another connection held its lock."""
    return str(getattr(getattr(error, "orig", error), "sqlite_errorname", "")).startswith("SQLITE_BUSY")


def cause(error: Exception) -> str:
    """Return what the database said, in one line, without statement and parameters."""
    return " ".join(str(getattr(error, "orig", None) or error).split())[:200]


def _connect_read_only(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, WAIT_S, isolation_level=None, check_same_thread=False, uri=True)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except SQLITE_FAILURES as error:
        connection.close()
        # On read-only media SQLite can't make its shared index; without a log beside the file none is needed.
        log = path.with_name(f"{path.name}-wal")
        if getattr(error, "sqlite_errorname", "") != "SQLITE_READONLY_DIRECTORY" or log.exists():
            raise
        connection = sqlite3.connect(
            f"{uri}&immutable=1", WAIT_S, isolation_level=None, check_same_thread=False, uri=True
        )
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if version or tables:
            _check_schema(connection, path)
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # see checkpoint.py
        if version < SCHEMA_VERSION or _missing(connection):
            _create(connection, path)
    except SQLITE_FAILURES as error:
        raise Unreadable(f"{path}: can't be opened as a ledger: {cause(error)}") from None
    if mode != "wal":
        raise StorageError(f"{path}: no write-ahead log on this file system (got {mode}); use a local disk")


def _missing(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the statements that make the tables and guards that a file lacks, by name."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    events = str(CreateTable(EVENTS).compile(dialect=sqlite.dialect()))
    wanted = {"events": events, "claims": claim_table.DEFINITION, **head_table.DEFINITIONS, **_GUARDS}
    return {name: statement for name, statement in wanted.items() if name not in there}


def _create(connection: sqlite3.Connection, path: Path) -> None:
    """Make what is missing; another process may have made it just now."""
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    missing = _missing(connection)
    if version == SCHEMA_VERSION and (removed := sorted(missing.keys() - {"claims"})):
        log.error("guards were missing and are made anew; find out who removed them", ledger=str(path), guards=removed)
    for statement in missing.values():
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _has_events(connection: sqlite3.Connection) -> bool:
    query = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'events'"
    return connection.execute(query).fetchone() is not None


def _lenient_text(stored: bytes) -> str:
    """Damaged text must reach the comparison that names it, instead of failing as such."""
    return stored.decode("utf-8", "surrogateescape")
