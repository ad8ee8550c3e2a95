"""A store that writes through the mirror and is read through InfluxQL, for the tests of the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Self

from cultureops.analysis.exposure import ChannelExposure
from cultureops.clock import Instant, SystemClock
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.errors import StorageError
from cultureops.telemetry import Buckets, ChannelInfo, EmbeddedStore, Gap, Series, Watch
from cultureops.telemetry.influxql import InfluxQlStore
from cultureops.telemetry.line_protocol import Labels
from cultureops.telemetry.mirror import Mirror
from cultureops.telemetry.mirror_settings import MirrorSettings
from cultureops.telemetry.read_settings import ReadSettings

__all__ = ["MirroredStore"]


class MirroredStore:
    """Appends are durable here when the server has confirmed them; every answer is the server's."""

    def __init__(self, kept: EmbeddedStore, mirror: Mirror, remote: InfluxQlStore) -> None:
        self._kept = kept
        self._mirror = mirror
        self._remote = remote
        self._running = asyncio.create_task(mirror.run())
        self._handing_over: set[asyncio.Task[int]] = set()

    @classmethod
    def open(cls, folder: Path, url: str, database: str, site: str = "Lab") -> Self:
        kept = EmbeddedStore.open(folder / "telemetry")
        settings = MirrorSettings(url, "-", database, period_s=60.0)
        mirror = Mirror(kept, settings, Labels(site, {}), folder, SystemClock())
        return cls(kept, mirror, InfluxQlStore(ReadSettings(url, database, silence_s=10.0), site))

    @property
    def failure(self) -> StorageError | None:
        return self._kept.failure

    @property
    def durable(self) -> tuple[int, str]:
        return self._kept.durable

    def declare(self, channels: Mapping[ChannelId, ChannelInfo]) -> None:
        self._kept.declare(channels)

    def append(self, readings: Sequence[Reading]) -> asyncio.Future[int]:
        task = asyncio.create_task(self._handed_over(self._kept.append(readings)))
        self._handing_over.add(task)
        task.add_done_callback(self._handing_over.discard)
        return task

    async def _handed_over(self, durable: asyncio.Future[int]) -> int:
        number = await durable
        await self._mirror.drain()
        await self._remote.refresh()
        return number

    def latest(self) -> Mapping[ChannelId, Reading]:
        return self._remote.latest()

    def channels(self) -> Mapping[ChannelId, ChannelInfo]:
        return self._remote.channels()

    def count(self) -> int:
        return self._remote.count()

    async def series(self, channel: ChannelId, start: Instant, end: Instant) -> Series:
        return await self._remote.series(channel, start, end)

    async def series_of(self, starts: Mapping[ChannelId, Instant], end: Instant) -> dict[ChannelId, Series]:
        return await self._remote.series_of(starts, end)

    async def buckets(self, channel: ChannelId, start: Instant, end: Instant, count: int) -> Buckets:
        return await self._remote.buckets(channel, start, end, count)

    async def buckets_of(
        self, channels: Sequence[ChannelId], start: Instant, end: Instant, count: int
    ) -> tuple[Buckets, ...]:
        return await self._remote.buckets_of(channels, start, end, count)

    async def gaps(
        self, start: Instant, end: Instant, channels: Collection[ChannelId] | None = None
    ) -> tuple[Gap, ...]:
        return await self._remote.gaps(start, end, channels)

    async def exposures(self, start: Instant, end: Instant, watches: Sequence[Watch]) -> tuple[ChannelExposure, ...]:
        return await self._remote.exposures(start, end, watches)

    async def seal(self, before: Instant) -> int:
        return await self._kept.seal(before)

    async def flush(self) -> None:
        await self._kept.flush()
        await self._mirror.drain()
        await self._remote.refresh()

    async def close(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, *self._handing_over, return_exceptions=True)
        await self._remote.close()
        await self._kept.close()
