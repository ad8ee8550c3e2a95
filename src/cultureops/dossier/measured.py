"""What the chambers did while a batch stood in them: figures within the recipe's limits, gaps, and a series to draw."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Protocol

import numpy as np

from cultureops.acquisition import MeasuredChannel
from cultureops.batch.batch import Batch
from cultureops.batch.conditions import Range, conditions
from cultureops.batch.facts import TelemetryGap
from cultureops.batch.parts import Occupancy
from cultureops.batch.recipe_schema import Recipe
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId, Kind
from cultureops.dossier.dossier import ChannelRecord, Place, StayRecord
from cultureops.environment import Exposures, gaps_in, silence_ms
from cultureops.telemetry import Buckets, Gap, Watch

__all__ = ["Telemetry", "stays_of"]

PLOT_POINTS: Final = 480
"""In how many stretches one channel is drawn over all stays together."""
FEWEST_POINTS: Final = 60
DOORS: Final = ("door", "lid", "door_1", "door_2")
_NO_LIMIT: Final = Range(None, None)


class Telemetry(Exposures, Protocol):
    """What this asks of a store of readings; see TelemetryStore."""

    async def buckets(self, channel: ChannelId, start: Instant, end: Instant, count: int) -> Buckets:
        """Return ``start..end`` in at most ``count`` stretches."""
        ...

    async def gaps(
        self, start: Instant, end: Instant, channels: Collection[ChannelId] | None = None
    ) -> tuple[Gap, ...]:
        """Return the stretches of BAD readings that touch ``start..end``."""
        ...


async def stays_of(
    batch: Batch, recipe: Recipe, telemetry: Telemetry, place: Place, until: Instant
) -> tuple[StayRecord, ...]:
    """Return the record of every stay, in their order; one that lasts runs ``until`` then [ms UTC]."""
    ends = [max(stay.placed, until if stay.taken is None else stay.taken) for stay in batch.occupancies]
    whole_ms = sum(end - stay.placed for stay, end in zip(batch.occupancies, ends, strict=True)) or 1
    return tuple(
        [
            await _stay(stay, end, recipe, telemetry, place, PLOT_POINTS * (end - stay.placed) // whole_ms)
            for stay, end in zip(batch.occupancies, ends, strict=True)
        ]
    )


async def _stay(
    stay: Occupancy, end: Instant, recipe: Recipe, telemetry: Telemetry, place: Place, points: int
) -> StayRecord:
    chamber = place.chambers.get(stay.chamber)
    title, chamber_class = (stay.chamber, "") if chamber is None else (chamber.title, chamber.chamber_class)
    limits = conditions(recipe, stay, chamber_class)
    inside = [row for row in place.channels if row.chamber == stay.chamber]
    watches = [_watch(row, limits.get(row.channel.name, _NO_LIMIT)) for row in inside]
    exposures = await telemetry.exposures(stay.placed, end, watches) if watches else ()
    bad = await telemetry.gaps(stay.placed, end, [watch.channel for watch in watches]) if end > stay.placed else ()
    gaps = [
        gap for watch, one in zip(watches, exposures, strict=True) for gap in gaps_in(stay.chamber, watch, one, bad)
    ]
    if not watches and end > stay.placed:
        gaps.append(TelemetryGap(stay.chamber, f"{stay.chamber}/-", stay.placed, end, "no instrument looks into it"))
    channels = [
        ChannelRecord(
            row,
            limits.get(row.channel.name, _NO_LIMIT),
            exposure,
            await _series(telemetry, row.id, stay.placed, end, points),
        )
        for row, exposure in zip(inside, exposures, strict=True)
        if row.channel.kind is Kind.MEASUREMENT
    ]
    doors = [row for row in inside if row.channel.name in DOORS]
    door_open = await _open(telemetry, doors, stay.placed, end, points)
    return StayRecord(stay, title, end, tuple(channels), door_open, tuple(gaps))


def _watch(row: MeasuredChannel, limits: Range) -> Watch:
    return Watch(row.id, limits.low, limits.high, silence_ms(row.period_ms))


async def _series(telemetry: Telemetry, channel: ChannelId, start: Instant, end: Instant, points: int) -> Buckets:
    return await telemetry.buckets(channel, start, max(end, start + 1), max(FEWEST_POINTS, points))


async def _open(
    telemetry: Telemetry, doors: Sequence[MeasuredChannel], start: Instant, end: Instant, points: int
) -> tuple[tuple[Instant, Instant], ...]:
    """Return the stretches of a plot in which a door was seen open."""
    found: set[tuple[Instant, Instant]] = set()
    for row in doors:
        seen = await _series(telemetry, row.id, start, end, points)
        opened = seen.from_ms[np.nan_to_num(seen.maximum) > 0]
        found |= {(max(at, start), min(at + seen.width_ms, end)) for at in opened.tolist()}
    return tuple(sorted(found))
