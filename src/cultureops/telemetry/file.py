"""The SQLite file of the embedded store: how it is laid out and how it is opened."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from cultureops.device.channel import ChannelId, Kind
from cultureops.errors import StorageError, Unreadable
from cultureops.telemetry.store import ChannelInfo

__all__ = ["FORMAT", "lock_for_writing", "open_reader", "open_writer", "read_channels"]

FORMAT: Final = 1
_BUSY_S: Final = 5.0
_SCHEMA: Final = """
CREATE TABLE channels(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, unit TEXT NOT NULL, decimals INTEGER NOT NULL,
    kind TEXT NOT NULL, verified INTEGER NOT NULL, simulated INTEGER NOT NULL);
CREATE TABLE frames(
    seq INTEGER PRIMARY KEY, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, readings INTEGER NOT NULL,
    payload BLOB NOT NULL);
CREATE INDEX frames_by_time ON frames(to_ms, from_ms, readings);
CREATE TABLE rollups(channel INTEGER, hour INTEGER, payload BLOB NOT NULL, PRIMARY KEY(channel, hour)) WITHOUT ROWID;
CREATE TABLE runs(
    channel INTEGER, from_ms INTEGER, to_ms INTEGER, reason INTEGER NOT NULL,
    PRIMARY KEY(channel, from_ms)) WITHOUT ROWID;
CREATE TABLE latest(
    channel INTEGER PRIMARY KEY, source_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL, value REAL,
    quality INTEGER NOT NULL, reason INTEGER NOT NULL, newest_ms INTEGER NOT NULL);
CREATE TABLE state(only INTEGER PRIMARY KEY CHECK(only = 1), open_hour INTEGER NOT NULL, rolled_seq INTEGER NOT NULL);
"""
"""``open_hour`` is the first hour whose roll-ups are still in memory, ``rolled_seq`` the last frame in ``latest``.

A row of ``latest`` is the last reading to arrive; ``newest_ms`` is the latest source time."""


def lock_for_writing(path: Path) -> int:
    """Claim the file for this process and return the lock's descriptor; closing it, or dying, lets go.

    SQLite would let two writers take turns; each remembers what the other does not know. Raises StorageError.
    """
    if not path.parent.is_dir():
        raise StorageError(f"{path.parent}: no such folder; make it first")
    try:
        descriptor = os.open(f"{path}-writer", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"{path}: can't be opened for writing: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StorageError(f"{path}: another process writes to it; stop that one first") from None
    return descriptor


def open_writer(path: Path) -> sqlite3.Connection:
    """Open or create the file for the one writer.

    Raises Unreadable for a file that is no telemetry store or of a newer format, StorageError when it can't be
    written.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)
        _check_format(connection, path)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version={FORMAT};COMMIT;")
    except sqlite3.OperationalError as error:
        raise StorageError(f"{path}: can't be opened for writing: {error}") from None
    except sqlite3.DatabaseError as error:
        raise Unreadable(f"{path}: is no telemetry store: {error}; restore it from a backup") from None
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the file for reading only, beside a writer or not; raises Unreadable."""
    if not path.is_file():
        raise Unreadable(f"{path}: no such file; give the folder of a lab that has run")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=_BUSY_S
        )
        _check_format(connection, path)
    except sqlite3.DatabaseError as error:
        raise Unreadable(f"{path}: can't be read: {error}") from None
    return connection


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if found > FORMAT:
        raise Unreadable(
            f"{path}: written by a newer cultureops (format {found}, this one knows {FORMAT}); update first"
        )
    if found == 0 and tables:
        raise Unreadable(f"{path}: is another program's database; choose another folder")


def read_channels(connection: sqlite3.Connection) -> dict[ChannelId, tuple[int, ChannelInfo]]:
    """Return the number and description of every channel."""
    rows = connection.execute("SELECT name, id, unit, decimals, kind, verified, simulated FROM channels ORDER BY id")
    return {
        name: (number, ChannelInfo(unit, decimals, Kind(kind), bool(verified), bool(simulated)))
        for name, number, unit, decimals, kind, verified, simulated in rows
    }
