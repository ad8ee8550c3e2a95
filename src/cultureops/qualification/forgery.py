"""Forgeries of a ledger as root would make them, with its guards taken away; a verification has to find each."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

__all__ = ["FORGERIES", "forge"]


def forge(ledger: Path, change: Callable[[sqlite3.Connection], None]) -> None:
    """Take the guards from a ledger's file and change it."""
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        for (guard,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{guard}"')
        change(connection)


def _edited(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE events SET canonical = CAST(replace(CAST(canonical AS TEXT), 'noted', 'novel') AS BLOB) "
                       "WHERE position = 5")  # fmt: skip


def _deleted(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM events WHERE position = 5")


def _moved(connection: sqlite3.Connection) -> None:
    for new, old in ((99, 5), (5, 6), (6, 99)):
        connection.execute("UPDATE events SET position = ? WHERE position = ?", (new, old))


def _inserted(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO events SELECT 13, 'note:9', 1, canonical, hash FROM events WHERE position = 1")


def _cut_off(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM events WHERE position > 10")


FORGERIES: Final[dict[str, Callable[[sqlite3.Connection], None]]] = {
    "edited": _edited, "deleted": _deleted, "reordered": _moved, "inserted": _inserted, "cut off": _cut_off,
}  # fmt: skip
"""By what is done."""
