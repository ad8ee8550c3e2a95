"""The tables of signed heads in a ledger's file, and of the time stamps that others gave them; both only grow."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

from cultureops.ledger.signed_head import SignedHead

__all__ = [
    "DEFINITIONS", "GUARDS", "StoredHead", "StoredStamp", "are_there", "last_head", "put_head", "put_stamp",
    "read_heads", "read_stamps",
]  # fmt: skip

DEFINITIONS: Final = {
    "heads": """CREATE TABLE heads (
    number INTEGER PRIMARY KEY,
    size INTEGER NOT NULL UNIQUE,
    root BLOB NOT NULL CHECK (length(root) = 32),
    chain_hash BLOB NOT NULL CHECK (length(chain_hash) = 32),
    signed_at INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    origin TEXT NOT NULL
)""",
    "stamps": """CREATE TABLE stamps (
    number INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    authority TEXT NOT NULL,
    token BLOB NOT NULL,
    UNIQUE (size, authority)
)""",
}
GUARDS: Final = {
    "heads_stay": """CREATE TRIGGER heads_stay BEFORE UPDATE ON heads
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no head is ever changed'); END""",
    "heads_last": """CREATE TRIGGER heads_last BEFORE DELETE ON heads
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no head is ever deleted'); END""",
    "heads_follow": """CREATE TRIGGER heads_follow BEFORE INSERT ON heads
    WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM heads)
      OR NEW.size <= (SELECT coalesce(max(size), 0) FROM heads)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: heads have no gaps'); END""",
    "stamps_stay": """CREATE TRIGGER stamps_stay BEFORE UPDATE ON stamps
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no time stamp is ever changed'); END""",
    "stamps_last": """CREATE TRIGGER stamps_last BEFORE DELETE ON stamps
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: no time stamp is ever deleted'); END""",
    "stamps_follow": """CREATE TRIGGER stamps_follow BEFORE INSERT ON stamps
    WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM stamps)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: time stamps have no gaps'); END""",
}
_COLUMNS: Final = "number, size, root, chain_hash, signed_at, key_id, signature, origin"


class StoredHead(NamedTuple):
    """One stored row, believed in nothing but its number; ``head`` is None where the rest can't be a head."""

    number: int
    head: SignedHead | None


class StoredStamp(NamedTuple):
    """A time stamp's token [DER] on the head of a size, by the authority of an address."""

    number: int
    size: int
    authority: str
    token: bytes


def are_there(connection: sqlite3.Connection) -> bool:
    """Whether a file has the tables; one written by an older cultureops has none, and no heads."""
    query = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('heads', 'stamps')"
    return bool(connection.execute(query).fetchone()[0] == 2)


def read_heads(connection: sqlite3.Connection, after_number: int = 0) -> Iterator[StoredHead]:
    """Yield the stored heads by number, as they are; none where there is no table."""
    if not are_there(connection):
        return
    for row in connection.execute(f"SELECT {_COLUMNS} FROM heads WHERE number > ? ORDER BY number", (after_number,)):
        yield _stored(row)


def last_head(connection: sqlite3.Connection) -> StoredHead | None:
    """Return the newest head, None where there is none."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM heads ORDER BY number DESC LIMIT 1").fetchone()
    return None if row is None else _stored(row)


def put_head(connection: sqlite3.Connection, head: SignedHead) -> None:
    """Write the next head, inside a transaction."""
    root, chain_hash, signature = (bytes.fromhex(text) for text in (head.root, head.chain_hash, head.signature))
    connection.execute(
        "INSERT INTO heads SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?, ? FROM heads",
        (head.size, root, chain_hash, head.signed_at, head.key_id, signature, head.origin),
    )


def read_stamps(connection: sqlite3.Connection) -> list[StoredStamp]:
    """Return the stored time stamps by number, as they are."""
    if not are_there(connection):
        return []
    return [StoredStamp(*row) for row in connection.execute("SELECT * FROM stamps ORDER BY number")]


def put_stamp(connection: sqlite3.Connection, size: int, authority: str, token: bytes) -> None:
    """Write the next time stamp, inside a transaction."""
    connection.execute(
        "INSERT INTO stamps SELECT coalesce(max(number), 0) + 1, ?, ?, ? FROM stamps", (size, authority, token)
    )


def _stored(row: tuple[object, ...]) -> StoredHead:
    number, size, root, chain_hash, signed_at, key_id, signature, origin = row
    assert isinstance(number, int)  # SQLite keeps nothing else in an INTEGER PRIMARY KEY
    if not (isinstance(root, bytes) and isinstance(chain_hash, bytes) and isinstance(signature, bytes)):
        return StoredHead(number, None)
    try:
        head = SignedHead.checked(size, root.hex(), signed_at, key_id, signature.hex(), chain_hash.hex(), origin)
    except (ValueError, TypeError):
        return StoredHead(number, None)
    return StoredHead(number, head)
