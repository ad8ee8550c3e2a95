"""The rows of a vault in a file of their own, beside the ledger's; see ``vault.py``.

Each transaction opens the file and closes it; they are few, and may come from several threads and processes.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from cultureops.errors import AccessError, StorageError

__all__ = ["SECRETS_FILE", "SecretsFile"]

SECRETS_FILE: Final = "access.sqlite"
SCHEMA_VERSION: Final = 1
_WAIT_S: Final = 5.0
_TABLE: Final = """CREATE TABLE secrets (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, owner TEXT NOT NULL, value BLOB NOT NULL, counter INTEGER NOT NULL
) STRICT"""


class SecretsFile:
    """A SQLite file of secrets, readable by this account of the machine only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._engine = create_engine("sqlite://", creator=self._connect, poolclass=NullPool)
        event.listen(self._engine, "begin", lambda opened: opened.exec_driver_sql("BEGIN IMMEDIATE"))

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    @property
    def remedy(self) -> str:
        """What to do when the file can't be used."""
        return f"restore it from the backup (both {self.path.name} and keys/access.key)"

    def is_there(self) -> bool:
        """Whether there is such a file."""
        return self.path.is_file()

    def prepare(self) -> None:
        """Make the file where there is none; raises AccessError for one of a newer program, StorageError."""
        try:
            if not self.path.exists():
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
            if self.path.stat().st_mode & 0o077:
                self.path.chmod(0o600)
        except OSError as error:
            raise StorageError(f"{self.path}: {error.strerror or error}; check disk and owner") from None
        with self.begin() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version > SCHEMA_VERSION:
                raise AccessError(f"{self.path}: written by a newer cultureops (version {version}); install that one")
            if version == 0:
                connection.exec_driver_sql(_TABLE)
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give a transaction that is durable when it ends; raises StorageError."""
        with self._lock:
            try:
                with self._engine.begin() as connection:
                    yield connection
            except (SQLAlchemyError, sqlite3.Error, UnicodeDecodeError) as error:
                said = " ".join(str(getattr(error, "orig", None) or error).split())
                raise StorageError(f"{self.path}: {said}; check disk and owner, or {self.remedy}") from None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, _WAIT_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        return connection
