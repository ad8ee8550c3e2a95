"""What queries ask of readings that are kept, answered by a server that speaks InfluxQL; for one thread.

A sight serves one question of ours and remembers what the server said meanwhile: no hour is asked for twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

import numpy as np

from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality
from cultureops.telemetry import rollup
from cultureops.telemetry.influxql_answer import (
    POINT_FIELDS,
    Part,
    as_points,
    parts,
    point_rows,
    whole_numbers,
)
from cultureops.telemetry.influxql_text import EARLIEST_MS, LATEST_MS, of_series, of_site, within
from cultureops.telemetry.points import Points, is_shown, join, no_points, settle
from cultureops.telemetry.read_call import ReadCall
from cultureops.telemetry.series_address import address_of, channel_at
from cultureops.telemetry.store import Integers

__all__ = ["InfluxQlSight", "select"]

PATH: Final = "/query"
ROWS_A_PART: Final = 10_000
DAYS_IN_MEMORY: Final = 16
_HOURS_A_LOOK: Final = 31 * 24


def select(call: ReadCall, database: str, retention_policy: str, question: str) -> Iterator[Part]:
    """Ask one question and yield its answer; raises Unavailable, QueryRefused, Unreadable."""
    query = {"q": question, "db": database, "epoch": "ms", "chunked": "true", "chunk_size": str(ROWS_A_PART)}
    if retention_policy:
        query["rp"] = retention_policy
    return parts(call.lines(PATH, query), call.server)


class InfluxQlSight:
    """A server's readings of one site; see Kept. ``names`` are the channels by number."""

    def __init__(
        self, call: ReadCall, database: str, retention_policy: str, site: str, names: Mapping[int, ChannelId]
    ) -> None:
        self._call = call
        self._into = database, retention_policy
        self._site = site
        self._names = names
        self._day = lru_cache(DAYS_IN_MEMORY)(self._asked_day)

    def select(self, question: str) -> Iterator[Part]:
        """Ask one question; see select."""
        return select(self._call, *self._into, question)

    def series(self, channel: int) -> str:
        """Return the clauses that name a channel's points."""
        return of_series(address_of(self._names[channel]), self._site)

    def hours(self) -> range:
        """Return the hours between the first and the last of which there are readings."""
        ends: list[int] = []
        for order in ("ASC", "DESC"):
            question = f'SELECT "quality" FROM /.*/ WHERE {of_site(self._site)} ORDER BY time {order} LIMIT 1'
            for part in self.select(question):
                ends += whole_numbers([row[0] for row in part.rows], part.measurement).tolist()
        return range(min(ends) // HOUR_MS, max(ends) // HOUR_MS + 1) if ends else range(0)

    def tails(self) -> Mapping[int, Points]:
        """Return nothing: a server has one place for all its points."""
        return {}

    def kept(self, channel: int, start: Instant, end: Instant, tail: Points) -> Points:
        """Return readings out of whole days, of which the last are remembered."""
        days = range(start // DAY_MS, -(-end // DAY_MS))
        return join([self._day(channel, day).between(start, end) for day in days])

    def _asked_day(self, channel: int, day: int) -> Points:
        return self.points(channel, day * DAY_MS, (day + 1) * DAY_MS)

    def points(self, channel: int, start: Instant, end: Instant) -> Points:
        """Return what the server has of a channel in ``start <= source time < end``, by source time."""
        points = self.every_point(channel, start, end)
        return points.at(settle(points))

    def every_point(self, channel: int, start: Instant, end: Instant) -> Points:
        """Do as ``points``, also with what stands there twice: in series of other tags, once a device was moved."""
        if channel not in self._names or start >= LATEST_MS or end <= EARLIEST_MS or start >= end:
            return no_points()
        name = self._names[channel]
        question = f"SELECT {POINT_FIELDS} {self.series(channel)} AND {within(start, end)}"
        found = [as_points(point_rows(part, self._call.server), name) for part in self.select(question)]
        return join(found)

    def minutes(self, channel: int, first_hour: int, end_hour: int) -> tuple[Integers, rollup.Minutes]:
        """Return when each minute that holds readings begins [ms], and these minutes."""
        kept = self.points(channel, first_hour * HOUR_MS, end_hour * HOUR_MS)
        shown = kept.at(is_shown(kept.source_ms))
        begins, bucket = np.unique(shown.source_ms // MINUTE_MS, return_inverse=True)
        return begins * MINUTE_MS, rollup.roll_up(shown, bucket, begins.size)

    def bad_hours(self, first_hour: int, end_hour: int) -> Mapping[int, set[int]]:
        """Return, by channel, the hours in which there are BAD readings."""
        numbers = {name: number for number, name in self._names.items()}
        found: dict[int, set[int]] = {}
        question = (
            f'SELECT count("quality") FROM /.*/ WHERE {of_site(self._site)} AND "quality" = {Quality.BAD:d} AND '
            f'{within(first_hour * HOUR_MS, end_hour * HOUR_MS)} GROUP BY time(1h), "device", "batch" fill(none)'
        )
        if first_hour >= end_hour:
            return found
        for part in self.select(question):
            channel = channel_at(part.measurement, part.tags)
            if channel in numbers:
                hours = whole_numbers([row[0] for row in part.rows], channel) // HOUR_MS
                found.setdefault(numbers[channel], set()).update(hours.tolist())
        return found

    def walk(self, channel: int, hours: range) -> Iterator[int]:
        """Yield those of the hours, in their order, in which there are readings; looks ahead only as far as it must."""
        for first in range(0, len(hours), _HOURS_A_LOOK):
            look = hours[first : first + _HOURS_A_LOOK]
            held = self.counts(channel, min(look[0], look[-1]), max(look[0], look[-1]) + 1)
            yield from (hour for hour in look if hour in held)

    def counts(self, channel: int, first_hour: int, end_hour: int) -> Mapping[int, int]:
        """Return how many points a channel has in each of the hours that hold any."""
        question = (
            f'SELECT count("quality") {self.series(channel)} AND '
            f"{within(first_hour * HOUR_MS, end_hour * HOUR_MS)} GROUP BY time(1h) fill(none)"
        )
        found: dict[int, int] = {}
        for part in self.select(question):
            for at, count in part.rows:
                hour, held = whole_numbers([at, count], self._names[channel]).tolist()
                found[hour // HOUR_MS] = found.get(hour // HOUR_MS, 0) + held
        return {hour: count for hour, count in found.items() if count}
