"""A ledger in a PostgreSQL database: several machines append to it, in turn, as a role that can do nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool

from cultureops.errors import StorageError, Unreadable
from cultureops.ledger.event import Event
from cultureops.ledger.postgres_connect import DURABLE, check_durable, engine_of, open_connection
from cultureops.ledger.postgres_schema import condition_of, revision_of, why_not_readable, why_not_writable
from cultureops.ledger.postgres_settings import PostgresSettings
from cultureops.ledger.postgres_wait import Hearing
from cultureops.ledger.storage import FAILURES, cause

__all__ = ["PostgresDatabase"]

WRITE_LOCK: Final = 0x63756C7475726500
"""Advisory locks are numbers of a database; this one is the ledger's."""
_TAKE_LOCK: Final = f"SELECT pg_advisory_xact_lock({WRITE_LOCK}), {DURABLE}"
_BE_THE_LAB: Final = f"SELECT pg_advisory_lock({WRITE_LOCK + 2})"
_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
_STATE: Final = text(
    "SELECT (SELECT max(number) FROM heads), position, hash FROM events ORDER BY position DESC LIMIT 1"
)
_LOST: Final = ("08", "57P")
"""SQLSTATE classes of a connection that failed and of a server that ends (PostgreSQL manual, appendix A)."""


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """A ledger in one database, prepared by ``postgres_schema.prepare``; see ``Storage``."""

    settings: PostgresSettings
    hearing: Hearing = field(default_factory=Hearing, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """User, server and database."""
        return self.settings.name

    @property
    def kind(self) -> str:
        """A database."""
        return "database"

    @property
    def remedy(self) -> str:
        """What to do with a database that is damaged."""
        return (
            "keep a copy of the database as evidence, run `cultureops verify` on the data folder to see all of it, and "
            "restore the newest verified backup"
        )

    def engine_version(self, opened: Engine) -> str:
        """The version of the server."""
        return f"PostgreSQL {'.'.join(map(str, opened.dialect.server_version_info or ()))}"

    def exists(self) -> bool:
        """Whether the database has a ledger's tables; raises Unreadable when nobody answers."""
        try:
            with open_connection(self.settings, is_read_only=True) as connection:
                return revision_of(connection) is not None
        except FAILURES as error:
            raise self._away(error) from None

    def writer(self, *, is_lab: bool = False) -> Engine:
        """Open the writing connection; raise StorageError for a database that is not fit to keep a record."""
        one = {"pool_size": 1, "max_overflow": 0, "pool_pre_ping": True}
        engine = engine_of(self.settings, QueuePool, one, is_locking=True, hearing=self.hearing)
        if is_lab:
            event.listen(engine, "connect", lambda driver, _: self._be_the_lab(driver))
        try:
            with engine.connect() as connection:
                wrong = why_not_writable(condition_of(connection))
        except FAILURES as error:
            engine.dispose()
            raise self._away(error) from None
        if wrong is not None:
            engine.dispose()
            raise StorageError(f"{self.name}: {wrong}")
        event.listen(engine, "begin", _begin_writing)
        return engine

    def _be_the_lab(self, driver: psycopg.Connection[Any]) -> None:
        """Take what only one lab has, for as long as the connection lasts; raises StorageError."""
        try:
            driver.execute(_BE_THE_LAB)
        except psycopg.errors.LockNotAvailable:
            driver.close()  # or the pool would give it out, the next time
            raise StorageError(
                f"{self.name}: another lab runs on it, and both would record every alarm; stop one of them, and give "
                "rooms of their own a gateway; a lab that was cut off has it for half a minute more"
            ) from None
        driver.commit()

    def reader(self) -> Engine:
        """Open a pool of read-only connections, usable from any thread; each statement sees what is committed."""
        # As many as there are threads that read: nobody waits for a connection that another holds.
        each = {"pool_pre_ping": True, "isolation_level": "AUTOCOMMIT", "max_overflow": -1}
        return engine_of(self.settings, QueuePool, each, is_read_only=True, hearing=self.hearing)

    def open_reader(self) -> Connection:
        """Open the ledger read-only as it is at this moment; raise Unreadable when there is none or nobody answers."""
        at_once = {"isolation_level": "REPEATABLE READ"}
        engine = engine_of(self.settings, NullPool, at_once, is_read_only=True)
        try:
            connection = engine.connect()
        except FAILURES as error:
            raise self._away(error) from None
        try:
            wrong = why_not_readable(revision_of(connection))
        except FAILURES as error:
            connection.close()
            raise Unreadable(f"{self.name}: can't be read: {cause(error)}") from None
        if wrong is not None:
            connection.close()
            raise Unreadable(f"{self.name}: {wrong}")
        return connection

    def folding(self) -> _NothingToFold:
        """Nothing: the server sees to its own log."""
        return _NothingToFold()

    def state(self, writer: Engine) -> object:
        """Return the last event and the number of the last head, in one question."""
        with writer.connect().execution_options(isolation_level="AUTOCOMMIT", is_unlocked=True) as connection:
            found = connection.execute(_STATE).first()
        return None if found is None else tuple(found)

    def structure(self, connection: Connection) -> str | None:
        """Nothing: a server names a damaged page itself when it is read."""
        return None

    def is_locked(self, error: Exception) -> bool:
        """Whether the lock was not to be had in time."""
        return _state_of(error) == "55P03"

    def is_lost(self, error: Exception) -> bool:
        """Whether the server ended, or a connection to it failed or could not be made."""
        if not isinstance(error, DBAPIError):
            return False
        state = _state_of(error)
        is_wordless = state is None and isinstance(error.orig, psycopg.OperationalError)
        return error.connection_invalidated or is_wordless or (state or "").startswith(_LOST)

    def _away(self, error: Exception) -> Unreadable:
        return Unreadable(f"{self.name}: can't be opened: {cause(error)}; start the server or mend the way to it")


class _NothingToFold:
    def note(self, committed: Iterable[Event]) -> None:
        """Count nothing."""

    def settle(self, writer: Engine) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Let go of nothing."""


def _begin_writing(connection: Connection) -> None:
    """Take the ledger's lock, or look at one moment of it without; a lock ends with its transaction."""
    options = connection.get_execution_options()
    if not options.get("is_unlocked", False):
        check_durable(connection.exec_driver_sql(_TAKE_LOCK).one().fsync)
    elif options.get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(_SNAPSHOT)


def _state_of(error: Exception) -> str | None:
    return getattr(getattr(error, "orig", error), "sqlstate", None)
