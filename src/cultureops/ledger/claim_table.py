"""The table of claims: what the events say, kept so that the database refuses a second holder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from cultureops.errors import StorageError
from cultureops.ledger.claims import Holder, named
from cultureops.ledger.storage import cause
from cultureops.ledger.table import has_tables

__all__ = ["change_claims", "disagreement", "is_there", "read_claims", "replace_claims"]

_ALL: Final = text("SELECT name, stream, position FROM claims")
_RELEASE: Final = text("DELETE FROM claims WHERE name = :name AND stream = :stream AND position = :position")
_RELEASE_ALL: Final = text("DELETE FROM claims")
_CLAIM: Final = text("INSERT INTO claims (name, stream, position) VALUES (:name, :stream, :position)")
_NOT_THEIRS: Final = "the table of claims is not what the events say"
_MEND: Final = "nothing was recorded, open the ledger again, which makes the table anew"


def is_there(connection: Connection) -> bool:
    """Whether a ledger has the table; one written by an older cultureops has none, and no claims."""
    return has_tables(connection, "claims")


def read_claims(connection: Connection) -> dict[str, Holder]:
    """Return the stored table by name; empty where there is none."""
    if not is_there(connection):
        return {}
    return {name: Holder(stream, position) for name, stream, position in connection.execute(_ALL)}


def change_claims(connection: Connection, held: Mapping[str, Holder], changed: Mapping[str, Holder | None]) -> None:
    """Take the names of ``changed`` from their holders in ``held`` to their new ones, inside a transaction.

    Raises StorageError when the table is not as ``held`` says.
    """
    gone = [_row(name, held[name]) for name in changed if name in held]
    new = [_row(name, holder) for name, holder in changed.items() if holder is not None]
    try:
        removed = sum(connection.execute(_RELEASE, row).rowcount for row in gone)
        if new:
            connection.execute(_CLAIM, new)
    except IntegrityError as error:
        raise StorageError(f"{_NOT_THEIRS}: {cause(error)}; {_MEND}") from None
    if removed < len(gone):
        raise StorageError(f"{_NOT_THEIRS}: {len(gone) - removed} of the names to release are not in it; {_MEND}")


def replace_claims(connection: Connection, held: Mapping[str, Holder]) -> None:
    """Make the table anew, inside a transaction."""
    connection.execute(_RELEASE_ALL)
    if held:
        connection.execute(_CLAIM, [_row(name, holder) for name, holder in held.items()])


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


def _row(name: str, holder: Holder) -> dict[str, str | int]:
    return {"name": name, "stream": holder.stream, "position": holder.position}
