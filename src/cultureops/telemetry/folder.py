"""Questions to a store's folder from a program that does not write it, also beside the one that does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from cultureops.analysis.exposure import ChannelExposure
from cultureops.clock import Instant
from cultureops.telemetry.exposure import read_exposures
from cultureops.telemetry.reader import Reader
from cultureops.telemetry.store import Watch

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


@asynccontextmanager
async def reading_folder(folder: Path) -> AsyncIterator[StoreFolder]:
    """Open a store's folder for reading and let go of it with the block; raises Unreadable for what can't be read."""
    reader = await asyncio.to_thread(Reader, folder)
    try:
        yield StoreFolder(reader)
    finally:
        await asyncio.to_thread(reader.close)
