"""The writer's side of the embedded store: frames in, and what is derived from them in the same transaction.

Everything here runs on the writer's thread. Roll-ups of the present hour live in memory and are written once, when the
hour closes; a restart makes them again from the frames. A reading that is not later than its channel's last one takes
the slow path: roll-up and runs around it are made again from the frames.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cultureops.clock import HOUR_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import frame
from cultureops.telemetry.file import open_writer, read_channels
from cultureops.telemetry.points import read_points
from cultureops.telemetry.rollup import HourRollup, pack, roll_up
from cultureops.telemetry.runs import runs_of
from cultureops.telemetry.store import ChannelInfo

__all__ = ["Journal", "Written"]

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
    """One open file and what the writer remembers of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = open_writer(path)
        self._since_checkpoint = 0
        self.recall()

    def recall(self) -> None:
        """Read from the file what the writer must remember: at the start, and after a transaction that failed."""
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
        self._last: dict[int, Reading] = {}
        self._bad: dict[int, int] = {}
        names = {number: name for name, number in self.index.items()}
        for number, source_ms, received_ms, value, quality, reason in self._db.execute("SELECT * FROM latest"):
            self._last[number] = Reading(names[number], value, Quality(quality), Reason(reason), source_ms, received_ms)
        for number, reason in self._db.execute("SELECT channel, reason FROM runs WHERE to_ms IS NULL"):
            self._bad[number] = reason
        for (payload,) in self._db.execute("SELECT payload FROM frames WHERE seq > ? ORDER BY seq", (rolled_seq,)):
            for reading in frame.decode(payload).readings(names):
                self._last[self.index[reading.channel]] = reading
        self._recall_open_hour()

    def _recall_open_hour(self) -> None:
        if self._open_hour is None:
            return
        start = self._open_hour * HOUR_MS
        for number in self._last:
            points = read_points(self._db, number, start, start + HOUR_MS)
            self._rollups[number] = HourRollup.of(points.pairs())

    @property
    def last(self) -> Mapping[int, Reading]:
        """The last reading of each channel, by arrival."""
        return self._last

    def write(
        self, channels: Mapping[ChannelId, tuple[int, ChannelInfo]], frames: Sequence[Sequence[Reading]]
    ) -> Written:
        """Write channels and frames in one transaction; raises sqlite3.Error, after which ``recall`` is due."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        for name, (number, info) in channels.items():
            self._describe(name, number, info)
        first, payload = self.seq + 1, b""
        seq, readings = self.seq, self.readings
        for batch in frames:
            payload = frame.encode(batch, self.index)
            seq += 1
            readings += len(batch)
            sources = [reading.source_time for reading in batch]
            db.execute(
                "INSERT INTO frames VALUES(?, ?, ?, ?, ?)", (seq, min(sources), max(sources), len(batch), payload)
            )
            self._derive(batch, max(sources) // HOUR_MS, seq)
        db.execute("COMMIT")
        self.seq, self.readings = seq, readings
        if payload:
            self.sha256 = hashlib.sha256(payload).hexdigest()
        self._since_checkpoint += len(frames)
        if self._since_checkpoint >= CHECKPOINT_AFTER_FRAMES:
            self._since_checkpoint = 0
            db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        return Written(first, seq, self.sha256, readings)

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()

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
            before = self._last.get(number)
            if (before is not None and at <= before.source_time) or at < open_ms:
                late.setdefault(number, []).append(at)
                if before is None or at >= before.source_time:
                    self._last[number] = reading
                continue
            self._last[number] = reading
            rollup = self._rollups.get(number)
            if rollup is None:
                rollup = self._rollups[number] = HourRollup()
            rollup.add(at, reading.value)
            if reading.value is None or number in self._bad:
                self._move_run(number, reading)
        for number, instants in late.items():
            self._make_again(number, instants)

    def _close_hour(self, newest_hour: int, rolled_seq: int) -> None:
        assert self._open_hour is not None
        self._db.executemany(
            "INSERT OR REPLACE INTO rollups VALUES(?, ?, ?)",
            [(number, self._open_hour, pack(rollup.hour())) for number, rollup in self._rollups.items()],
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO latest VALUES(?, ?, ?, ?, ?, ?)",
            [
                (number, r.source_time, r.received_time, r.value, r.quality, r.reason)
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
        newest = self._last[number].source_time
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
