"""The rows of a vault in the database that keeps the ledger, for several nodes at once; see ``vault.py``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from cultureops.errors import StorageError
from cultureops.ledger.postgres_connect import DURABLE, check_durable, engine_of
from cultureops.ledger.postgres_settings import PostgresSettings

__all__ = ["SecretsTable"]


class SecretsTable:
    """The table ``secrets`` beside the tables of a ledger in PostgreSQL."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._engine = engine_of(settings, NullPool, application="cultureops access", is_locking=True)

    @property
    def name(self) -> str:
        """The database and the table."""
        return f"{self._settings.name}, table secrets"

    @property
    def remedy(self) -> str:
        """What to do when its rows can't be used."""
        return "restore the table from the backup, and keys/access.key into the data folder of this node"

    def is_there(self) -> bool:
        """Whether the table has a row: it is made empty, together with the ledger's."""
        with self.begin() as connection:
            return bool(connection.exec_driver_sql("SELECT EXISTS (SELECT FROM secrets)").scalar_one())

    def prepare(self) -> None:
        """See that the table is there and may be used; it is made by who owns the database. Raises StorageError."""
        self.is_there()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give a transaction that is durable when it ends; raises StorageError."""
        with self._lock:
            try:
                with self._engine.begin() as connection:
                    check_durable(connection.exec_driver_sql(f"SELECT {DURABLE}").one().fsync)
                    yield connection
            except SQLAlchemyError as error:
                said = " ".join(str(getattr(error, "orig", None) or error).split())[:200]
                raise StorageError(
                    f"{self.name}: {said}; see that the server answers and that `cultureops ledger prepare` was run"
                ) from None
