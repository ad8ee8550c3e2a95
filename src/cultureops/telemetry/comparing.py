"""Reading back: whether a server holds exactly what the store holds, channel by channel and day by day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from cultureops.clock import HOUR_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.errors import ConfigError
from cultureops.telemetry.agreement import Agreement, agreement
from cultureops.telemetry.influxql import InfluxQlStore
from cultureops.telemetry.points import Points, no_points
from cultureops.telemetry.read_settings import Language, ReadSettings
from cultureops.telemetry.reader import Reader
from cultureops.telemetry.selection import Piece, Selection
from cultureops.telemetry.store import ChannelInfo
from cultureops.telemetry.victoria import VictoriaReader

__all__ = ["Copy", "Kept", "Remote", "compare", "open_copy"]

VICTORIA_TOLERANCE: Final = 1e-11
"""By how much of itself a value may be off in VictoriaMetrics, which keeps its first twelve digits."""


class Remote(Protocol):
    """A server that holds a copy."""

    async def every_point(self, channel: ChannelId, start: Instant, end: Instant) -> Points:
        """Return all that it has of a channel in ``start <= source time < end``, by source time."""
        ...

    def channels(self) -> Collection[ChannelId]:
        """Return the channels of the site that it has."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class Kept:
    """A store's folder, read only, also beside the lab that writes it; for one thread."""

    def __init__(self, folder: Path) -> None:
        self._reader = Reader(folder)
        with self._reader.view() as view:
            described, self.hours = view.channels(), view.hours()
        self.numbers = {name: number for name, (number, _) in described.items()}
        self.infos: Mapping[ChannelId, ChannelInfo] = {name: info for name, (_, info) in described.items()}

    @classmethod
    async def open(cls, folder: Path) -> Self:
        """Open the folder; raises Unreadable for what can't be read."""
        return await asyncio.to_thread(cls, folder)

    def everything(self, channels: list[ChannelId] | None) -> Selection:
        """Select all that is kept of some channels, or of all; raises ConfigError for one that nobody declared."""
        if unknown := [name for name in channels or () if name not in self.numbers]:
            known = ", ".join(self.numbers) or "none"
            raise ConfigError(f"there is no channel {unknown[0]!r} in the store; known: {known}")
        span = (self.hours.start * HOUR_MS, self.hours.stop * HOUR_MS)
        return Selection.of({name: [span] for name in (self.numbers if channels is None else channels)})

    async def points(self, piece: Piece) -> Points:
        """Return all that is kept of a piece, by source time and then arrival."""
        return await asyncio.to_thread(self._points, piece)

    def _points(self, piece: Piece) -> Points:
        number = self.numbers.get(piece.channel)
        if number is None:
            return no_points()
        with self._reader.view() as view:
            return view.points(number, piece.start, piece.end)

    def close(self) -> None:
        """Let go of the folder."""
        self._reader.close()


@dataclass(frozen=True, slots=True)
class Copy:
    """A server, and how exactly it keeps what it is given."""

    remote: Remote
    tolerance: float = 0.0
    any_of_instant: bool = False

    async def agreement(self, kept: Points, piece: Piece) -> Agreement:
        """Compare what is kept of a piece with what the server has of it."""
        found = await self.remote.every_point(piece.channel, piece.start, piece.end)
        return await asyncio.to_thread(
            agreement, kept, found, tolerance=self.tolerance, any_of_instant=self.any_of_instant
        )


async def open_copy(settings: ReadSettings, site: str) -> Copy:
    """Open what a site's mirror has filled; raises StorageError when the server can't be asked."""
    if settings.language is Language.INFLUXQL:
        return Copy(await InfluxQlStore.open(settings, site))
    victoria = VictoriaReader(settings, site)
    try:
        await victoria.settle()
    except BaseException:
        await victoria.close()
        raise
    return Copy(victoria, VICTORIA_TOLERANCE, any_of_instant=True)


async def compare(
    kept: Kept, copy: Copy, selection: Selection, show: Callable[[int, int], None]
) -> AsyncIterator[tuple[Piece, Agreement]]:
    """Yield how store and copy agree, day by day; ``show`` is told how many pieces of how many are done.

    Raises Unavailable, QueryRefused, Unreadable.
    """
    pieces = list(selection.pieces())
    for done, piece in enumerate(pieces):
        show(done, len(pieces))
        yield piece, await copy.agreement(await kept.points(piece), piece)
    show(len(pieces), len(pieces))
