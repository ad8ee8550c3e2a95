"""Proof that a stored ledger is the one that was written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cultureops.errors import ChainBroken, Unreadable
from cultureops.ledger.chain import Tail, diagnose
from cultureops.ledger.event import Event, decode
from cultureops.ledger.file import SQLITE_FAILURES, cause, open_reader, read_rows
from cultureops.ledger.head import Head

__all__ = ["read_stream", "trace", "verify"]


def verify(path: Path, known: Head | None = None) -> Head:
    """Hash every stored event again, read-only and beside a running writer, and return the head.

    A bare chain can't show that its tail was cut off or that all of it was written anew; a head kept
    elsewhere, given as ``known``, does. Raises ChainBroken with the first bad position and the kind of damage
    (edited, deleted, inserted, reordered, stream version gap, cut off, rewritten), Unreadable when file, page
    or row can't be read at all.
    """
    connection = open_reader(path)
    try:
        connection.execute("BEGIN")
        tail = trace(connection, path, known)
        faults = [str(text) for (text,) in connection.execute("PRAGMA integrity_check(1)")]
    except SQLITE_FAILURES as error:
        raise Unreadable(f"{path}: can't be read: {cause(error)}; restore a verified backup") from None
    finally:
        connection.close()
    if faults != ["ok"]:
        structure = " ".join(faults[0].split())
        raise Unreadable(f"{path}: events are intact, but the file is damaged: {structure}; restore a backup")
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
    try:
        for row in read_rows(connection):
            if fault := tail.follow(row):
                rows = read_rows(connection, tail.position)
                raise _broken(path, str(diagnose(tail, fault, rows)))
            if known is not None and tail.position == known.position:
                _compare(path, tail.head, known)
    except SQLITE_FAILURES as error:
        where = f"{path}: can't be read after position {tail.position}"
        raise Unreadable(f"{where}: {cause(error)}; restore a verified backup") from None
    if known is not None and tail.position < known.position:
        raise _broken(path, f"position {tail.position + 1}: cut off: position {known.position} was there once")
    return tail


def _compare(path: Path, found: Head, known: Head) -> None:
    if found != known:
        raise _broken(path, f"position {known.position}: rewritten: its hash is not the known one")


def _broken(path: Path, what: str) -> ChainBroken:
    """Say that a ledger is not as it was written, and what to do."""
    return ChainBroken(f"{path}: {what}; keep the file as evidence and restore a verified backup")
