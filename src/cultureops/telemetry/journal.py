"""The journal: a SQLite file of frames that are durable and not yet sealed, and of the channels they speak of.

One writer, which alone folds the write-ahead log back; readers open the file read-only. What is written here is what
*durable* means: write-ahead log, ``synchronous=FULL``, one commit for all frames that wait.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId, Kind
from cultureops.telemetry import frame
from cultureops.telemetry.file import open_reader, open_writer
from cultureops.telemetry.store import ChannelInfo

__all__ = ["Journal", "Written", "open_journal", "read_channels", "read_frames"]

log = structlog.get_logger(__name__)

FILE: Final = "journal.sqlite"
FOLD_AFTER_FRAMES: Final = 16
MOST_DROPPED_AT_ONCE: Final = 64
PAGE_BYTES: Final = 4096
CHANNELS_TABLE: Final = """
CREATE TABLE channels(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, unit TEXT NOT NULL, decimals INTEGER NOT NULL,
    kind TEXT NOT NULL, verified INTEGER NOT NULL, simulated INTEGER NOT NULL);
"""
_SCHEMA: Final = f"""{CHANNELS_TABLE}
CREATE TABLE frames(
    seq INTEGER PRIMARY KEY, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, total INTEGER NOT NULL,
    payload BLOB NOT NULL);
CREATE TABLE dropped(only INTEGER PRIMARY KEY CHECK(only = 1), seq INTEGER NOT NULL, total INTEGER NOT NULL,
    sha256 TEXT NOT NULL);
INSERT INTO dropped VALUES(1, 0, 0, '');
"""
"""``total`` counts the readings of all frames up to this one; ``dropped`` tells of the last frame that was sealed."""


@dataclass(frozen=True, slots=True)
class Written:
    """The last durable frame: its number, its SHA-256 [hex], and how many readings there are up to it."""

    seq: int
    sha256: str
    total: int


class Journal:
    """The writer's side of the journal; everything runs on one thread.

    Raises Unreadable for a file that is damaged, not ours or of a newer format, StorageError when it can't be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._db = open_writer(self.path, _SCHEMA, PAGE_BYTES)
        self._since_fold = 0
        self._drop_until = 0
        self._sealed_total = 0
        self._recall()

    def _recall(self) -> None:
        """Read from the file what the writer must remember: at the start, and after a transaction that failed."""
        self._is_stale = True
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self.index = {name: number for name, (number, _) in read_channels(self._db).items()}
        self._first, total, sha256 = self._db.execute("SELECT seq, total, sha256 FROM dropped").fetchone()
        self.written = Written(self._first, sha256, total)
        self._sealed_total = max(total, self._sealed_total)
        if last := self._db.execute("SELECT seq, total, payload FROM frames ORDER BY seq DESC LIMIT 1").fetchone():
            self.written = Written(last[0], hashlib.sha256(last[2]).hexdigest(), last[1])
        self._is_stale = False

    @property
    def unsealed(self) -> int:
        """How many readings lie in frames that may not go yet."""
        return self.written.total - self._sealed_total

    def write(self, channels: Mapping[ChannelId, tuple[int, ChannelInfo]], rows: frame.Rows | None) -> Written:
        """Write channels and one frame in one transaction; when it raises (sqlite3.Error) nothing was written."""
        if self._is_stale:
            self._recall()
        self._is_stale = True
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for name, (number, info) in channels.items():
                write_channel(self._db, name, number, info)
                self.index[name] = number
            written = self.written if rows is None else self._insert(rows)
            self._drop()
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                with suppress(sqlite3.Error):  # tried again by the next write
                    self._db.execute("ROLLBACK")
            raise
        self._is_stale = False
        self.written = written
        self._fold_now_and_then(is_quiet=rows is None and not self.has_to_drop)
        return written

    def _insert(self, rows: frame.Rows) -> Written:
        payload = frame.encode(rows)
        sha256 = hashlib.sha256(payload).hexdigest()
        written = Written(self.written.seq + 1, sha256, self.written.total + len(rows.channel))
        self._db.execute(
            "INSERT INTO frames VALUES(?, ?, ?, ?, ?)",
            (written.seq, rows.from_ms, rows.to_ms, written.total, payload),
        )
        return written

    def drop_until(self, seq: int) -> None:
        """Allow frames up to this one to go, a few with every write: their readings are sealed."""
        if seq > self._drop_until:
            self._drop_until = seq
            if row := self._db.execute("SELECT total FROM frames WHERE seq = ?", (seq,)).fetchone():
                self._sealed_total = row[0]

    @property
    def has_to_drop(self) -> bool:
        """Whether frames are left that may go, or may be: after a failure the next write looks."""
        return self._is_stale or self._first < self._drop_until

    def _drop(self) -> None:
        if self._first >= self._drop_until:
            return
        until = min(self._drop_until, self._first + MOST_DROPPED_AT_ONCE)
        if row := self._db.execute("SELECT total, payload FROM frames WHERE seq = ?", (until,)).fetchone():
            self._db.execute(
                "UPDATE dropped SET seq = ?, total = ?, sha256 = ?",
                (until, row[0], hashlib.sha256(row[1]).hexdigest()),
            )
            self._db.execute("DELETE FROM frames WHERE seq <= ?", (until,))
        self._first = until

    def _fold_now_and_then(self, *, is_quiet: bool) -> None:
        self._since_fold += 1
        if self._since_fold >= FOLD_AFTER_FRAMES or is_quiet:
            self._since_fold = 0
            self._fold("PASSIVE")

    def _fold(self, mode: str) -> None:
        """Move the write-ahead log into the file; what can't be moved stays durable in the log."""
        try:
            self._db.execute(f"PRAGMA wal_checkpoint({mode})")
        except sqlite3.Error as error:
            log.error("the write-ahead log grows, it can't be folded in", file=str(self.path), error=str(error))

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._fold("TRUNCATE")
        self._db.close()


def write_channel(db: sqlite3.Connection, name: ChannelId, number: int, info: ChannelInfo) -> None:
    """Write what is known of a channel into a file's table of channels."""
    db.execute(
        "INSERT INTO channels VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET unit = excluded.unit, "
        "decimals = excluded.decimals, kind = excluded.kind, verified = excluded.verified, "
        "simulated = excluded.simulated",
        (number, name, info.unit, info.decimals, info.kind, info.verified, info.simulated),
    )


def open_journal(folder: Path) -> sqlite3.Connection:
    """Open the journal of a folder for reading only; raises Unreadable."""
    return open_reader(folder / FILE)


def read_channels(db: sqlite3.Connection) -> dict[ChannelId, tuple[int, ChannelInfo]]:
    """Return the number and description of every channel."""
    rows = db.execute("SELECT name, id, unit, decimals, kind, verified, simulated FROM channels ORDER BY id")
    return {
        name: (number, ChannelInfo(unit, decimals, Kind(kind), bool(verified), bool(simulated)))
        for name, number, unit, decimals, kind, verified, simulated in rows
    }


def read_frames(
    db: sqlite3.Connection, after_seq: int, until_seq: int, start_ms: Instant, end_ms: Instant
) -> frame.Columns:
    """Return the readings of the frames ``after_seq < seq <= until_seq`` that touch ``start_ms..end_ms``, by arrival.

    Raises Unreadable when one is damaged.
    """
    rows = db.execute(
        "SELECT seq, payload FROM frames WHERE seq > ? AND seq <= ? AND to_ms >= ? AND from_ms < ? ORDER BY seq",
        (after_seq, until_seq, start_ms, end_ms),
    )
    return frame.decode(rows.fetchall())
