"""Bringing a ledger's rows from one storage into another, each byte as it is, and comparing what both hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

from cultureops.errors import ChainBroken, StorageError
from cultureops.ledger.chain import Fault, Row, Tail
from cultureops.ledger.claim_table import replace_claims
from cultureops.ledger.head import Head

__all__ = ["Brought", "bring_rows", "compare_rows"]

_PAGE: Final = 1000


class _Table(NamedTuple):
    name: str
    columns: tuple[str, ...]
    """The first is the number without gaps by which rows are in order."""


_EVENTS: Final = _Table("events", ("position", "stream", "version", "canonical", "hash"))
_TABLES: Final = (
    _EVENTS,
    _Table("heads", ("number", "size", "root", "chain_hash", "signed_at", "key_id", "signature", "origin")),
    _Table("stamps", ("number", "size", "authority", "token")),
)
"""What is record; claims are made anew from the events."""


class Brought(NamedTuple):
    """Where the ledger ends that was brought over, and how many rows were new to the target."""

    head: Head
    events: int
    heads: int
    stamps: int


def bring_rows(
    source: Connection,
    target: Connection,
    show: Callable[[int, int], None] | None = None,
    *,
    may_be_ahead: bool = False,
) -> Brought:
    """Append to a target what it lacks of a source, inside the transactions of both; ``show`` is told rows and all.

    What the target has already must be the beginning of the source, or the other way round where it ``may_be_ahead``.
    Raises StorageError where it is another history or a longer one, ChainBroken where the source's own chain does not
    hold; then nothing may be committed.
    """
    tail, new = Tail(), []
    total = sum(source.execute(text(f"SELECT count(*) FROM {table.name}")).scalar_one() for table in _TABLES)
    done = 0

    def note(count: int) -> None:
        nonlocal done
        done += count
        if show is not None:
            show(done, total)

    for table in _TABLES:
        rows = _rows(source, table)
        new.append(_append(target, table, _followed(rows, tail) if table is _EVENTS else rows, note, may_be_ahead))
    if new[0]:
        replace_claims(target, tail.held)
    return Brought(tail.head, *new)


def compare_rows(source: Connection, target: Connection, *, may_be_ahead: bool = False) -> None:
    """Raise StorageError at the first row of a source that a target does not hold, byte for byte, or holds besides.

    A target that ``may_be_ahead`` may hold more behind all of them.
    """
    for table in _TABLES:
        for number, (left, right) in enumerate(zip_longest(_rows(source, table), _rows(target, table)), 1):
            if left is None and may_be_ahead:
                break
            if left != right:
                raise StorageError(f"row {number} of {table.name} differs between the two; nothing was switched")


def _followed(rows: Iterator[tuple[Any, ...]], tail: Tail) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        found = tail.follow(Row(*row))
        if isinstance(found, Fault):
            raise ChainBroken(f"position {row[0]}: the chain does not hold; run `cultureops verify` before moving it")
        yield row


def _append(
    target: Connection,
    table: _Table,
    rows: Iterator[tuple[Any, ...]],
    note: Callable[[int], None],
    may_be_ahead: bool,
) -> int:
    """Compare rows with those that are there, append the rest, and return how many these were."""
    there, new, page = _rows(target, table), 0, []
    for row in rows:
        stored = next(there, None)
        if stored is None:
            page.append(row)
        elif stored != row:
            raise StorageError(
                f"the target holds another history: {table.name[:-1]} {row[0]} is not the one of this ledger; name an "
                "empty database, or none of another lab"
            )
        else:
            note(1)
        if len(page) == _PAGE:
            new += _put(target, table, page)
            note(len(page))
            page = []
    if next(there, None) is not None and not may_be_ahead:
        raise StorageError(
            f"the target holds more {table.name} than this ledger: it is newer, or another's; find out which is in use"
        )
    note(len(page))
    return new + _put(target, table, page)


def _put(target: Connection, table: _Table, rows: Sequence[tuple[Any, ...]]) -> int:
    if rows:
        values = ", ".join(f":{column}" for column in table.columns)
        statement = text(f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({values})")
        target.execute(statement, [dict(zip(table.columns, row, strict=True)) for row in rows])
    return len(rows)


def _rows(connection: Connection, table: _Table) -> Iterator[tuple[Any, ...]]:
    query = text(f"SELECT {', '.join(table.columns)} FROM {table.name} ORDER BY {table.columns[0]}")
    with connection.execute(query, execution_options={"yield_per": _PAGE}) as found:
        for row in found:
            yield tuple(row)
