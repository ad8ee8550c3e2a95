"""Moving the ledger of a data folder, with its secrets, into a database, or out of one back into the folder.

The source is never changed before the target is whole, compared row by row, and pointed to; what is cut short at any
moment is ended by giving the same command again.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from cultureops.access.secrets_file import SECRETS_FILE, SecretsFile
from cultureops.access.secrets_table import SecretsTable
from cultureops.access.signature import check_signatures
from cultureops.access.vault import replace_secrets
from cultureops.clock import SystemClock, SystemEntropy, iso
from cultureops.errors import ConfigError, StorageError
from cultureops.ledger.event import Actor, JsonValue, NewEvent, Source
from cultureops.ledger.generation import STREAM
from cultureops.ledger.head import Head
from cultureops.ledger.pointer import POINTER_FILE, point_to, pointed
from cultureops.ledger.postgres_settings import PostgresSettings
from cultureops.ledger.sqlite_file import SqliteFile
from cultureops.ledger.storage import FAILURES, WAIT_S, Storage, cause
from cultureops.ledger.store import SqlLedger
from cultureops.ledger.transfer import bring_rows, compare_rows
from cultureops.ledger.verify import read_stream, verify
from cultureops.recording import LEDGER_FILE, MOVED, PREPARE, TELEMETRY_FOLDER, storage_of
from cultureops.telemetry.file import lock_for_writing, rename_durably

__all__ = ["LEDGER_MOVED", "Moved", "move_to_database", "move_to_file"]

LEDGER_MOVED: Final = "ledger_moved"
_UNFINISHED: Final = ".new"
_COMPANY: Final = text(
    "SELECT count(*), min(coalesce(host(client_addr), 'this machine') || ' ' || application_name) "
    "FROM pg_catalog.pg_stat_activity WHERE datname = current_database() AND usename = current_user "
    "AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend'"
)
_STAY: Final = text("SET LOCAL idle_in_transaction_session_timeout = 0")
"""This transaction holds the lock while all is copied and compared over others."""
Show = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Moved:
    """From where to where a ledger was moved, where it ended then, and how many rows were new there."""

    source: str
    target: str
    head: Head
    events: int
    secrets: int


def move_to_database(data_dir: Path, wanted: PostgresSettings, reason: str, show: Show | None = None) -> Moved:
    """Move the ledger of a folder into a prepared database, and its secrets; the file stays under another name.

    Blocks. Raises ConfigError where there is nothing to move or the database is not prepared, StorageError where a lab
    runs or the database holds another history, ChainBroken or Unreadable for a ledger that is not whole.
    """
    told, file, target = pointed(data_dir), data_dir / LEDGER_FILE, storage_of(wanted)
    if told is not None and not told.is_same_database(wanted):
        raise ConfigError(f"{data_dir}: its ledger is in {told.name}; move it back with --to-sqlite first")
    if not file.exists():
        raise ConfigError(
            f"{file}: no such file; name the data folder of the lab with --data-dir"
            if told is None
            else f"{data_dir}: its ledger is in {told.name} already"
        )
    if not target.exists():
        raise ConfigError(f"{target.name}: holds no tables of a ledger; {PREPARE}")
    is_pointed_to = told is not None
    source, secrets = SqliteFile(file), 0
    source.writer().dispose()  # a file of an older cultureops gets the tables that it lacks
    with _alone(data_dir), _held_file(file) as retire:
        events, head = _bring(source, target, show, may_be_ahead=is_pointed_to)
        if not is_pointed_to and (data_dir / SECRETS_FILE).is_file():
            secrets = replace_secrets(SecretsFile(data_dir / SECRETS_FILE), SecretsTable(wanted))
        point_to(data_dir, wanted)
        since = [event for event in read_stream(target, STREAM) if event.position > head.position]
        if not any(event.type == LEDGER_MOVED for event in since):
            _say(target, source.name, target.name, head, reason)
        retire(target.name)
    return Moved(source.name, target.name, head, events, secrets)


def move_to_file(data_dir: Path, reason: str, show: Show | None = None) -> Moved:
    """Move the ledger of a folder out of its database into a file, and its secrets; the database stays as it is.

    Blocks, and raises as ``move_to_database``.
    """
    told, file = pointed(data_dir), data_dir / LEDGER_FILE
    if told is None:
        raise ConfigError(
            f"{file}: the ledger is there already" if file.exists() else f"{data_dir}: holds no ledger and names none"
        )
    source, secrets, events = storage_of(told), 0, 0
    with _alone(data_dir), _held_database(source):
        if file.exists():
            with closing(source.open_reader()) as left, closing(SqliteFile(file).open_reader()) as right:
                compare_rows(left, right, may_be_ahead=True)
            head = verify(source)
        else:
            new = file.with_name(file.name + _UNFINISHED)
            _clear(new)
            events, head = _bring(source, SqliteFile(new), show, may_be_ahead=False)
            _say(SqliteFile(new), source.name, str(file), head, reason)
            _fold_back(new)
            unfinished = data_dir / (SECRETS_FILE + _UNFINISHED)
            _clear(unfinished)
            secrets = replace_secrets(SecretsTable(told), SecretsFile(unfinished))
            rename_durably(unfinished, data_dir / SECRETS_FILE)
            rename_durably(new, file)
        rename_durably(data_dir / POINTER_FILE, _aside(data_dir / POINTER_FILE))
    return Moved(source.name, str(file), head, events, secrets)


def _bring(source: Storage, target: Storage, show: Show | None, *, may_be_ahead: bool) -> tuple[int, Head]:
    """Copy in one transaction, and see that the target holds the same; return the rows that were new and the head."""
    head = verify(source, None, check_signatures)
    engine = target.writer()
    try:
        with closing(source.open_reader()) as read, engine.begin() as write:
            brought = bring_rows(read, write, show, may_be_ahead=may_be_ahead)
    except FAILURES as error:
        raise StorageError(f"{target.name}: can't be written: {cause(error)}; nothing was switched") from None
    finally:
        engine.dispose()
    with closing(source.open_reader()) as left, closing(target.open_reader()) as right:
        compare_rows(left, right, may_be_ahead=may_be_ahead)
    end = verify(target, head, check_signatures)
    if brought.head != head or (end != head and not may_be_ahead):
        raise StorageError(f"{target.name}: ends at {end}, {source.name} at {head}; nothing was switched")
    return brought.events, head


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Refuse to work while a lab runs on the folder: it would go on with what it has open."""
    folder = data_dir / TELEMETRY_FOLDER
    if not folder.is_dir():
        yield
        return
    lock = lock_for_writing(folder)
    try:
        yield
    finally:
        os.close(lock)


