"""One channel's readings hour by hour: what can be told of an hour without decoding its values, and the values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from cultureops.analysis.exposure import Flags, Floats, Integers
from cultureops.clock import HOUR_MS, Instant
from cultureops.device.reading import Quality
from cultureops.telemetry import chunk
from cultureops.telemetry.month import ChunkRow, Month
from cultureops.telemetry.points import Points, is_shown, join, settle
from cultureops.telemetry.reader import View
from cultureops.telemetry.spacing import Spacing

__all__ = ["Hours", "Spacings", "Usable"]


@dataclass(frozen=True, slots=True)
class Usable:
    """Readings that have a value, in order of time; all arrays have one length."""

    times_ms: Integers
    values: Floats
    uncertain: Flags

    def at(self, rows: Flags | slice) -> Usable:
        """Return only these readings."""
        return Usable(self.times_ms[rows], self.values[rows], self.uncertain[rows])

    @property
    def size(self) -> int:
        """How many readings there are."""
        return self.times_ms.size

    @classmethod
    def of(cls, parts: Sequence[Usable]) -> Self:
        """Return parts that follow on each other as one."""
        none = np.empty(0, np.int64), np.empty(0), np.empty(0, bool)
        columns = zip(none, *((part.times_ms, part.values, part.uncertain) for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))


class Spacings:
    """How hours' readings are spaced; measured once for all channels that are read together."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, ...], Spacing] = {}

    def of(self, chunks: list[tuple[Month, ChunkRow]]) -> Spacing:
        """Return the spacing of an hour's chunks; raises Unreadable."""
        stamps = tuple(month.stamps(row) for month, row in chunks)
        if stamps not in self._known:
            parts = [chunk.source_times(packed, row.readings) for packed, (_, row) in zip(stamps, chunks, strict=True)]
            times = parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))
            self._known[stamps] = Spacing.of(times)
        return self._known[stamps]


@dataclass(frozen=True, slots=True)
class Hours:
    """A channel's chunks by hour, those of an hour by arrival, and its unsealed readings of ``start <= time < end``."""

    start: Instant
    end: Instant
    chunks: Mapping[int, list[tuple[Month, ChunkRow]]]
    tail: Points
    _usable: dict[int, Usable] = field(default_factory=dict)

    @classmethod
    def read(cls, view: View, channel: int, start: Instant, end: Instant, tail: Points) -> Self:
        """Gather the hours that reach into ``start <= source time < end``; ``tail`` is of this stretch and channel."""
        chunks: dict[int, list[tuple[Month, ChunkRow]]] = {}
        for month, row in view.chunk_rows(channel, start // HOUR_MS, -(-end // HOUR_MS)):
            chunks.setdefault(row.hour, []).append((month, row))
        return cls(start, end, chunks, tail)

    def all(self) -> list[int]:
        """Return the hours with readings, in order."""
        return sorted(self.unsealed().union(self.chunks))

    def unsealed(self) -> set[int]:
        """Return the hours with readings that are not sealed."""
        return set(np.unique(self.tail.source_ms // HOUR_MS).tolist())

    def quality(self, hour: int) -> int | None:
        """Return the one quality of a sealed hour's readings; None where they differ, or have several reasons."""
        found = {chunk.only_quality(row.values) for _, row in self.chunks[hour]}
        return found.pop() if len(found) == 1 else None

    def usable(self, hour: int) -> Usable:
        """Return an hour's readings of ``start..end`` that have a value, one for each instant; raises Unreadable."""
        if hour not in self._usable:
            chunks = self.chunks.get(hour, [])
            unsealed = self.tail.between(hour * HOUR_MS, (hour + 1) * HOUR_MS) if self.tail.size else self.tail
            quality = self.quality(hour) if len(chunks) == 1 and not unsealed.size else None
            found = self._settled(chunks, unsealed) if not quality else self._plain(*chunks[0], quality)
            if not self.start <= hour * HOUR_MS <= (hour + 1) * HOUR_MS <= self.end:
                found = found.at((found.times_ms >= self.start) & (found.times_ms < self.end))
            self._usable[hour] = found
        return self._usable[hour]

    def _plain(self, month: Month, row: ChunkRow, quality: int) -> Usable:
        times = chunk.source_times(month.stamps(row), row.readings)
        numbers = chunk.decode_numbers(row.values, row.readings)
        found = Usable(times, numbers, np.full(times.size, quality == Quality.UNCERTAIN))
        return found if (times[1:] > times[:-1]).all() else found.at(is_shown(times))

    def _settled(self, chunks: list[tuple[Month, ChunkRow]], unsealed: Points) -> Usable:
        points = join([*(month.opened(row) for month, row in chunks), unsealed])
        points = points.at(settle(points))
        points = points.at(is_shown(points.source_ms) & ~points.bad)
        return Usable(points.source_ms, points.value, points.quality == Quality.UNCERTAIN)
