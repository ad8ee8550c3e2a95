"""What the service's own connections to a ledger may do: read, append, and nothing else.

The triggers in the file bind everybody who writes to it through SQLite; these limits bind the service besides, whatever
becomes of the triggers. Who can write to the file itself is bound by neither: that is what signed heads are for.
"""

from __future__ import annotations

import sqlite3
from typing import Final

__all__ = ["append_only", "read_only"]

_READS: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_ASKED: Final = frozenset(
    {"data_version", "journal_mode", "read_uncommitted", "synchronous", "user_version", "wal_autocheckpoint"}
)
"""Pragmas that may be asked and not set; the others change nothing that is stored."""
_DONE: Final = frozenset({"busy_timeout", "integrity_check", "wal_checkpoint"})
_GROW: Final = frozenset({"events", "heads", "stamps", "claims"})
_SHRINK: Final = frozenset({"claims"})
"""The one table that is not record but register: made anew from the events whenever it differs."""


def append_only(connection: sqlite3.Connection) -> None:
    """Have a connection refuse all but reading and appending (sqlite.org/c3ref/set_authorizer.html)."""
    connection.set_authorizer(_may_append)


def read_only(connection: sqlite3.Connection) -> None:
    """Have a connection refuse all but reading."""
    connection.set_authorizer(_may_read)


def _may_append(action: int, first: str | None, second: str | None, database: str | None, inner: str | None) -> int:
    if (action == sqlite3.SQLITE_INSERT and first in _GROW) or (action == sqlite3.SQLITE_DELETE and first in _SHRINK):
        return sqlite3.SQLITE_OK
    return _may_read(action, first, second, database, inner)


def _may_read(action: int, first: str | None, second: str | None, database: str | None, inner: str | None) -> int:
    if action in _READS or action == sqlite3.SQLITE_TRANSACTION:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and (first in _DONE or (first in _ASKED and second is None)):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
