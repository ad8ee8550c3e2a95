"""What VictoriaMetrics holds of a channel, through its own export; it knows no InfluxQL.

It keeps a line's fields as series of their own, whose samples are put together again by their instants. Source:
https://docs.victoriametrics.com/victoriametrics/#how-to-export-data-in-json-line-format
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import Any, Final, TypeVar

import numpy as np

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality
from cultureops.errors import Unreadable
from cultureops.telemetry.influxql_answer import QueryRefused, floats, whole_numbers
from cultureops.telemetry.points import Points, join, no_points
from cultureops.telemetry.read_call import ReadCall
from cultureops.telemetry.read_settings import ReadSettings
from cultureops.telemetry.reading_thread import ReadingThread
from cultureops.telemetry.series_address import address_of, carried, channel_at
from cultureops.telemetry.store import ARRIVAL_UNKNOWN_MS, Floats, Integers

__all__ = ["VictoriaReader"]

_EXPORT: Final = "/api/v1/export"
_FLUSH: Final = "/internal/force_flush"
_SERIES: Final = "/api/v1/series"
_OF_QUALITY: Final = "_quality"
_EARLIEST_MS: Final = 1_000
"""It takes a start of zero for none."""
_FIELDS: Final = ("value", "quality", "reason_code")

T = TypeVar("T")
_Fields = dict[str, tuple[Integers, Floats]]


class VictoriaReader:
    """The points of one site in one VictoriaMetrics."""

    def __init__(self, settings: ReadSettings, site: str) -> None:
        self._call = ReadCall(settings)
        self._site = carried(site)
        self._thread = ReadingThread("victoria")
        self._channels: Collection[ChannelId] = ()

    async def settle(self) -> None:
        """Make what was taken lately visible to questions, where the server lets us, and look which channels it has."""
        with suppress(QueryRefused):
            await self._read(lambda: list(self._call.lines(_FLUSH, {})))
        self._channels = await self._read(self._seen)

    def channels(self) -> Collection[ChannelId]:
        """Return the channels of the site that the server had last time."""
        return self._channels

    async def every_point(self, channel: ChannelId, start: Instant, end: Instant) -> Points:
        """Return all that the server has of a channel in ``start <= source time < end``, by source time.

        A point that lacks quality or reason is none; a usable one without a value has NaN. Raises Unavailable,
        QueryRefused, Unreadable.
        """
        if end <= max(start, _EARLIEST_MS):
            return no_points()
        return await self._read(lambda: self._points(channel, max(start, _EARLIEST_MS), end))

    async def close(self) -> None:
        """Let go of the server."""
        await asyncio.to_thread(self._thread.end)
        self._call.close()

    async def _read(self, query: Callable[[], T]) -> T:
        given_up = threading.Event()

        def run() -> T:
            self._call.begin(given_up)
            return query()

        try:
            return await self._thread.ask(run)
        except BaseException:
            self._call.abort(given_up)
            raise

    def _seen(self) -> frozenset[ChannelId]:
        query = {"match[]": f"{{site={_text(self._site)}}}", "start": _seconds(_EARLIEST_MS)}
        found: set[ChannelId] = set()
        for series in _list(b"".join(self._call.lines(_SERIES, query)), self._call.server):
            name = str(series.get("__name__", ""))
            channel = channel_at(name.removesuffix(_OF_QUALITY), series)
            if name.endswith(_OF_QUALITY) and channel is not None:
                found.add(channel)
        return frozenset(found)

    def _points(self, channel: ChannelId, start: Instant, end: Instant) -> Points:
        series: dict[tuple[tuple[str, str], ...], _Fields] = {}
        for labels, field, times, values in self._samples(channel, start, end):
            own = series.setdefault(labels, {})
            if field in own:
                times, values = np.append(own[field][0], times), np.append(own[field][1], values)
            own[field] = times, values
        points = join([_together(own, channel) for own in series.values()])
        return points.at(np.argsort(points.source_ms, kind="stable"))

    def _samples(
        self, channel: ChannelId, start: Instant, end: Instant
    ) -> Iterator[tuple[tuple[tuple[str, str], ...], str, Integers, Floats]]:
        address = address_of(channel)
        names = {f"{address.measurement}_{field}": field for field in _FIELDS}
        for name, field in names.items():
            query = {
                "match[]": f"{{__name__={_text(name)},site={_text(self._site)},{address.key}={_text(address.owner)}}}",
                "start": _seconds(start), "end": _seconds(end - 1), "reduce_mem_usage": "0",
            }  # fmt: skip
            for line in self._call.lines(_EXPORT, query):
                row = _row(line, self._call.server)
                labels = tuple(sorted((key, text) for key, text in row["metric"].items() if key != "__name__"))
                times = whole_numbers(row["timestamps"], channel)
                values = floats(row["values"], channel)
                inside = (times >= start) & (times < end)
                yield labels, field, times[inside], values[inside]


def _together(own: _Fields, channel: ChannelId) -> Points:
    """Put the fields of a series together; what lacks quality or reason is left out."""
    none = np.empty(0, np.int64), np.empty(0)
    (value_ms, value), (quality_ms, quality), (reason_ms, reason) = (own.get(field, none) for field in _FIELDS)
    at_ms, in_quality, in_reason = np.intersect1d(quality_ms, reason_ms, return_indices=True)
    values = np.full(at_ms.size, np.nan)
    _, here, there = np.intersect1d(at_ms, value_ms, return_indices=True)
    values[here] = value[there]
    codes, reasons = quality[in_quality], reason[in_reason]
    if not (np.isin(codes, [int(one) for one in Quality]) & (reasons == np.floor(reasons)) & (reasons < 256)).all():
        raise Unreadable(f"{channel}: the server has qualities or reasons that the mirror never writes")
    values[codes == Quality.BAD] = np.nan
    received_ms = np.full(at_ms.size, ARRIVAL_UNKNOWN_MS, np.int64)
    return Points(at_ms, received_ms, values, codes.astype(np.uint8), reasons.astype(np.uint8))


def _list(answer: bytes, server: str) -> list[dict[str, str]]:
    try:
        rows = json.loads(answer)["data"]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ValueError("no series")
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Unreadable(f"{server} lists what is no series; check what stands between") from None
    return rows


def _row(line: bytes, server: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        if not isinstance(row["metric"], dict) or len(row["timestamps"]) != len(row["values"]):
            raise ValueError("no series")
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Unreadable(f"{server} exports what is no series; check what stands between") from None
    return row  # type: ignore[no-any-return]


def _text(name: str) -> str:
    """Quote a text of a selector as Go does."""
    return json.dumps(name, ensure_ascii=False)


def _seconds(at: Instant) -> str:
    return f"{at // 1000}.{at % 1000:03d}"
