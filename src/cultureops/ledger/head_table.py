"""The tables of signed heads, and of the time stamps that others gave them; both only grow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

from cultureops.ledger.signed_head import SignedHead
from cultureops.ledger.table import has_tables

__all__ = [
    "StoredHead", "StoredStamp", "are_there", "last_head", "put_head", "put_stamp", "read_heads", "read_stamps",
]  # fmt: skip

_COLUMNS: Final = "number, size, root, chain_hash, signed_at, key_id, signature, origin"
_HEADS: Final = text(f"SELECT {_COLUMNS} FROM heads WHERE number > :after ORDER BY number")
_LAST_HEAD: Final = text(f"SELECT {_COLUMNS} FROM heads ORDER BY number DESC LIMIT 1")
_STAMPS: Final = text("SELECT number, size, authority, token FROM stamps ORDER BY number")
_PUT_HEAD: Final = text(
    f"INSERT INTO heads ({_COLUMNS}) SELECT coalesce(max(number), 0) + 1, "
    ":size, :root, :chain_hash, :signed_at, :key_id, :signature, :origin FROM heads"
)
_PUT_STAMP: Final = text(
    "INSERT INTO stamps (number, size, authority, token) "
    "SELECT coalesce(max(number), 0) + 1, :size, :authority, :token FROM stamps"
)


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


def are_there(connection: Connection) -> bool:
    """Whether a ledger has the tables; one written by an older cultureops has none, and no heads."""
    return has_tables(connection, "heads", "stamps")


def read_heads(connection: Connection, after_number: int = 0) -> Iterator[StoredHead]:
    """Yield the stored heads by number, as they are; none where there is no table."""
    if not are_there(connection):
        return
    for row in connection.execute(_HEADS, {"after": after_number}):
        yield _stored(row)


def last_head(connection: Connection) -> StoredHead | None:
    """Return the newest head, None where there is none."""
    row = connection.execute(_LAST_HEAD).first()
    return None if row is None else _stored(row)


def put_head(connection: Connection, head: SignedHead) -> None:
    """Write the next head, inside a transaction."""
    data = {name: bytes.fromhex(getattr(head, name)) for name in ("root", "chain_hash", "signature")}
    plain = {name: getattr(head, name) for name in ("size", "signed_at", "key_id", "origin")}
    connection.execute(_PUT_HEAD, data | plain)


def read_stamps(connection: Connection) -> list[StoredStamp]:
    """Return the stored time stamps by number, as they are."""
    if not are_there(connection):
        return []
    return [StoredStamp(*row) for row in connection.execute(_STAMPS)]


def put_stamp(connection: Connection, size: int, authority: str, token: bytes) -> None:
    """Write the next time stamp, inside a transaction."""
    connection.execute(_PUT_STAMP, {"size": size, "authority": authority, "token": token})


def _stored(row: Sequence[Any]) -> StoredHead:
    number, size, root, chain_hash, signed_at, key_id, signature, origin = row
    assert isinstance(number, int)  # both databases keep nothing else in the key
    if not (isinstance(root, bytes) and isinstance(chain_hash, bytes) and isinstance(signature, bytes)):
        return StoredHead(number, None)
    try:
        head = SignedHead.checked(size, root.hex(), signed_at, key_id, signature.hex(), chain_hash.hex(), origin)
    except (ValueError, TypeError):
        return StoredHead(number, None)
    return StoredHead(number, head)
