"""Readings at the width of a chart: equal stretches with exact extremes, and the gaps; from what is kept somewhere."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cultureops.clock import HOUR_MS, MINUTE_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reason
from cultureops.telemetry import rollup
from cultureops.telemetry.month import END_MS, FIRST_MS
from cultureops.telemetry.points import Points, is_shown, join, no_points
from cultureops.telemetry.runs import Run, runs_of
from cultureops.telemetry.store import Buckets, Gap, Integers, Series

__all__ = ["Kept", "read_buckets", "read_gaps", "read_series"]


class Kept(Protocol):
    """What a query asks of readings that are kept, in a store's folder or in an archive; channels are numbers."""

    def hours(self) -> range:
        """Return the hours between the first and the last of which there are readings."""
        ...

    def tails(self) -> Mapping[int, Points]:
        """Return, by channel, the readings that ``walk`` and ``bad_hours`` know nothing of."""
        ...

    def points(self, channel: int, start: Instant, end: Instant) -> Points:
        """Return what is kept of a channel in ``start <= source time < end``, by source time and then arrival."""
        ...

    def kept(self, channel: int, start: Instant, end: Instant, tail: Points) -> Points:
        """Do as ``points``, for a caller who has the channel's tail."""
        ...

    def minutes(self, channel: int, first_hour: int, end_hour: int) -> tuple[Integers, rollup.Minutes]:
        """Return when each minute begins [ms] and the minutes of the days that hold readings."""
        ...

    def bad_hours(self, first_hour: int, end_hour: int) -> Mapping[int, set[int]]:
        """Return, by channel, the hours in which there are BAD readings."""
        ...

    def walk(self, channel: int, hours: range) -> Iterator[int]:
        """Yield those of the hours, in their order, in which there are readings of a channel."""
        ...


def read_series(view: Kept, channel: int, start: Instant, end: Instant) -> Series:
    """Return one reading for each instant of ``start <= source time < end``: the last to arrive."""
    kept = view.points(channel, start, end)
    is_last = is_shown(kept.source_ms)
    revised = ~np.append(True, is_last[:-1]) if kept.size else is_last
    points = kept.at(is_last)
    return Series(points.source_ms, points.received_ms, points.value, points.quality, points.reason, revised[is_last])


def read_buckets(view: Kept, channel: int, start: Instant, end: Instant, count: int) -> Buckets:
    """Return ``start..end`` in at most ``count`` stretches.

    Stretches of a minute or more are whole minutes, begin on one, and come from roll-ups; finer ones from the readings
    themselves.
    """
    if end <= start or count < 1:
        raise ValueError(f"{start}..{end} in {count} stretches is no range")
    width_ms = -(-(end - start) // count)
    if width_ms < MINUTE_MS:
        size = -(-(end - start) // width_ms)
        kept = view.points(channel, start, end)
        points = kept.at(is_shown(kept.source_ms))
        return _buckets(start, width_ms, rollup.roll_up(points, (points.source_ms - start) // width_ms, size))
    first = start // MINUTE_MS * MINUTE_MS
    width_ms = max(MINUTE_MS, -(-(end - first) // (count * MINUTE_MS)) * MINUTE_MS)
    return _from_minutes(view, channel, first, end, width_ms)


def _from_minutes(view: Kept, channel: int, first: Instant, end: Instant, width_ms: int) -> Buckets:
    size = -(-(end - first) // width_ms)
    hours = range(max(first // HOUR_MS, FIRST_MS // HOUR_MS), min(-(-end // HOUR_MS), END_MS // HOUR_MS))
    if not hours:
        return _buckets(first, width_ms, rollup.no_minutes(size))
    at, minutes = view.minutes(channel, hours.start, hours.stop)
    inside = (at >= first) & (at < end) & ((minutes.count > 0) | (minutes.bad > 0))
    return _buckets(first, width_ms, rollup.add((at[inside] - first) // width_ms, minutes.at(inside), size))


def _buckets(start: Instant, width_ms: int, rows: rollup.Minutes) -> Buckets:
    mean = np.divide(rows.total, rows.count, out=np.full(rows.count.size, np.nan), where=rows.count > 0)
    from_ms = start + np.arange(rows.count.size, dtype=np.int64) * width_ms
    return Buckets(width_ms, from_ms, rows.minimum, rows.maximum, mean, rows.count, rows.bad)


def read_gaps(view: Kept, names: Mapping[int, ChannelId], start: Instant, end: Instant) -> tuple[Gap, ...]:
    """Return the stretches of BAD readings that touch ``start..end``, by channel and time."""
    known = view.hours()
    hours = range(min(max(start // HOUR_MS, known.start), known.stop), min(-(-end // HOUR_MS), known.stop))
    tails, bad = view.tails(), view.bad_hours(hours.start, hours.stop)
    return tuple(
        Gap(names[channel], run.from_ms, run.to_ms, Reason(run.reason))
        for channel in sorted(names)
        for history in [_History(view, channel, known, tails.get(channel, no_points()))]
        for run in _runs(history, hours, bad.get(channel, set()))
        if run.from_ms < end and (run.to_ms is None or run.to_ms > start)
    )


@dataclass(frozen=True, slots=True)
class _History:
    """One channel hour by hour; ``tail`` are its readings that are not sealed."""

    view: Kept
    channel: int
    known: range
    tail: Points

    def shown(self, hours: range) -> Points:
        """Return one reading for each instant of these hours."""
        points = self.view.kept(self.channel, hours.start * HOUR_MS, hours.stop * HOUR_MS, self.tail)
        return points.at(is_shown(points.source_ms))

    def walk(self, hours: range) -> Iterator[int]:
        """Yield those of the hours, in their order, in which there are readings."""
        unsealed = {hour for hour in np.unique(self.tail.source_ms // HOUR_MS).tolist() if hour in hours}
        is_back = hours.step < 0
        walks = self.view.walk(self.channel, hours), sorted(unsealed, reverse=is_back)
        yield from heapq.merge(*walks, reverse=is_back)

    def bad_along(self, hours: range) -> set[int]:
        """Return which hold BAD readings of the first of these hours, until one holds a reading that is not BAD."""
        found = set()
        for hour in self.walk(hours):
            points = self.shown(range(hour, hour + 1))
            if points.bad.any():
                found.add(hour)
            if not points.bad.all():
                break
        return found


def _runs(history: _History, hours: range, sealed_bad: set[int]) -> list[Run]:
    """Return a channel's runs that touch these hours, each with its true begin and end."""
    bad = history.tail.at(history.tail.bad).source_ms // HOUR_MS
    found = sealed_bad | {hour for hour in np.unique(bad).tolist() if hour in hours}
    found |= history.bad_along(range(hours.start - 1, history.known.start - 1, -1))
    if found:
        found |= history.bad_along(range(hours.stop, history.known.stop))
    return runs_of(join([_with_next(history, stretch) for stretch in _stretches(sorted(found))]))


def _stretches(hours: list[int]) -> list[range]:
    """Return ascending hours as stretches of hours that follow on each other."""
    found: list[range] = []
    for hour in hours:
        if found and found[-1].stop == hour:
            found[-1] = range(found[-1].start, hour + 1)
        else:
            found.append(range(hour, hour + 1))
    return found


def _with_next(history: _History, hours: range) -> Points:
    """Return a channel's readings of these hours and the first one after them, which tells where a run ends."""
    points = history.shown(hours)
    if points.size and points.bad[-1]:
        for hour in history.walk(range(hours.stop, history.known.stop)):
            return join([points, history.shown(range(hour, hour + 1)).at(slice(0, 1))])
    return points
