"""What the chambers did while a batch stood in them, stay by stay: figures within the recipe's limits, and gaps."""

from __future__ import annotations

from dataclasses import dataclass

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.analysis.exposure import ChannelExposure
from cultureops.batch.batch import Batch
from cultureops.batch.conditions import Range, conditions
from cultureops.batch.parts import Occupancy
from cultureops.batch.recipe_schema import Recipe
from cultureops.clock import Instant
from cultureops.device.channel import Kind
from cultureops.environment import silence_ms
from cultureops.telemetry import Watch
from cultureops.web.chamber.gaps import GapRow, gap_rows
from cultureops.web.context import WebContext

__all__ = ["ChannelFigures", "StayFigures", "stay_figures"]

_NO_LIMIT = Range(None, None)


@dataclass(frozen=True, slots=True)
class ChannelFigures:
    """One channel over one stay, and what the recipe asks of it."""

    row: MeasuredChannel
    limits: Range
    figures: ChannelExposure

    @property
    def is_out(self) -> bool:
        """Whether it was beyond a limit at all."""
        return self.figures.out_of_range_s > 0


@dataclass(frozen=True, slots=True)
class StayFigures:
    """One stay until ``until``; ``channels`` is empty where no instrument looks into the chamber."""

    stay: Occupancy
    title: str
    until: Instant
    channels: tuple[ChannelFigures, ...]
    gaps: tuple[GapRow, ...]


async def stay_figures(context: WebContext, batch: Batch, recipe: Recipe, now: Instant) -> tuple[StayFigures, ...]:
    """Return the figures of every stay in their order; one that lasts runs until now. Raises StorageError."""
    return tuple([await _stay(context, stay, recipe, now) for stay in batch.occupancies])


async def _stay(context: WebContext, stay: Occupancy, recipe: Recipe, now: Instant) -> StayFigures:
    chamber, until = context.chambers.get(stay.chamber), max(stay.placed, now if stay.taken is None else stay.taken)
    title, chamber_class = (stay.chamber, "") if chamber is None else (chamber.title, chamber.chamber_class)
    limits = conditions(recipe, stay, chamber_class)
    rows = [
        row for row in context.channels.values() if row.chamber == stay.chamber and row.channel.kind is Kind.MEASUREMENT
    ]
    watches = [_watch(row, limits.get(row.channel.name, _NO_LIMIT)) for row in rows]
    found = await context.store.exposures(stay.placed, until, watches) if watches else ()
    channels = tuple(
        ChannelFigures(row, limits.get(row.channel.name, _NO_LIMIT), one) for row, one in zip(rows, found, strict=True)
    )
    gaps = await gap_rows(context, [row.id for row in rows], stay.placed, max(until, stay.placed + 1))
    return StayFigures(stay, title, until, channels, gaps)


def _watch(row: MeasuredChannel, limits: Range) -> Watch:
    return Watch(row.id, limits.low, limits.high, silence_ms(row.period_ms))
