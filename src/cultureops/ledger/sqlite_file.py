"""The SQLite file of a ledger: its tables, their guards against change, and how it is opened."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from cultureops.errors import StorageError, Unreadable
from cultureops.ledger.checkpoint import Checkpoint
from cultureops.ledger.guard import append_only, read_only
from cultureops.ledger.sqlite_schema import SCHEMA_VERSION, missing_from
from cultureops.ledger.storage import FAILURES, WAIT_S, cause

__all__ = ["SqliteFile"]

log = structlog.get_logger(__name__)

_DRIVER_FAILURES: Final = (sqlite3.Error, UnicodeDecodeError)
_CHECK: Final = text("PRAGMA integrity_check(1)")


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A ledger in one file, written by processes of one machine in turn; see ``Storage``."""

    path: Path

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def kind(self) -> str:
        """A file."""
        return "file"

    @property
    def remedy(self) -> str:
        """What to do with a file that is damaged."""
        return (
            f"keep the folder as evidence, run `cultureops verify --data-dir {self.path.parent}` to see all of it, and "
            "restore the newest verified backup"
        )

    def engine_version(self, opened: Engine) -> str:
        """The version of the library."""
        return f"SQLite {sqlite3.sqlite_version}"

    def exists(self) -> bool:
        """Whether there is a file."""
        return self.path.is_file()

    def writer(self, *, is_lab: bool = False) -> Engine:
        """Open the writing connection, creating the file when absent; raise StorageError or Unreadable."""
        if not self.path.parent.is_dir():
            raise StorageError(f"{self.path}: its folder does not exist; create {self.path.parent} first")
        try:
            connection = sqlite3.connect(self.path, WAIT_S, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise Unreadable(
                f"{self.path}: can't be opened for writing: {cause(error)}; check its permissions"
            ) from None
        try:
            connection.text_factory = _lenient_text
            _prepare(connection, self.path)
            append_only(connection)
        except BaseException:
            connection.close()
            raise
        engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        event.listen(engine, "begin", _begin_writing)
        return engine

    def reader(self) -> Engine:
        """Open a pool of read-only connections, usable from any thread."""
        engine = create_engine("sqlite://", creator=lambda: _limited(self.path), poolclass=QueuePool)
        event.listen(engine, "begin", _begin)
        return engine

    def open_reader(self) -> Connection:
        """Open an existing ledger read-only beside whoever writes it; raise Unreadable when it isn't one."""
        if not self.path.is_file():
            raise Unreadable(f"{self.path}: no such file; give the path of a ledger")
        engine = create_engine("sqlite://", creator=lambda: _checked(self.path), poolclass=NullPool)
        event.listen(engine, "begin", _begin)
        try:
            return engine.connect()
        except FAILURES as error:
            raise Unreadable(f"{self.path}: can't be read: {cause(error)}") from None

    def folding(self) -> Checkpoint:
        """Return what folds the write-ahead log back."""
        return Checkpoint(self.path)

    def state(self, writer: Engine) -> object:
        """Return SQLite's own counter of what other connections have committed, without a transaction."""
        with writer.connect() as connection:
            driver: Any = connection.connection.driver_connection
            (data_version,) = driver.execute("PRAGMA data_version").fetchone()
        return data_version

    def structure(self, connection: Connection) -> str | None:
        """Say what SQLite finds damaged in its own structure."""
        try:
            found = connection.execute(_CHECK).scalar_one()
        except FAILURES as error:
            return cause(error)
        return None if found == "ok" else " ".join(str(found).split())

    def is_locked(self, error: Exception) -> bool:
        """Whether SQLite was busy."""
        return str(getattr(getattr(error, "orig", error), "sqlite_errorname", "")).startswith("SQLITE_BUSY")

    def is_lost(self, error: Exception) -> bool:
        """Never: there is no server, and a commit that fails was not made."""
        return False


def _begin_writing(connection: Connection) -> None:
    """Take the write lock at once: a transaction that reads first and writes then can be refused in between."""
    is_unlocked = connection.get_execution_options().get("is_unlocked", False)
    connection.exec_driver_sql("BEGIN" if is_unlocked else "BEGIN IMMEDIATE")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _limited(path: Path) -> sqlite3.Connection:
    connection = _connect_read_only(path)
    read_only(connection)
    return connection


def _checked(path: Path) -> sqlite3.Connection:
    connection = _connect_read_only(path)
    try:
        connection.text_factory = _lenient_text
        _check_schema(connection, path)
    except BaseException:
        connection.close()
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


def _connect_read_only(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, WAIT_S, isolation_level=None, check_same_thread=False, uri=True)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except _DRIVER_FAILURES as error:
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
        if version < SCHEMA_VERSION or missing_from(connection):
            _create(connection, path)
    except _DRIVER_FAILURES as error:
        raise Unreadable(f"{path}: can't be opened as a ledger: {cause(error)}") from None
    if mode != "wal":
        raise StorageError(f"{path}: no write-ahead log on this file system (got {mode}); use a local disk")


def _create(connection: sqlite3.Connection, path: Path) -> None:
    """Make what is missing; another process may have made it just now."""
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    missing = missing_from(connection)
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
