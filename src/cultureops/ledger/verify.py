"""Proof that a stored ledger is the one that was written, and how one is followed by those who open it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import structlog

from cultureops.errors import ChainBroken, StorageError, Unreadable
from cultureops.ledger.chain import Fault, Tail
from cultureops.ledger.claim_table import disagreement, read_claims, replace_claims
from cultureops.ledger.event import Event, decode
from cultureops.ledger.examine import CheckSignatures, examine, named
from cultureops.ledger.file import SQLITE_FAILURES, cause, leaves_of, open_reader, read_rows
from cultureops.ledger.finding import Finding, Kind
from cultureops.ledger.head import Head, PrintedHead
from cultureops.ledger.head_table import are_there, last_head
from cultureops.ledger.known import Known, fits

__all__ = ["complaint", "follow", "read_stream", "restore", "verify"]

log = structlog.get_logger(__name__)


def verify(
    path: Path, known: Head | PrintedHead | None = None, check_signatures: CheckSignatures | None = None
) -> Head:
    """Hash every stored event again, read-only and beside a running writer, and return the head.

    Without a head kept elsewhere, given as ``known``, nothing shows that file and heads together were put back to an
    earlier state. Raises ChainBroken with the first bad position and the kind of damage (see ``Kind``), Unreadable
    when file, page or row can't be read at all.
    """
    found = examine(path, [] if known is None else [Known("the head given", known)], check_signatures)
    if found.findings:
        raise complaint(path, found.findings[0])
    return found.head


def complaint(path: Path, finding: Finding) -> ChainBroken | Unreadable:
    """Return the error that says what is wrong with a ledger's file, and what to do."""
    text = (
        f"{path}: {finding}; keep the folder as evidence, run `cultureops verify --data-dir {path.parent}` to see all "
        "of it, and restore the newest verified backup"
    )
    return Unreadable(text) if finding.kind is Kind.UNREADABLE else ChainBroken(text)


def read_stream(path: Path, stream: str) -> tuple[Event, ...]:
    """Return the events of one stream, read-only and beside a running writer; raises Unreadable."""
    connection = open_reader(path)
    try:
        return tuple(decode(row.canonical, row.hash) for row in read_rows(connection) if row.stream == stream)
    except SQLITE_FAILURES as error:
        raise Unreadable(f"{path}: can't be read: {cause(error)}; restore a verified backup") from None
    finally:
        connection.close()


def restore(connection: sqlite3.Connection, path: Path) -> Tail:
    """Follow the whole chain as its writer, and make the table of claims anew where it is not what the events say.

    The newest head of the file is compared where it stands. Raises ChainBroken or Unreadable where the chain does not
    hold, StorageError where the table can't be written.
    """
    tail = Tail(leaves_of(path))
    try:
        connection.execute("BEGIN")
        _trace(connection, path, tail)
        edited = disagreement(read_claims(connection), tail.held)
        connection.execute("COMMIT")
        if edited is not None:
            log.error("the table of claims is made anew from the events", ledger=str(path), found=edited)
            connection.execute("BEGIN IMMEDIATE")
            _trace(connection, path, tail)
            replace_claims(connection, tail.held)
            connection.execute("COMMIT")
    except SQLITE_FAILURES as error:
        raise StorageError(f"{path}: its table of claims can't be made anew: {cause(error)}; open it again") from None
    return tail


def _trace(connection: sqlite3.Connection, path: Path, tail: Tail) -> None:
    """Move a tail to the end; what stands in events is not read, those who fold them do that."""
    try:
        newest = last_head(connection) if are_there(connection) else None
        head = None if newest is None else newest.head
        for row in read_rows(connection, tail.position or None):
            found = tail.follow(row)
            if isinstance(found, Fault):
                raise complaint(path, named(connection, tail, found))
            if head is not None and tail.position == head.size and not fits(head, tail):
                raise complaint(path, _first_bad(path))
        if head is not None and head.size > tail.position:
            raise complaint(path, _first_bad(path))
    except SQLITE_FAILURES as error:
        raise _unread(path, tail, error) from None


def _first_bad(path: Path) -> Finding:
    """Look at everything, to name what the newest head contradicts."""
    detail = "the newest head contradicts the events"
    return next(iter(examine(path).findings), Finding(Kind.HEAD, "newest head", detail))


def follow(connection: sqlite3.Connection, path: Path, tail: Tail) -> Iterator[Event]:
    """Move a tail over the rows behind it and yield their events; raise ChainBroken or Unreadable where that ends."""
    try:
        for row in read_rows(connection, tail.position or None):
            found = tail.follow_whole(row)
            if isinstance(found, Fault):
                raise complaint(path, named(connection, tail, found))
            yield found
    except SQLITE_FAILURES as error:
        raise _unread(path, tail, error) from None


def _unread(path: Path, tail: Tail, error: Exception) -> Unreadable:
    at = tail.position + 1
    finding = Finding(Kind.UNREADABLE, f"position {at}", f"can't be read: {cause(error)}", at)
    broken = complaint(path, finding)
    assert isinstance(broken, Unreadable)
    return broken
