"""Questions to a store's folder from a program that does not write it, also beside the one that does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from cultureops.analysis.exposure import ChannelExposure
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.telemetry.archive import Archive, is_archive
from cultureops.telemetry.exposure import read_exposures
from cultureops.telemetry.query import read_buckets, read_gaps
from cultureops.telemetry.reader import Reader
from cultureops.telemetry.store import Buckets, Gap, Watch

__all__ = ["StoreFolder", "reading_folder"]


class StoreFolder:
    """A store's folder, read only."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def exposures(self, start: Instant, end: Instant, watches: Sequence[Watch]) -> tuple[ChannelExposure, ...]:
        """Return what each channel did from ``start`` to ``end``; see TelemetryStore."""
        return await asyncio.to_thread(self._exposures, start, end, watches)

    def _exposures(self, start: Instant, end: Instant, watches: Sequence[Watch]) -> tuple[ChannelExposure, ...]:
        with self._reader.view() as view:
            known = view.channels()
            numbered = [(known[watch.channel][0] if watch.channel in known else 0, watch) for watch in watches]
            return read_exposures(view, numbered, start, end)

    async def buckets(self, channel: ChannelId, start: Instant, end: Instant, count: int) -> Buckets:
        """Return ``start..end`` in at most ``count`` stretches; see TelemetryStore."""
        return await asyncio.to_thread(self._buckets, channel, start, end, count)

    def _buckets(self, channel: ChannelId, start: Instant, end: Instant, count: int) -> Buckets:
        with self._reader.view() as view:
            known = view.channels()
            return read_buckets(view, known[channel][0] if channel in known else 0, start, end, count)

    async def gaps(
        self, start: Instant, end: Instant, channels: Collection[ChannelId] | None = None
    ) -> tuple[Gap, ...]:
        """Return the stretches of BAD readings that touch ``start..end``; see TelemetryStore."""
        return await asyncio.to_thread(self._gaps, start, end, channels)

    def _gaps(self, start: Instant, end: Instant, channels: Collection[ChannelId] | None) -> tuple[Gap, ...]:
        with self._reader.view() as view:
            known = view.channels().items()
            names = {number: name for name, (number, _) in known if channels is None or name in channels}
            return read_gaps(view, names, start, end)


@asynccontextmanager
async def reading_folder(folder: Path) -> AsyncIterator[StoreFolder | Archive]:
    """Open a store's folder, or one of archived months, for reading and let go of it with the block.

    Raises Unreadable for what can't be read.
    """
    if await asyncio.to_thread(is_archive, folder):
        archive = await asyncio.to_thread(Archive.open, folder)
        try:
            yield archive
        finally:
            await asyncio.to_thread(archive.close)
        return
    reader = await asyncio.to_thread(Reader, folder)
    try:
        yield StoreFolder(reader)
    finally:
        await asyncio.to_thread(reader.close)
