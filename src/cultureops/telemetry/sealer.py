"""Sealing: frames of the journal become chunks and roll-ups of the month's file.

A pass reads the journal and writes one month's file, some channels to a commit, and says in the same commit how far it
has come: whatever cuts it short, the next one goes on there. It knows nothing that the files do not say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.telemetry import chunk, rollup
from cultureops.telemetry.extent import Extent
from cultureops.telemetry.frame import Columns, last_of_each
from cultureops.telemetry.journal import open_journal, read_channels, read_frames
from cultureops.telemetry.month import (
    ALL_HOURS,
    DAY_HOURS,
    Key,
    Month,
    MonthWriter,
    close_for_good,
    hour_after,
    month_files,
    month_of,
)
from cultureops.telemetry.points import Points, is_shown, join, settle

__all__ = ["Sealer", "Stopped"]

CHANNELS_A_COMMIT: Final = 32
FRAMES_A_SLICE: Final = 128
MOST_POINTS_AT_ONCE: Final = 1 << 19
MOST_STAMPS_KNOWN: Final = 16
HOUR_MINUTES: Final = HOUR_MS // MINUTE_MS
_ALL_TIME: Final = -(1 << 62), 1 << 62


class Stopped(Exception):
    """Sealing was told to end; what is done is done, and the rest is taken up later."""


@dataclass(frozen=True, slots=True)
class _Survey:
    """What waits to be sealed: readings by channel number, the first hour, and the month in which the last arrived."""

    counts: np.ndarray
    first_hour: int
    month: str


class Sealer:
    """Seals what a folder's journal holds; everything runs on one thread.

    Raises sqlite3.Error or OSError when a file can't be written, Unreadable when one is damaged, Stopped when
    ``is_stopped`` says so between two steps.
    """

    def __init__(self, folder: Path, is_stopped: Callable[[], bool]) -> None:
        self._folder = folder
        self._is_stopped = is_stopped
        self._journal = open_journal(folder)
        files = month_files(folder)
        for path in files[:-1]:
            close_for_good(path)
        self._closed = [Month.open(path, is_closed=True) for path in files[:-1]]
        self._month = MonthWriter.reopen(files[-1]) if files else None
        self._stamps: dict[tuple[bytes, bytes], tuple[int, bytes]] = {}

    @property
    def extent(self) -> Extent:
        """How far sealing has come."""
        return Extent() if self._month is None else self._month.extent

    @property
    def floor(self) -> int:
        """The last frame up to which every reading is sealed."""
        return self.extent.floor

    @property
    def passes(self) -> int:
        """How many passes have ended."""
        return self.extent.passes

    def seal(self, seq: int, before_hour: int) -> None:
        """Seal every reading up to frame ``seq`` of the hours before ``before_hour``."""
        if self.extent.has_pass:
            self._pass(self._survey(self.extent.pass_seq, self.extent.pass_before_hour))
        before_hour = self.extent.at_least(before_hour)
        while (found := self._survey(seq, before_hour)) is not None:
            last = max(found.month, self._month.name if self._month else "")
            month = max(self._month.name if self._month else "", min(month_of(found.first_hour), last))
            writer = self._turn_to(month)
            limit = before_hour if month == last else min(before_hour, hour_after(month))
            writer.begin(seq, limit)
            self._pass(found)

    def close(self) -> None:
        """Let go of the files; nothing of a pass under way is lost."""
        for month in self._closed:
            month.close()
        self._journal.close()
        if self._month is not None:
            self._month.close()

    def _stop_if_told(self) -> None:
        if self._is_stopped():
            raise Stopped

    def _survey(self, seq: int, before_hour: int) -> _Survey | None:
        """Look through the journal for readings that this pass would seal; None when there are none."""
        counts = np.zeros(1, np.int64)
        first_hour, last_received = ALL_HOURS, _ALL_TIME[0]
        for columns in self._frames(seq):
            rows = columns.at(self._to_seal(columns, before_hour))
            if rows.frame.size:
                found = np.bincount(rows.channel)
                counts = np.pad(counts, (0, max(0, found.size - counts.size)))
                counts[: found.size] += found
                first_hour = min(first_hour, int(rows.points.source_ms.min()) // HOUR_MS)
                last_received = max(last_received, int(rows.points.received_ms.max()))
        return _Survey(counts, first_hour, month_of(last_received // HOUR_MS)) if counts.any() else None

    def _to_seal(self, columns: Columns, before_hour: int) -> np.ndarray:
        return ~self.extent.covers(columns) & (columns.points.source_ms < before_hour * HOUR_MS)

    def _frames(self, seq: int) -> Iterator[Columns]:
        """Yield the journal's readings by arrival, some frames at a time."""
        for after in range(self.extent.floor, seq, FRAMES_A_SLICE):
            self._stop_if_told()
            columns = read_frames(self._journal, after, min(seq, after + FRAMES_A_SLICE), *_ALL_TIME)
            if columns.frame.size:
                yield columns

    def _turn_to(self, month: str) -> MonthWriter:
        """Return the writer of a month, closing the one before for good."""
        before = self._month
        if before is not None and before.name == month:
            return before
        self._month = MonthWriter.create(self._folder, month, before)
        self._stamps.clear()
        if before is not None:
            self._closed.append(before.end())
        return self._month

    def _pass(self, found: _Survey | None) -> None:
        """Carry the pass that was begun to its end."""
        month = self._month
        assert month is not None
        month.describe(read_channels(self._journal))
        if found is not None:
            for first, last in _groups(found.counts):
                self._seal_channels(month, first, last)
        self._stop_if_told()
        month.end_pass(self._floor())

    def _floor(self) -> int:
        """Return the last frame before the first one of which readings will still wait after the pass."""
        extent = self.extent
        first = self._journal.execute(
            "SELECT min(seq) FROM frames WHERE seq > ? AND seq <= ? AND to_ms >= ?",
            (extent.floor, extent.pass_seq, extent.pass_before_hour * HOUR_MS),
        ).fetchone()[0]
        return extent.pass_seq if first is None else int(first) - 1

    def _seal_channels(self, month: MonthWriter, first: int, last: int) -> None:
        """Seal the channels ``first..last``, all of their readings being in memory at once."""
        parts: list[Points] = []
        channels: list[np.ndarray] = []
        newest: dict[int, Points] = {}
        for columns in self._frames(self.extent.pass_seq):
            own = (columns.channel >= first) & (columns.channel <= last)
            wanted = np.flatnonzero(own & self._to_seal(columns, self.extent.pass_before_hour))
            parts.append(columns.points.at(wanted))
            channels.append(columns.channel[wanted] - np.uint32(first))
            newest |= last_of_each(columns.at(own))
        points = join(parts)
        channel = np.concatenate(channels)
        parts.clear()
        channels.clear()
        # 16-bit numbers are sorted by their digits, in a third of the time.
        order = np.argsort(channel.astype(np.uint16 if last - first < 1 << 16 else np.uint32), kind="stable")
        counts = np.bincount(channel)
        numbers = np.flatnonzero(counts)
        bounds = np.append(0, np.cumsum(counts[numbers]))
        numbers += first
        for at in range(0, numbers.size, CHANNELS_A_COMMIT):
            self._stop_if_told()
            with month.transaction():
                some = numbers[at : at + CHANNELS_A_COMMIT].tolist()
                for number, start, end in zip(some, bounds[at:], bounds[at + 1 :], strict=False):
                    self._seal_channel(month, number, points.at(order[start:end]))
                month.keep_latest({n: newest.pop(n) for n in list(newest) if n <= some[-1]})
                month.done(some[-1])
        with month.transaction():
            month.keep_latest(newest)
            month.done(last)

    def _seal_channel(self, month: MonthWriter, channel: int, points: Points) -> None:
        hours = points.source_ms // HOUR_MS
        for day in np.unique(hours // DAY_HOURS).tolist():
            minutes = self._day(channel, day)
            for hour in np.unique(hours[hours // DAY_HOURS == day]).tolist():
                self._seal_hour(month, Key(hour, channel), points.at(hours == hour), minutes)
            month.put_day(channel, day, rollup.pack(minutes))

    def _seal_hour(self, month: MonthWriter, key: Key, new: Points, minutes: rollup.Minutes) -> None:
        """Write one hour's readings as a further generation and its roll-up from all that are known."""
        earlier = self._earlier(key)
        points = join([*earlier, new])
        rows = settle(points)
        known = points.size - new.size
        fresh = points.at(rows[rows >= known])
        if fresh.size:
            stamps = self._put_stamps(month, fresh)
            month.put_chunk(Key(key.hour, key.channel, len(earlier)), stamps, fresh)
            kept = points.at(rows)
            shown = kept.at(is_shown(kept.source_ms))
            first = key.hour % DAY_HOURS * HOUR_MINUTES
            hour = rollup.roll_up(shown, shown.source_ms % HOUR_MS // MINUTE_MS, HOUR_MINUTES)
            for day_column, column in zip(minutes.columns(), hour.columns(), strict=True):
                day_column[first : first + HOUR_MINUTES] = column

    def _earlier(self, key: Key) -> list[Points]:
        """Return what was sealed of this hour before, by generation."""
        parts: list[Points] = []
        for month in (*self._closed, self._month):
            if month is not None and (hours := month.hours(key.hour, key.hour + 1)):
                parts += month.chunks(key.channel, hours)
        return parts

    def _day(self, channel: int, day: int) -> rollup.Minutes:
        """Return a channel's roll-up of a day as it stands."""
        hours = day * DAY_HOURS, (day + 1) * DAY_HOURS
        closed = [month for month in reversed(self._closed) if month.hours(*hours)]
        for month in (self._month, *closed):
            if month is not None and (found := month.days(channel, day, day + 1)):
                return rollup.unpack([found[day]])
        return rollup.no_minutes()

    def _put_stamps(self, month: MonthWriter, points: Points) -> tuple[int, bytes]:
        """Write the times of readings, once for channels that were read together."""
        times = points.source_ms.tobytes(), points.received_ms.tobytes()
        known = self._stamps.pop(times, None)
        if known is None:
            known = month.put_stamps(chunk.encode_stamps(points.source_ms, points.received_ms))
            if len(self._stamps) >= MOST_STAMPS_KNOWN:
                del self._stamps[next(iter(self._stamps))]
        self._stamps[times] = known
        return known


def _groups(counts: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield stretches of channel numbers that hold about ``MOST_POINTS_AT_ONCE`` readings each."""
    group = np.cumsum(counts) // MOST_POINTS_AT_ONCE
    numbers = np.flatnonzero(counts)
    for part in np.split(numbers, np.flatnonzero(np.diff(group[numbers])) + 1):
        yield int(part[0]), int(part[-1])
