"""Stretches for a chart, added up by the server where its sums are those of the readings.

They are when all of a channel's points in question are of one series, so that no instant has two, and when no value
stands beside quality BAD. Otherwise, which the answer itself shows, the points are fetched and added up here.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops.clock import MINUTE_MS, Instant
from cultureops.device.reading import Quality
from cultureops.errors import Unreadable
from cultureops.telemetry.influxql_answer import Part, floats, whole_numbers
from cultureops.telemetry.influxql_sight import InfluxQlSight
from cultureops.telemetry.influxql_text import EARLIEST_MS, LATEST_MS, within
from cultureops.telemetry.query import read_buckets
from cultureops.telemetry.store import Buckets

__all__ = ["server_buckets"]

_SUMS: Final = 'count("value"), min("value"), max("value"), mean("value"), count("quality")'
_WIDEST_MS: Final = LATEST_MS // 2


def server_buckets(sight: InfluxQlSight, channel: int, start: Instant, end: Instant, count: int) -> Buckets:
    """Return ``start..end`` in at most ``count`` stretches, as read_buckets does; raises ValueError for no range."""
    if end <= start or count < 1:
        return read_buckets(sight, channel, start, end, count)
    first, width_ms = start, -(-(end - start) // count)
    if width_ms >= MINUTE_MS:
        first = start // MINUTE_MS * MINUTE_MS
        width_ms = max(MINUTE_MS, -(-(end - first) // (count * MINUTE_MS)) * MINUTE_MS)
    found = None
    if width_ms <= _WIDEST_MS and first >= EARLIEST_MS and end <= LATEST_MS:
        found = _added_up(sight, channel, first, end, width_ms)
    return found or read_buckets(sight, channel, start, end, count)


def _added_up(sight: InfluxQlSight, channel: int, first: Instant, end: Instant, width_ms: int) -> Buckets | None:
    """Return the server's sums, None where they may not be those of the readings."""
    size = -(-(end - first) // width_ms)
    groups = f"GROUP BY time({width_ms}ms, {first % width_ms}ms)"
    series = f"{sight.series(channel)} AND {within(first, end)}"
    numbers = np.zeros((2, size), np.int64)
    values = np.full((3, size), np.nan)
    if len(list(sight.select(f'SELECT "quality" {series} GROUP BY * ORDER BY time DESC LIMIT 1'))) > 1:
        return None
    for part in sight.select(f"SELECT {_SUMS} {series} {groups} fill(none)"):
        row, columns = _columns(part, first, width_ms, size)
        numbers[0, row], numbers[1, row] = (whole_numbers(_no_null(columns[at]), part.measurement) for at in (0, 4))
        for into, at in enumerate((1, 2, 3)):
            values[into, row] = floats(columns[at], part.measurement)
    bad = np.zeros(size, np.int64)
    question = f'SELECT count("quality") {series} AND "quality" = {Quality.BAD:d} {groups} fill(none)'
    for part in sight.select(question):
        row, columns = _columns(part, first, width_ms, size)
        bad[row] = whole_numbers(_no_null(columns[0]), part.measurement)
    with_value, all_points = numbers
    if (with_value + bad != all_points).any():
        return None
    from_ms = first + np.arange(size, dtype=np.int64) * width_ms
    return Buckets(width_ms, from_ms, values[0], values[1], values[2], with_value, bad)


def _columns(part: Part, first: Instant, width_ms: int, size: int) -> tuple[np.ndarray, list[tuple[object, ...]]]:
    """Return each row's stretch, and the columns after the time; raises Unreadable for times that begin no stretch."""
    if not part.rows:
        return np.empty(0, np.int64), [() for _ in part.columns[1:]]
    times, *columns = zip(*part.rows, strict=True)
    row, rest = np.divmod(whole_numbers(times, part.measurement) - first, width_ms)
    if rest.any() or (row < 0).any() or (row >= size).any():
        raise Unreadable(f"{part.measurement}: the server answers with other stretches than were asked for")
    return row, columns


def _no_null(cells: tuple[object, ...]) -> list[object]:
    """Take no number of points for none."""
    return [0 if cell is None else cell for cell in cells]
