"""The writer's side of the embedded store: frames in, and what is derived from them in the same transaction.

Everything here runs on the writer's thread. Roll-ups of the present hour live in memory and are written once, when the
hour closes; a restart makes them again from the frames. A reading that is not later than its channel's last one takes
the slow path: roll-up and runs around it are made again from the frames.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from cultureops.clock import HOUR_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import Unreadable
from cultureops.telemetry import frame
from cultureops.telemetry.file import lock_for_writing, open_writer, read_channels
from cultureops.telemetry.points import read_all_points, read_frames_after, read_points
from cultureops.telemetry.rollup import HourRollup, pack, roll_up
from cultureops.telemetry.runs import runs_of
from cultureops.telemetry.store import ChannelInfo

__all__ = ["Journal", "Written"]

log = structlog.get_logger(__name__)

CHECKPOINT_AFTER_FRAMES: Final = 1000
FIRST_LOOK_AHEAD_MS: Final = HOUR_MS


@dataclass(frozen=True, slots=True)
class Written:
    """What one transaction made durable: the last frame's number and hash, and how many readings in all."""

    first_seq: int
    last_seq: int
    sha256: str
    readings: int


class Journal:
    """One open file and what the writer remembers of it.

    Raises Unreadable for a file that is damaged, not ours or of a newer format, StorageError when it can't be written
    or another process writes to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._since_checkpoint = 0
        with ExitStack() as undo:
            self._lock = lock_for_writing(path)
            undo.callback(os.close, self._lock)
            self._db = open_writer(path)
            undo.callback(self._db.close)
            try:
                self._recall()
            except Unreadable as error:
                raise Unreadable(f"{path}: {error}") from None
            undo.pop_all()

    def _recall(self) -> None:
        """Read from the file what the writer must remember: at the start, and after a transaction that failed."""
        self._is_stale = True
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self.index = {name: number for name, (number, _) in read_channels(self._db).items()}
        self.seq: int
        self.readings: int
        self.seq, self.readings = self._db.execute(
            "SELECT coalesce(max(seq), 0), coalesce(sum(readings), 0) FROM frames INDEXED BY frames_by_time"
        ).fetchone()
        last = self._db.execute("SELECT payload FROM frames WHERE seq = ?", (self.seq,)).fetchone()
        self.sha256 = hashlib.sha256(last[0]).hexdigest() if last else ""
        self._open_hour: int | None
        self._open_hour, rolled_seq = self._db.execute("SELECT open_hour, rolled_seq FROM state").fetchone() or (
            None,
            0,
        )
        self._rollups: dict[int, HourRollup] = {}
        self._bad = dict(self._db.execute("SELECT channel, reason FROM runs WHERE to_ms IS NULL"))
        self._recall_last(rolled_seq)
        if self._open_hour is not None:
            start = self._open_hour * HOUR_MS
            for number, points in read_all_points(self._db, start, start + HOUR_MS).items():
                self._rollups[number] = HourRollup.of(points.pairs())
        self._is_stale = False

    def _recall_last(self, rolled_seq: int) -> None:
        """Remember each channel's last reading by arrival and its newest source time."""
        self._last: dict[int, Reading] = {}
        self._newest: dict[int, Instant] = {}
        names = {number: name for name, number in self.index.items()}
        for number, source_ms, received_ms, value, quality, reason, newest_ms in self._db.execute(
            "SELECT * FROM latest"
        ):
            self._last[number] = Reading(names[number], value, Quality(quality), Reason(reason), source_ms, received_ms)
            self._newest[number] = newest_ms
        frames = list(read_frames_after(self._db, rolled_seq))
        if not frames:
            return
        rows = frame.join(frames)
        numbers, from_end = np.unique(rows.channel[::-1], return_index=True)
        for reading in rows.at(rows.channel.size - 1 - from_end).readings(names):
            self._last[self.index[reading.channel]] = reading
        for number in numbers.tolist():
            newest = int(rows.source_ms[rows.channel == number].max())
            self._newest[number] = max(newest, self._newest.get(number, newest))

    @property
    def last(self) -> Mapping[int, Reading]:
        """The last reading of each channel, by arrival."""
        return self._last

    def write(
        self, channels: Mapping[ChannelId, tuple[int, ChannelInfo]], frames: Sequence[Sequence[Reading]]
    ) -> Written:
        """Write channels and frames in one transaction; when it raises (sqlite3.Error) nothing was written."""
        if self._is_stale:
            self._recall()
        self._is_stale = True
        self._db.execute("BEGIN IMMEDIATE")
        try:
            written = self._insert(channels, frames)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                with suppress(sqlite3.Error):  # tried again by the next write
                    self._db.execute("ROLLBACK")
            raise
        self._is_stale = False
        self.seq, self.readings, self.sha256 = written.last_seq, written.readings, written.sha256
        self._since_checkpoint += len(frames)
        if self._since_checkpoint >= CHECKPOINT_AFTER_FRAMES:
            self._since_checkpoint = 0
            self._fold("PASSIVE")
        return written

    def _insert(
        self, channels: Mapping[ChannelId, tuple[int, ChannelInfo]], frames: Sequence[Sequence[Reading]]
    ) -> Written:
        for name, (number, info) in channels.items():
            self._describe(name, number, info)
        seq, sha256, readings = self.seq, self.sha256, self.readings
        payload = b""
        for batch in frames:
            payload = frame.encode(batch, self.index)
            seq += 1
            readings += len(batch)
            sources = [reading.source_time for reading in batch]
            newest_ms = max(sources)
            self._db.execute(
                "INSERT INTO frames VALUES(?, ?, ?, ?, ?)", (seq, min(sources), newest_ms, len(batch), payload)
            )
            self._derive(batch, newest_ms // HOUR_MS, seq)
        if payload:
            sha256 = hashlib.sha256(payload).hexdigest()
        return Written(self.seq + 1, seq, sha256, readings)

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._fold("TRUNCATE")
            self._db.close()
        finally:
            os.close(self._lock)

    def _fold(self, mode: str) -> None:
        """Move the write-ahead log into the file; what can't be moved stays durable in the log."""
        try:
            self._db.execute(f"PRAGMA wal_checkpoint({mode})")
        except sqlite3.Error as error:
            log.error("the write-ahead log grows, it can't be folded in", file=str(self.path), error=str(error))

    def _describe(self, name: ChannelId, number: int, info: ChannelInfo) -> None:
        self._db.execute(
            "INSERT INTO channels VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET unit = excluded.unit, "
            "decimals = excluded.decimals, kind = excluded.kind, verified = excluded.verified, "
            "simulated = excluded.simulated",
            (number, name, info.unit, info.decimals, info.kind, info.verified, info.simulated),
        )
        self.index[name] = number

    def _derive(self, batch: Sequence[Reading], newest_hour: int, seq: int) -> None:
        if self._open_hour is None:
            self._open_hour = newest_hour
            self._db.execute("INSERT INTO state VALUES(1, ?, 0)", (newest_hour,))
        elif newest_hour > self._open_hour:
            self._close_hour(newest_hour, seq - 1)
        open_ms = self._open_hour * HOUR_MS
        late: dict[int, list[Instant]] = {}
        for reading in batch:
            number, at = self.index[reading.channel], reading.source_time
            newest = self._newest.get(number)
            self._last[number] = reading
            if at < open_ms or (newest is not None and at <= newest):
                late.setdefault(number, []).append(at)
                self._newest[number] = at if newest is None else max(at, newest)
                continue
            self._newest[number] = at
            rollup = self._rollups.get(number)
            if rollup is None:
                rollup = self._rollups[number] = HourRollup()
            rollup.add(at, reading.value)
            if reading.value is None or number in self._bad:
                self._move_run(number, reading)
        for number, instants in late.items():
            try:
                self._make_again(number, instants)
            except Unreadable as error:
                log.error(
                    "late readings are kept but not rolled up", channel=self._last[number].channel, error=str(error)
                )

    def _close_hour(self, newest_hour: int, rolled_seq: int) -> None:
        assert self._open_hour is not None
        self._db.executemany(
            "INSERT OR REPLACE INTO rollups VALUES(?, ?, ?)",
            [(number, self._open_hour, pack(rollup.hour())) for number, rollup in self._rollups.items()],
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO latest VALUES(?, ?, ?, ?, ?, ?, ?)",
            [
                (number, r.source_time, r.received_time, r.value, r.quality, r.reason, self._newest[number])
                for number, r in self._last.items()
            ],
        )
        self._db.execute("UPDATE state SET open_hour = ?, rolled_seq = ?", (newest_hour, rolled_seq))
        self._rollups.clear()
        self._open_hour = newest_hour

    def _move_run(self, number: int, reading: Reading) -> None:
        """Open, go on with or close the channel's run of BAD readings."""
        open_reason = self._bad.get(number)
        reason = None if reading.quality is not Quality.BAD else int(reading.reason)
        if reason == open_reason:
            return
        if open_reason is not None:
            self._db.execute(
                "UPDATE runs SET to_ms = ? WHERE channel = ? AND to_ms IS NULL", (reading.source_time, number)
            )
            del self._bad[number]
        if reason is not None:
            self._db.execute("INSERT OR REPLACE INTO runs VALUES(?, ?, NULL, ?)", (number, reading.source_time, reason))
            self._bad[number] = reason

    def _make_again(self, number: int, instants: Sequence[Instant]) -> None:
        """Make roll-ups and runs of a channel anew around late readings."""
        assert self._open_hour is not None
        for hour in sorted({instant // HOUR_MS for instant in instants}):
            points = read_points(self._db, number, hour * HOUR_MS, (hour + 1) * HOUR_MS)
            if hour >= self._open_hour:
                self._rollups[number] = HourRollup.of(points.pairs())
            else:
                payload = pack(roll_up(points.source_ms, points.value))
                self._db.execute("INSERT OR REPLACE INTO rollups VALUES(?, ?, ?)", (number, hour, payload))
        self._make_runs_again(number, min(instants), max(instants))

    def _make_runs_again(self, number: int, first: Instant, last: Instant) -> None:
        """Replace the runs that touch ``first..last`` by what the readings say now."""
        touching = "channel = ? AND from_ms <= ? AND coalesce(to_ms, 9223372036854775807) >= ?"
        begin, end = self._db.execute(
            f"SELECT min(from_ms), max(coalesce(to_ms, 9223372036854775807)) FROM runs WHERE {touching}",
            (number, last, first),
        ).fetchone()
        begin = first if begin is None else min(begin, first)
        end = last if end is None else max(end, last)
        newest = self._newest[number]
        look_ahead = FIRST_LOOK_AHEAD_MS
        while True:  # until a reading after the stretch says where its last run ends
            until = min(end, newest) + look_ahead
            points = read_points(self._db, number, begin, until)
            if until > newest or (points.source_ms.size and points.source_ms[-1] > end and not points.bad[-1]):
                break
            look_ahead *= 4
        self._db.execute("DELETE FROM runs WHERE channel = ? AND from_ms >= ? AND from_ms < ?", (number, begin, until))
        self._bad.pop(number, None)
        rows = runs_of(points)
        self._db.executemany(
            "INSERT OR REPLACE INTO runs VALUES(?, ?, ?, ?)",
            [(number, run.from_ms, run.to_ms, run.reason) for run in rows],
        )
        if still_open := self._db.execute(
            "SELECT reason FROM runs WHERE channel = ? AND to_ms IS NULL", (number,)
        ).fetchone():
            self._bad[number] = still_open[0]
