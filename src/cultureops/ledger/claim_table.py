"""The table of claims in a ledger's file: what the events say, kept so that the database refuses a second holder."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from cultureops.errors import StorageError
from cultureops.ledger.claims import Holder, named

__all__ = ["DEFINITION", "change_claims", "disagreement", "is_there", "read_claims", "replace_claims"]

DEFINITION: Final = """CREATE TABLE claims (
    name TEXT NOT NULL PRIMARY KEY,
    stream TEXT NOT NULL,
    position INTEGER NOT NULL
) WITHOUT ROWID"""

_NOT_THEIRS: Final = "the table of claims is not what the events say"
_MEND: Final = "nothing was recorded, open the ledger again, which makes the table anew"


def is_there(connection: sqlite3.Connection) -> bool:
    """Whether a file has the table; one written by an older cultureops has none, and no claims."""
    query = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'claims'"
    return connection.execute(query).fetchone() is not None


def read_claims(connection: sqlite3.Connection) -> dict[str, Holder]:
    """Return the stored table by name; empty where there is none."""
    if not is_there(connection):
        return {}
    rows = connection.execute("SELECT name, stream, position FROM claims")
    return {name: Holder(stream, position) for name, stream, position in rows}


def change_claims(
    connection: sqlite3.Connection, held: Mapping[str, Holder], changed: Mapping[str, Holder | None]
) -> None:
    """Take the names of ``changed`` from their holders in ``held`` to their new ones, inside a transaction.

    Raises StorageError when the table is not as ``held`` says.
    """
    gone = [(name, *held[name]) for name in changed if name in held]
    new = [(name, *holder) for name, holder in changed.items() if holder is not None]
    try:
        removed = sum(
            connection.execute("DELETE FROM claims WHERE name = ? AND stream = ? AND position = ?", row).rowcount
            for row in gone
        )
        connection.executemany("INSERT INTO claims VALUES (?, ?, ?)", new)
    except sqlite3.IntegrityError as error:
        raise StorageError(f"{_NOT_THEIRS}: {error}; {_MEND}") from None
    if removed < len(gone):
        raise StorageError(f"{_NOT_THEIRS}: {len(gone) - removed} of the names to release are not in it; {_MEND}")


def replace_claims(connection: sqlite3.Connection, held: Mapping[str, Holder]) -> None:
    """Make the table anew, inside a transaction."""
    connection.execute("DELETE FROM claims")
    connection.executemany("INSERT INTO claims VALUES (?, ?, ?)", [(name, *holder) for name, holder in held.items()])


def disagreement(stored: Mapping[str, Holder], held: Mapping[str, Holder]) -> str | None:
    """Say where a stored table differs from what the events say; None where it does not."""
    if stored == held:
        return None
    names = [name for name in {**held, **stored} if stored.get(name) != held.get(name)]
    first = min(names, key=str)
    return (
        f"{_NOT_THEIRS}: {first!r} stands there with {named(stored.get(first))} and belongs to "
        f"{named(held.get(first))}; {len(names)} such names"
    )
