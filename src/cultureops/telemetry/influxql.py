"""A server that speaks InfluxQL, asked as the lab's own store is asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final, Self, TypeVar

from cultureops.analysis.exposure import ChannelExposure
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.errors import StorageError
from cultureops.telemetry.exposure import decode_exposure
from cultureops.telemetry.influx import Unavailable
from cultureops.telemetry.influxql_answer import POINT_FIELDS, Part, as_points, point_rows, whole_numbers
from cultureops.telemetry.influxql_buckets import server_buckets
from cultureops.telemetry.influxql_sight import InfluxQlSight, select
from cultureops.telemetry.influxql_text import of_site
from cultureops.telemetry.points import Points, as_readings
from cultureops.telemetry.query import read_gaps, read_series
from cultureops.telemetry.read_call import ReadCall
from cultureops.telemetry.read_settings import ReadSettings
from cultureops.telemetry.reading_thread import ReadingThread
from cultureops.telemetry.series_address import channel_at
from cultureops.telemetry.store import Buckets, ChannelInfo, Gap, Series, Watch

__all__ = ["InfluxQlStore"]

MOST_QUESTIONS: Final = 64
"""How many may wait for their answer at once; more are refused rather than piled up."""
_GROUPS: Final = 'GROUP BY "device", "batch", "unit", "simulated"'

T = TypeVar("T")


class InfluxQlStore:
    """The reading half of a TelemetryStore over what the mirror has written for one site.

    What never reached the server is not told: when readings were received, which of them others had replaced, decimals
    and kind of a channel. ``latest`` is the newest reading by its own time. Several channels are not seen at one
    moment, for the mirror may write between two questions. ``channels``, ``latest`` and ``count`` say what the last
    ``refresh`` has found.
    """

    def __init__(self, settings: ReadSettings, site: str) -> None:
        self._settings = settings
        self._site = site
        self._call = ReadCall(settings)  # first: it may refuse the settings
        self._thread = ReadingThread("influxql")
        self._asked = 0
        self._is_closed = False
        self._infos: Mapping[ChannelId, ChannelInfo] = {}
        self._latest: Mapping[ChannelId, Reading] = {}
        self._counts: Mapping[ChannelId, int] = {}

    @classmethod
    async def open(cls, settings: ReadSettings, site: str) -> Self:
        """Open the store and look once; raises StorageError when the server can't be asked."""
        store = cls(settings, site)
        try:
            await store.refresh()
        except BaseException:
            await store.close()
            raise
        return store

    async def refresh(self) -> None:
        """Look anew which channels there are, what they said last and how many readings they have."""
        self._infos, self._latest = await self._read(self._seen)
        self._counts = await self._read(self._counted)

    def channels(self) -> Mapping[ChannelId, ChannelInfo]:
        """Return every channel of the site with its unit, and whether it is simulated."""
        return self._infos

    def latest(self) -> Mapping[ChannelId, Reading]:
        """Return the reading of each channel with the latest source time."""
        return self._latest

    def count(self) -> int:
        """Return how many points of the site there are; of two at one instant in different series, both."""
        return sum(self._counts.values())

    async def every_point(self, channel: ChannelId, start: Instant, end: Instant) -> Points:
        """Return all that the server has of a channel in ``start <= source time < end``, by source time."""
        return await self._read(lambda: self._sight(channel).every_point(1, start, end))

    async def series(self, channel: ChannelId, start: Instant, end: Instant) -> Series:
        """Return the readings with ``start <= source time < end``; see TelemetryStore."""
        return await self._read(lambda: read_series(self._sight(channel), 1, start, end))

    async def series_of(self, starts: Mapping[ChannelId, Instant], end: Instant) -> dict[ChannelId, Series]:
        """Do as ``series`` for many channels, each from its own start."""
        return {channel: await self.series(channel, start, end) for channel, start in starts.items()}

    async def buckets(self, channel: ChannelId, start: Instant, end: Instant, count: int) -> Buckets:
        """Return ``start..end`` in at most ``count`` stretches; see TelemetryStore."""
        return await self._read(lambda: server_buckets(self._sight(channel), 1, start, end, count))

    async def buckets_of(
        self, channels: Sequence[ChannelId], start: Instant, end: Instant, count: int
    ) -> tuple[Buckets, ...]:
        """Do as ``buckets`` for many channels."""
        return tuple([await self.buckets(channel, start, end, count) for channel in channels])

    async def gaps(
        self, start: Instant, end: Instant, channels: Collection[ChannelId] | None = None
    ) -> tuple[Gap, ...]:
        """Return the stretches of BAD readings that touch ``start..end``; see TelemetryStore."""

        def read() -> tuple[Gap, ...]:
            infos, _ = self._seen()
            names = dict(enumerate((name for name in infos if channels is None or name in channels), 1))
            return read_gaps(self._sight(*names.values()), names, start, end)

        return await self._read(read)

    async def exposures(self, start: Instant, end: Instant, watches: Sequence[Watch]) -> tuple[ChannelExposure, ...]:
        """Return what each channel did from ``start`` to ``end``; see TelemetryStore."""
        if end < start:
            raise ValueError(f"{start}..{end} is no stretch")
        found = []
        for watch in watches:
            sight = self._sight(watch.channel)
            found.append(await self._read(lambda: decode_exposure(sight, 1, watch, start, end)))  # noqa: B023
        return tuple(found)

    async def close(self) -> None:
        """Let go of the server; a second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.to_thread(self._thread.end)
            self._call.close()

    def _sight(self, *channels: ChannelId) -> InfluxQlSight:
        return InfluxQlSight(
            self._call, self._settings.database, self._settings.retention_policy, self._site,
            dict(enumerate(channels, 1)),
        )  # fmt: skip

    def _seen(self) -> tuple[dict[ChannelId, ChannelInfo], dict[ChannelId, Reading]]:
        """Return channels and their newest readings; of several series of a channel the one that spoke last tells."""
        infos: dict[ChannelId, ChannelInfo] = {}
        latest: dict[ChannelId, Reading] = {}
        question = f"SELECT {POINT_FIELDS} FROM /.*/ WHERE {of_site(self._site)} {_GROUPS} ORDER BY time DESC LIMIT 1"
        for part in self._select(question):
            channel = channel_at(part.measurement, part.tags)
            if channel is None or not part.rows:
                continue
            (reading,) = as_readings([channel], as_points(point_rows(part, self._call.server), channel))
            if channel not in latest or latest[channel].source_time <= reading.source_time:
                latest[channel] = reading
                infos[channel] = ChannelInfo(part.tags.get("unit", ""), simulated=part.tags.get("simulated") == "true")
        return infos, latest

    def _counted(self) -> dict[ChannelId, int]:
        question = f'SELECT count("quality") FROM /.*/ WHERE {of_site(self._site)} GROUP BY "device", "batch"'
        found: dict[ChannelId, int] = {}
        for part in self._select(question):
            channel = channel_at(part.measurement, part.tags)
            if channel is not None:
                counts = whole_numbers([row[1] for row in part.rows], channel)
                found[channel] = found.get(channel, 0) + int(counts.sum())
        return found

    def _select(self, question: str) -> Iterator[Part]:
        return select(self._call, self._settings.database, self._settings.retention_policy, question)

    async def _read(self, query: Callable[[], T]) -> T:
        """Run a query in the one thread; whoever waits no longer, or too long, frees it."""
        if self._is_closed:
            raise StorageError(f"{self._settings.url}: the store is closed; open it again")
        if self._asked >= MOST_QUESTIONS:
            raise Unavailable(f"{self._settings.url}: {self._asked} questions wait for their answer; ask later")
        given_up = threading.Event()

        def run() -> T:
            self._call.begin(given_up)
            return query()

        self._asked += 1
        try:
            return await self._thread.ask(run)
        except BaseException:
            self._call.abort(given_up)
            raise
        finally:
            self._asked -= 1
