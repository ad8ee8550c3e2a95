"""How one file gets into a backup, or out of it: copied, durable, and read back from the disk."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from cultureops.errors import StorageError, Unreadable
from cultureops.telemetry.file import leave_log_mode

__all__ = [
    "Show", "copy_database", "copy_file", "is_database", "open_for_copy", "read_back", "sync_file", "write_private",
]  # fmt: skip

Show = Callable[[int], None]
"""Told how many bytes more are done."""
_BLOCK: Final = 1 << 20
_PAGES_AT_ONCE: Final = 2048
_BUSY_S: Final = 30.0
_MAGIC: Final = b"SQLite format 3\0"


def is_database(path: Path) -> bool:
    """Whether a file is one of SQLite's, by its first bytes; raises OSError."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def open_for_copy(path: Path) -> sqlite3.Connection:
    """Open a database read-only beside whoever writes it; raises sqlite3.Error."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", _BUSY_S, isolation_level=None, uri=True)


def copy_database(source: sqlite3.Connection, target: Path, show: Show) -> None:
    """Copy a database as it is at one moment; its transaction, where one is open, says which. Durable when it returns.

    The copy has no write-ahead log, so that it is one file that can be read where nothing may be written. Raises
    sqlite3.Error or OSError. Source: sqlite.org/backup.html.
    """
    write_private(target, b"")
    page_bytes, done = source.execute("PRAGMA page_size").fetchone()[0], 0

    def note(_status: int, remaining: int, total: int) -> None:
        nonlocal done
        show((total - remaining - done) * page_bytes)
        done = total - remaining

    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        # Nobody believes in the copy before it was read back: no journal has to save it.
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        source.backup(copy, pages=_PAGES_AT_ONCE, progress=note, sleep=0.01)
    if not leave_log_mode(target):
        raise StorageError(f"{target}: keeps its write-ahead log; is another program reading it?")
    sync_file(target)


def copy_file(source: Path, target: Path, show: Show) -> None:
    """Copy a file's bytes as far as it is long when it is opened; durable when it returns. Raises OSError."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(source, flags), "rb") as read:
        if not stat.S_ISREG(os.fstat(read.fileno()).st_mode):
            raise StorageError(f"{source}: is no plain file; replace it by one")
        left = os.fstat(read.fileno()).st_size
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as write:
            while left and (block := read.read(min(left, _BLOCK))):
                write.write(block)
                left -= len(block)
                show(len(block))
            write.flush()
            os.fsync(write.fileno())


def read_back(path: Path, show: Show = lambda _: None) -> tuple[int, str]:
    """Return a file's length [bytes] and SHA-256 [hex] as they lie on the disk; raises Unreadable.

    What the system remembers of the file is let go first, so that it is the disk that answers as far as it can be told.
    """
    sha256, length = hashlib.sha256(), 0
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable(f"{path}: is no plain file; use another backup")
            with suppress(OSError, AttributeError):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while block := file.read(_BLOCK):
                sha256.update(block)
                length += len(block)
                show(len(block))
    except OSError as error:
        raise Unreadable(f"{path}: can't be read: {error.strerror or error}; use another backup") from None
    return length, sha256.hexdigest()


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read, durable when it returns; raises OSError, also when it exists."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_file(path: Path) -> None:
    """Make what a file holds durable; raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
