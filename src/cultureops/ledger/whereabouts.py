"""Where a ledger is: the path of a file, or a storage."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Connection, text

from cultureops.errors import Unreadable
from cultureops.ledger.merkle import Leaves
from cultureops.ledger.sqlite_file import SqliteFile
from cultureops.ledger.storage import FAILURES, Storage, cause

__all__ = ["Whereabouts", "leaves_of", "open_reader", "storage_at"]

Whereabouts: TypeAlias = Path | Storage
"""A path means a SQLite file."""

_LEAVES = text("SELECT canonical FROM events WHERE position > :first AND position <= :end ORDER BY position")


def storage_at(where: Whereabouts) -> Storage:
    """Return the storage that is meant."""
    return SqliteFile(where) if isinstance(where, Path) else where


def open_reader(where: Whereabouts) -> Connection:
    """Open an existing ledger read-only beside whoever writes it, all in one transaction.

    Raises Unreadable when it isn't one. Closing the connection closes all of it.
    """
    return storage_at(where).open_reader()


def leaves_of(where: Whereabouts) -> Leaves:
    """Return what reads events again, as leaves of the Merkle tree; it raises Unreadable."""
    storage = storage_at(where)

    def read(first: int, end: int) -> list[bytes]:
        with storage.open_reader() as connection:
            try:
                return list(connection.execute(_LEAVES, {"first": first, "end": end}).scalars())
            except FAILURES as error:
                raise Unreadable(f"{storage.name}: can't be read: {cause(error)}; run `cultureops verify`") from None

    return read
