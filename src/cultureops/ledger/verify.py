"""Proof that a stored ledger is the one that was written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import structlog

from cultureops.errors import ChainBroken, StorageError, Unreadable
from cultureops.ledger.chain import Fault, Tail, diagnose
from cultureops.ledger.claim_table import disagreement, read_claims, replace_claims
from cultureops.ledger.event import Event, decode
from cultureops.ledger.file import SQLITE_FAILURES, cause, open_reader, read_rows
from cultureops.ledger.head import Head

__all__ = ["follow", "read_stream", "restore", "trace", "verify"]

log = structlog.get_logger(__name__)


def verify(path: Path, known: Head | None = None) -> Head:
    """Hash every stored event again, read-only and beside a running writer, and return the head.

    A bare chain can't show that its tail was cut off or that all of it was written anew; a head kept
    elsewhere, given as ``known``, does. Raises ChainBroken with the first bad position and the kind of damage
    (edited, deleted, inserted, reordered, stream version gap, claim, cut off, rewritten) or when the table of claims
    is not what the events say, Unreadable when file, page or row can't be read at all.
    """
    connection = open_reader(path)
    try:
        connection.execute("BEGIN")
        tail = trace(connection, path, known)
        edited = disagreement(read_claims(connection), tail.held)
        faults = [str(text) for (text,) in connection.execute("PRAGMA integrity_check(1)")]
    except SQLITE_FAILURES as error:
        raise Unreadable(f"{path}: can't be read: {cause(error)}; restore a verified backup") from None
    finally:
        connection.close()
    if faults != ["ok"]:
        structure = " ".join(faults[0].split())
        raise Unreadable(f"{path}: events are intact, but the file is damaged: {structure}; restore a backup")
    if edited is not None:
        raise ChainBroken(f"{path}: events are intact, but {edited}; open the ledger to have the table made anew")
    return tail.head


def read_stream(path: Path, stream: str) -> tuple[Event, ...]:
    """Return the events of one stream, read-only and beside a running writer; raises Unreadable."""
    connection = open_reader(path)
    try:
        return tuple(decode(row.canonical, row.hash) for row in read_rows(connection) if row.stream == stream)
    except SQLITE_FAILURES as error:
        raise Unreadable(f"{path}: can't be read: {cause(error)}; restore a verified backup") from None
    finally:
        connection.close()


def trace(connection: sqlite3.Connection, path: Path, known: Head | None = None) -> Tail:
    """Follow the chain over all rows; raise ChainBroken or Unreadable where it does not hold."""
    tail = Tail()
    for _ in follow(connection, path, tail):
        if known is not None and tail.position == known.position:
            _compare(path, tail.head, known)
    if known is not None and tail.position < known.position:
        raise _broken(path, f"position {tail.position + 1}: cut off: position {known.position} was there once")
    return tail


def restore(connection: sqlite3.Connection, path: Path) -> Tail:
    """Follow the whole chain as its writer, and make the table of claims anew where it is not what the events say.

    Raises ChainBroken or Unreadable where the chain does not hold, StorageError where the table can't be written.
    """
    try:
        connection.execute("BEGIN")
        tail = trace(connection, path)
        edited = disagreement(read_claims(connection), tail.held)
        connection.execute("COMMIT")
        if edited is not None:
            log.error("the table of claims is made anew from the events", ledger=str(path), found=edited)
            connection.execute("BEGIN IMMEDIATE")
            for _ in follow(connection, path, tail):
                pass
            replace_claims(connection, tail.held)
            connection.execute("COMMIT")
    except SQLITE_FAILURES as error:
        raise StorageError(f"{path}: its table of claims can't be made anew: {cause(error)}; open it again") from None
    return tail


def follow(connection: sqlite3.Connection, path: Path, tail: Tail) -> Iterator[Event]:
    """Move a tail over the rows behind it and yield their events; raise ChainBroken or Unreadable where that ends."""
    try:
        for row in read_rows(connection, tail.position or None):
            found = tail.follow(row)
            if isinstance(found, Fault):
                rows = read_rows(connection, tail.position)
                raise _broken(path, str(diagnose(tail, found, rows)))
            yield found
    except SQLITE_FAILURES as error:
        where = f"{path}: can't be read after position {tail.position}"
        raise Unreadable(f"{where}: {cause(error)}; restore a verified backup") from None


def _compare(path: Path, found: Head, known: Head) -> None:
    if found != known:
        raise _broken(path, f"position {known.position}: rewritten: its hash is not the known one")


def _broken(path: Path, what: str) -> ChainBroken:
    """Say that a ledger is not as it was written, and what to do."""
    return ChainBroken(f"{path}: {what}; keep the file as evidence and restore a verified backup")
