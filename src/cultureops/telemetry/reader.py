"""Reading the store: chunks of every month and the frames not yet sealed, seen at one moment.

The journal is looked at first and the open month after it: a frame that is gone by then has been sealed before, and
the month says what of the frames it holds already. Where the month knows of frames that came after the look at the
journal, both are looked at again.
"""

from __future__ import annotations

import heapq
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import groupby, islice
from pathlib import Path
from typing import Final

import numpy as np

from cultureops.clock import HOUR_MS, MINUTE_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.errors import StorageError
from cultureops.telemetry import rollup
from cultureops.telemetry.extent import Extent
from cultureops.telemetry.frame import Columns, last_of_each
from cultureops.telemetry.journal import open_journal, read_channels, read_frames
from cultureops.telemetry.month import DAY_HOURS, ChunkRow, Month, month_files
from cultureops.telemetry.points import Points, is_shown, join, no_points, settle
from cultureops.telemetry.store import ChannelInfo, Integers

__all__ = ["Reader", "View"]

HOUR_MINUTES: Final = HOUR_MS // MINUTE_MS
MOST_LOOKS: Final = 100
_ALL_FRAMES: Final = 1 << 62
_LAST_SEQ: Final = "SELECT coalesce((SELECT max(seq) FROM frames), (SELECT seq FROM dropped))"
_NO_DAY: Final = rollup.pack(rollup.no_minutes())