@contextmanager
def _held_file(file: Path) -> Iterator[Callable[[str], None]]:
    """Hold the write lock of a ledger's file; give what ends its use: nobody appends to it then, and it lies aside.

    A program that has the file open and waits for the lock is told where the ledger is now.
    """
    with closing(sqlite3.connect(file, WAIT_S, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise StorageError(f"{file}: {error}; stop whatever writes to it, then move it") from None

        def retire(to: str) -> None:
            said = to.replace("'", "''")
            connection.execute("DROP TRIGGER IF EXISTS events_moved")
            connection.execute(
                "CREATE TRIGGER events_moved BEFORE INSERT ON events BEGIN "
                f"SELECT RAISE(ABORT, 'this ledger was moved to {said}'); END"
            )
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            for name in (SECRETS_FILE, LEDGER_FILE):
                if (old := file.with_name(name)).exists():
                    rename_durably(old, _aside(old))

        yield retire


@contextmanager
def _held_database(storage: Storage) -> Iterator[None]:
    """Hold the write lock of a database's ledger, as the only one who is connected in the lab's name."""
    engine = storage.writer()
    try:
        with engine.begin() as connection:
            connection.execute(_STAY)
            _refuse_company(connection, storage.name)
            yield
    except FAILURES as error:
        raise StorageError(f"{storage.name}: {cause(error)}; nothing was moved, try again") from None
    finally:
        engine.dispose()


def _refuse_company(connection: Connection, name: str) -> None:
    count, first = connection.execute(_COMPANY).one()
    if count:
        raise StorageError(
            f"{name}: {count} other programs are connected, one from {first}; stop every lab and command on it, then "
            "move it"
        )


def _say(target: Storage, source: str, named: str, head: Head, reason: str) -> None:
    """Record at the new place that the ledger was moved there, by which account of the machine."""
    left_at: dict[str, JsonValue] = {"ledger_position": head.position, "ledger_hash": head.hash}
    data: dict[str, JsonValue] = {"from": source, "to": named, **left_at}
    event = NewEvent(LEDGER_MOVED, data, Actor(f"shell:{getpass.getuser()}", "system"), Source.SYSTEM, reason=reason)

    async def append() -> None:
        ledger = SqlLedger.open(target, SystemClock(), SystemEntropy())
        try:
            await ledger.append(STREAM, [event], None)
        finally:
            await ledger.close()

    asyncio.run(append())


def _fold_back(file: Path) -> None:
    with closing(sqlite3.connect(file, WAIT_S, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _aside(path: Path) -> Path:
    """Return the name under which a file stays that is no longer in use."""
    stamp = iso(SystemClock().now())[:19].replace("-", "").replace(":", "")
    return path.with_name(f"{path.name}{MOVED}{stamp}Z")


def _clear(file: Path) -> None:
    """Remove what a move that was cut short has left."""
    for end in ("", "-wal", "-shm", "-journal"):
        file.with_name(file.name + end).unlink(missing_ok=True)
