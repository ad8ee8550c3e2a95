"""Proof that a stored ledger is the one that was written, and how one is followed by those who open it."""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from sqlalchemy import Connection, Engine

from cultureops.errors import ChainBroken, StorageError, Unreadable
from cultureops.ledger.chain import Fault, Tail
from cultureops.ledger.claim_table import disagreement, read_claims, replace_claims
from cultureops.ledger.event import Event, decode
from cultureops.ledger.examine import CheckSignatures, examine, named
from cultureops.ledger.finding import Finding, Kind
from cultureops.ledger.head import Head, PrintedHead
from cultureops.ledger.head_table import are_there, last_head
from cultureops.ledger.known import Known, fits
from cultureops.ledger.storage import FAILURES, UNLOCKED, Storage, cause
from cultureops.ledger.table import read_rows
from cultureops.ledger.whereabouts import Whereabouts, leaves_of, open_reader, storage_at

__all__ = ["complaint", "follow", "read_stream", "restore", "verify"]

log = structlog.get_logger(__name__)


def verify(
    where: Whereabouts, known: Head | PrintedHead | None = None, check_signatures: CheckSignatures | None = None
) -> Head:
    """Hash every stored event again, read-only and beside a running writer, and return the head.

    Without a head kept elsewhere, given as ``known``, nothing shows that events and heads together were put back to an
    earlier state. Raises ChainBroken with the first bad position and the kind of damage (see ``Kind``), Unreadable
    when file, database, page or row can't be read at all.
    """
    found = examine(where, [] if known is None else [Known("the head given", known)], check_signatures)
    if found.findings:
        raise complaint(storage_at(where), found.findings[0])
    return found.head


def complaint(storage: Storage, finding: Finding) -> ChainBroken | Unreadable:
    """Return the error that says what is wrong with a ledger, and what to do."""
    text = f"{storage.name}: {finding}; {storage.remedy}"
    return Unreadable(text) if finding.kind is Kind.UNREADABLE else ChainBroken(text)


def read_stream(where: Whereabouts, stream: str) -> tuple[Event, ...]:
    """Return the events of one stream, read-only and beside a running writer; raises Unreadable."""
    with open_reader(where) as connection:
        try:
            return tuple(decode(row.canonical, row.hash) for row in read_rows(connection) if row.stream == stream)
        except FAILURES as error:
            name = storage_at(where).name
            raise Unreadable(f"{name}: can't be read: {cause(error)}; restore a verified backup") from None


def restore(writer: Engine, storage: Storage) -> Tail:
    """Follow the whole chain as its writer, and make the table of claims anew where it is not what the events say.

    The newest head of the ledger is compared where it stands. Raises ChainBroken or Unreadable where the chain does not
    hold, StorageError where the table can't be written.
    """
    tail = Tail(leaves_of(storage))
    try:
        with writer.connect().execution_options(**UNLOCKED) as connection:
            _trace(connection, storage, tail)
            edited = disagreement(read_claims(connection), tail.held)
        if edited is not None:
            log.error("the table of claims is made anew from the events", ledger=storage.name, found=edited)
            with writer.begin() as connection:
                _trace(connection, storage, tail)
                replace_claims(connection, tail.held)
    except FAILURES as error:
        raise StorageError(
            f"{storage.name}: its table of claims can't be made anew: {cause(error)}; open it again"
        ) from None
    return tail


def _trace(connection: Connection, storage: Storage, tail: Tail) -> None:
    """Move a tail to the end; what stands in events is not read, those who fold them do that."""
    try:
        newest = last_head(connection) if are_there(connection) else None
        head = None if newest is None else newest.head
        for row in read_rows(connection, tail.position or None):
            found = tail.follow(row)
            if isinstance(found, Fault):
                raise complaint(storage, named(storage, connection, tail, found))
            if head is not None and tail.position == head.size and not fits(head, tail):
                raise complaint(storage, _first_bad(storage))
        if head is not None and head.size > tail.position:
            raise complaint(storage, _first_bad(storage))
    except FAILURES as error:
        raise _unread(storage, tail, error) from None


def _first_bad(storage: Storage) -> Finding:
    """Look at everything, to name what the newest head contradicts."""
    detail = "the newest head contradicts the events"
    return next(iter(examine(storage).findings), Finding(Kind.HEAD, "newest head", detail))


def follow(connection: Connection, where: Whereabouts, tail: Tail) -> Iterator[Event]:
    """Move a tail over the rows behind it and yield their events; raise ChainBroken or Unreadable where that ends."""
    storage = storage_at(where)
    try:
        for row in read_rows(connection, tail.position or None):
            found = tail.follow_whole(row)
            if isinstance(found, Fault):
                raise complaint(storage, named(storage, connection, tail, found))
            yield found
    except FAILURES as error:
        raise _unread(storage, tail, error) from None


def _unread(storage: Storage, tail: Tail, error: Exception) -> Unreadable:
    if storage.is_lost(error):
        return Unreadable(f"{storage.name}: the connection was lost: {cause(error)}; try again")
    at = tail.position + 1
    finding = Finding(Kind.UNREADABLE, f"position {at}", f"can't be read: {cause(error)}", at)
    broken = complaint(storage, finding)
    assert isinstance(broken, Unreadable)
    return broken