class Reader:
    """Connections of one process for reading a folder; safe to use from any thread, one at a time.

    Raises Unreadable for a folder that can't be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._journal = open_journal(folder)
        self._months: dict[Path, Month] = {}

    @contextmanager
    def view(self) -> Iterator[View]:
        """See the store as it is at this moment, for the time of the block.

        Raises Unreadable for what is damaged, StorageError for what can't be read just now.
        """
        with self._lock:
            try:
                with ExitStack() as held:
                    yield self._seen(held)
            except sqlite3.Error as error:
                raise StorageError(f"{self._folder}: can't be read: {error}") from None

    def _seen(self, held: ExitStack) -> View:
        """Look at the files until both looks fit together, and keep these for as long as ``held`` is."""
        for _ in range(MOST_LOOKS):
            with ExitStack() as looks:
                last_seq = looks.enter_context(_snapshot(self._journal, _LAST_SEQ))
                months = self._opened()
                if not months:
                    held.push(looks.pop_all())
                    return View(self._journal, [], Extent())
                looks.enter_context(_snapshot(months[-1].db, "SELECT floor FROM extent"))
                extent = months[-1].read_extent()
                if max(extent.seq, extent.pass_seq) <= last_seq:
                    held.push(looks.pop_all())
                    return View(self._journal, months, extent)
        raise StorageError(f"{self._folder}: is sealed faster than it can be read; try again")

    def _opened(self) -> list[Month]:
        files = month_files(self._folder)
        for path in files:
            if path not in self._months:
                self._months[path] = Month.open(path, is_closed=path != files[-1])
        return [self._months[path] for path in files]

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            for month in self._months.values():
                month.close()
            self._journal.close()


@contextmanager
def _snapshot(db: sqlite3.Connection, first_look: str) -> Iterator[int]:
    db.execute("BEGIN")
    try:
        yield db.execute(first_look).fetchone()[0]
    finally:
        db.execute("ROLLBACK")


class View:
    """The store at one moment."""

    def __init__(self, journal: sqlite3.Connection, months: list[Month], extent: Extent) -> None:
        self.journal = journal
        self.months = months
        self.extent = extent
        self._tails: dict[int, Points] | None = None

    def channels(self) -> dict[ChannelId, tuple[int, ChannelInfo]]:
        """Return the number and description of every channel."""
        return read_channels(self.journal)

    def unsealed(self, start: Instant, end: Instant) -> Columns:
        """Return, by arrival, the readings of ``start..end`` that no chunk holds; raises Unreadable."""
        columns = read_frames(self.journal, self.extent.floor, _ALL_FRAMES, start, end)
        at = columns.points.source_ms
        return columns.at(~self.extent.covers(columns) & (at >= start) & (at < end))

    def tails(self) -> dict[int, Points]:
        """Return, by channel, all readings that no chunk holds; raises Unreadable.

        Who asks for many channels asks for this first: what follows takes each channel's from here.
        """
        if self._tails is None:
            self._tails = self._split()
        return self._tails

    def _tail_of(self, channel: int, start: Instant, end: Instant) -> Points:
        if self._tails is not None:
            tail = self._tails.get(channel, no_points())
            return tail.at((tail.source_ms >= start) & (tail.source_ms < end))
        unsealed = self.unsealed(start, end)
        return unsealed.points.at(unsealed.channel == channel)

    def _split(self) -> dict[int, Points]:
        tail = self.unsealed(-_ALL_FRAMES, _ALL_FRAMES)
        order = np.argsort(tail.channel, kind="stable")
        numbers, starts = np.unique(tail.channel[order], return_index=True)
        bounds = [*starts.tolist(), order.size]
        return {
            number: tail.points.at(order[start:end])
            for number, start, end in zip(numbers.tolist(), bounds, bounds[1:], strict=False)
        }

    def points(self, channel: int, start: Instant, end: Instant) -> Points:
        """Return what is kept of a channel in ``start <= source time < end``, by source time and then arrival.

        Raises Unreadable, naming what is damaged.
        """
        return self.kept(channel, start, end, self._tail_of(channel, start, end))

    def kept(self, channel: int, start: Instant, end: Instant, tail: Points) -> Points:
        """Do as ``points``, for a caller who has the channel's readings that are not sealed."""
        parts: list[Points] = []
        for month in self.months:
            parts += month.chunks(channel, month.hours_of(channel, start // HOUR_MS, -(-end // HOUR_MS)))
        points = join([*parts, tail]).between(start, end)
        return points.at(settle(points))

    def shown(self, channel: int, start: Instant, end: Instant) -> Points:
        """Return one reading for each instant: of those of one instant, the last to arrive."""
        points = self.points(channel, start, end)
        return points.at(is_shown(points.source_ms))

    def minutes(self, channel: int, first_hour: int, end_hour: int) -> tuple[Integers, rollup.Minutes]:
        """Return when each minute begins [ms] and the minutes of the days that hold readings; raises Unreadable.

        They are read from the roll-ups, and rolled up anew for hours of which there are readings not yet sealed.
        """
        days = self.days(channel, first_hour // DAY_HOURS, -(-end_hour // DAY_HOURS))
        points = self._tail_of(channel, first_hour * HOUR_MS, end_hour * HOUR_MS)
        fresh_hours = np.unique(points.source_ms // HOUR_MS).tolist()
        numbers = sorted(days.keys() | {hour // DAY_HOURS for hour in fresh_hours})
        found = rollup.unpack([days.get(day, _NO_DAY) for day in numbers])
        for hour in fresh_hours:
            kept = self.kept(channel, hour * HOUR_MS, (hour + 1) * HOUR_MS, points)
            shown = kept.at(is_shown(kept.source_ms))
            fresh = rollup.roll_up(shown, shown.source_ms % HOUR_MS // MINUTE_MS, HOUR_MINUTES)
            at = numbers.index(hour // DAY_HOURS) * rollup.MINUTES + hour % DAY_HOURS * HOUR_MINUTES
            for column, new in zip(found.columns(), fresh.columns(), strict=True):
                column[at : at + HOUR_MINUTES] = new
        begins = np.array(numbers, np.int64)[:, None] * rollup.MINUTES + np.arange(rollup.MINUTES)
        return begins.reshape(-1) * MINUTE_MS, found

    def days(self, channel: int, first_day: int, end_day: int) -> dict[int, bytes]:
        """Return a channel's packed roll-ups of what is sealed, by day since 1970."""
        days: dict[int, bytes] = {}
        for month in self.months:  # a later file knows all that an earlier one knew, and more
            days |= month.days(channel, first_day, end_day)
        return days

    def chunk_rows(self, channel: int, first_hour: int, end_hour: int) -> Iterator[tuple[Month, ChunkRow]]:
        """Yield file and chunk of a channel's hours ``first_hour <= hour < end_hour``, those of an hour by arrival."""
        for month in self.months:
            for row in month.chunk_rows(channel, month.hours_of(channel, first_hour, end_hour)):
                yield month, row

    def bad_hours(self, first_hour: int, end_hour: int) -> dict[int, set[int]]:
        """Return, by channel, the hours of which chunks hold BAD readings."""
        found: dict[int, set[int]] = {}
        for month in self.months:
            for key in month.bad_hours(first_hour, end_hour):
                found.setdefault(key.channel, set()).add(key.hour)
        return found

    def walk(self, channel: int, hours: range) -> Iterator[int]:
        """Yield those of the hours, in their order, of which there are chunks of a channel."""
        walks = [month.walk(channel, hours) for month in self.months]
        yield from (hour for hour, _ in groupby(heapq.merge(*walks, reverse=hours.step < 0)))

    def next_hour(self, channel: int, hours: range) -> int:
        """Return the first of these hours in which there are readings of a channel, else the hour after them."""
        tail = self.unsealed(hours.start * HOUR_MS, hours.stop * HOUR_MS)
        unsealed = tail.points.source_ms[tail.channel == channel] // HOUR_MS
        return min([*islice(self.walk(channel, hours), 1), *unsealed.tolist()], default=hours.stop)

    def hours(self) -> range:
        """Return the hours between the first and the last of which there are readings."""
        first, last = self.journal.execute("SELECT min(from_ms), max(to_ms) FROM frames").fetchone()
        ranges = [range(first // HOUR_MS, last // HOUR_MS + 1)] if first is not None else []
        ranges += [hours for month in self.months if (hours := month.all_hours())]
        if not ranges:
            return range(0)
        return range(min(hours[0] for hours in ranges), max(hours[-1] for hours in ranges) + 1)

    def latest(self) -> Mapping[int, Points]:
        """Return each channel's last reading by arrival."""
        found = dict(self.months[-1].latest()) if self.months else {}
        tail = read_frames(self.journal, self.extent.floor, _ALL_FRAMES, -_ALL_FRAMES, _ALL_FRAMES)
        return found | last_of_each(tail)
