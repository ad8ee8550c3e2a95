"""Folding the write-ahead log back into the ledger's file, beside other processes that write to it.

Before 3.51.3 SQLite can damage a file when one connection folds its log back while another begins the log anew
(sqlite.org/wal.html, "The WAL-Reset Bug"). So no connection does it by itself after a commit; here it is done by a
second connection while the first holds the write lock, and nobody can write or do the same meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Engine

from cultureops.ledger.event import Event
from cultureops.ledger.guard import read_only
from cultureops.ledger.storage import cause

__all__ = ["Checkpoint"]

log = structlog.get_logger(__name__)

_LONG_PAGES: Final = 1000
_PAGE_BYTES: Final = 4096
_PAGES_A_COMMIT: Final = 4
"""Leaves of the table and its index, with what lies above them, that even one small event changes."""


class Checkpoint:
    """The connection that folds the log back, for the one thread of this process that writes."""

    def __init__(self, path: Path) -> None:
        self._pages = 0
        self._connection = sqlite3.connect(path, 0.0, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        read_only(self._connection)

    def note(self, committed: Iterable[Event]) -> None:
        """Count what a commit added to the log, about; its file never shrinks, so its length does not tell."""
        self._pages += _PAGES_A_COMMIT + sum(len(event.canonical) for event in committed) // _PAGE_BYTES

    @property
    def is_due(self) -> bool:
        """Whether the log has grown by about 1,000 pages."""
        return self._pages >= _LONG_PAGES

    def settle(self, writer: Engine) -> None:
        """Fold the log back when that is due."""
        if self.is_due:
            with writer.connect() as connection:
                self.make(connection.connection.driver_connection)

    def make(self, writer: Any) -> None:
        """Fold the log back under the writer's lock; what can't be now waits for the next time, the log holds it all.

        Nothing is written under that lock, so that the next commit finds all of the log folded back and begins it anew.
        """
        self._pages = 0
        try:
            writer.execute("BEGIN IMMEDIATE")
            try:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            finally:
                writer.execute("ROLLBACK")
        except sqlite3.Error as error:
            log.warning("the ledger's log could not be folded back; tried again later", error=cause(error))

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
