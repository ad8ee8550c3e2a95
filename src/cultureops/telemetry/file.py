"""How the store's SQLite files are opened, locked and told from others."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from pathlib import Path
from typing import Final

import structlog

from cultureops.durable_file import sync_folder
from cultureops.errors import StorageError, Unreadable

__all__ = [
    "FORMAT", "leave_log_mode", "lock_for_writing", "open_reader", "open_writer", "rename_durably",
    "warn_of_old_sqlite",
]  # fmt: skip

log = structlog.get_logger(__name__)

FORMAT: Final = 2
LOCK: Final = "writer.lock"
LOCK_WAIT_S: Final = 2.0
"""How long the sealing process of a writer that was killed may take to end."""
_BUSY_S: Final = 5.0
_SOUND_SQLITE: Final = (3, 51, 3)


def warn_of_old_sqlite() -> str | None:
    """Return what to know of this SQLite, None when it is sound.

    Before 3.51.3 a write-ahead log can be damaged when two connections write or fold it back at once
    (sqlite.org/wal.html, "WAL-reset bug"). The store has one connection that does either, for each file.
    """
    if sqlite3.sqlite_version_info >= _SOUND_SQLITE:
        return None
    return f"SQLite {sqlite3.sqlite_version} is older than 3.51.3: let no other program write to the store's files"


def lock_for_writing(folder: Path) -> int:
    """Claim the folder for this process and return the lock's descriptor; closing it, or dying, lets go.

    SQLite would let two writers take turns; each remembers what the other does not know. Raises StorageError.
    """
    if not folder.parent.is_dir():
        raise StorageError(f"{folder.parent}: no such folder; make it first")
    try:
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"{folder}: can't be opened for writing: {error.strerror}") from None
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            os.close(descriptor)
            raise StorageError(f"{folder}: another process writes to it; stop that one first") from None
        return descriptor


def open_writer(path: Path, schema: str, page_bytes: int) -> sqlite3.Connection:
    """Open or create a file for its one writer.

    Raises Unreadable for a file that is none of the store's or of another format, StorageError when it can't be
    written.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)
        _check_format(connection, path)
        connection.execute(f"PRAGMA page_size={page_bytes}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            connection.executescript(f"BEGIN IMMEDIATE;{schema}PRAGMA user_version={FORMAT};COMMIT;")
    except sqlite3.OperationalError as error:
        raise StorageError(f"{path}: can't be opened for writing: {error}") from None
    except sqlite3.DatabaseError as error:
        raise Unreadable(f"{path}: is no telemetry store: {error}; restore it from a backup") from None
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a file for reading only, beside its writer or not; raises Unreadable."""
    if not path.is_file():
        raise Unreadable(f"{path}: no such file; give the folder of a lab that has run")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False,
            timeout=_BUSY_S,
        )  # fmt: skip
        _check_format(connection, path)
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            raise Unreadable(f"{path}: was not finished; start the lab, which makes it good")
    except sqlite3.DatabaseError as error:
        raise Unreadable(f"{path}: can't be read: {error}") from None
    return connection


def rename_durably(source: Path, target: Path) -> None:
    """Give a file its name so that the name outlives a power cut."""
    source.rename(target)
    sync_folder(target.parent)


def leave_log_mode(path: Path) -> bool:
    """Make a file one without a write-ahead log, for readers who may write nothing; False while others read it.

    A rollback journal would bar such readers after a power cut, until the next writer came. None is needed: nothing
    but the first hundred bytes of the file changes (sqlite.org/fileformat.html, "The Database Header"), and a disk
    writes a sector whole.
    """
    db = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        return bool(db.execute("PRAGMA journal_mode=MEMORY").fetchone()[0] == "memory")
    finally:
        db.close()


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if found > FORMAT:
        raise Unreadable(
            f"{path}: written by a newer cultureops (format {found}, this one knows {FORMAT}); update first"
        )
    if tables and found < FORMAT:
        raise Unreadable(f"{path}: is no file of a telemetry store of format {FORMAT}; choose another folder")
