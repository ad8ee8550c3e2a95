"""What the board shows, worked out from the lab's state."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.alarms import AlarmView
from cultureops.batch.batch import Batch
from cultureops.batch.shelf import RecipeShelf, due_by
from cultureops.batch.views import Due
from cultureops.clock import HOUR_MS, Instant
from cultureops.device.channel import Kind
from cultureops.device.reading import Quality, Reading
from cultureops.equipment import Chamber
from cultureops.web.context import WebContext
from cultureops.web.sparkline import sparkline
from cultureops.web.templating import number

__all__ = ["BatchCard", "ChamberCard", "ChannelRow", "batch_cards", "chamber_cards"]

SPARK_MS: Final = 6 * HOUR_MS
SPARK_POINTS: Final = 72
STALE_PERIODS: Final = 3
_WORDS: Final = {
    "door": ("door closed", "door open"),
    "lid": ("lid closed", "lid open"),
    "fill": ("not filling", "filling"),
    "fill_alarm": ("no fill alarm", "fill time exceeded"),
    "bypass": ("no bypass", "bypassing"),
    "mains": ("power fail", "mains on"),
    "alarm_bits": ("no instrument alarm", "instrument alarm"),
}
"""What a state channel of a standard name says at 0 and otherwise."""
_WANTED_ON: Final = frozenset(["mains"])
"""States that call for attention when they are off, not when they are on."""


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One quantity on the board."""

    row: MeasuredChannel
    reading: Reading | None
    setpoint: str
    spark: Markup
    age_ms: int | None

    @property
    def is_stale(self) -> bool:
        """Whether the value is older than three polls."""
        return self.age_ms is None or self.age_ms > STALE_PERIODS * self.row.period_ms

    @property
    def quality(self) -> Quality:
        """The reading's quality; nothing read yet is BAD."""
        return Quality.BAD if self.reading is None else self.reading.quality

    @property
    def reason(self) -> str:
        """Why the value is not GOOD."""
        return "nothing read yet" if self.reading is None else self.reading.reason.text

    @property
    def words(self) -> tuple[str, str] | None:
        """What the numbers of a state mean."""
        return _WORDS.get(self.row.channel.name) if self.row.channel.kind is Kind.STATE else None

    @property
    def noticed_at(self) -> bool:
        """Whether the state is noticed when on; False where it is noticed when off."""
        return self.row.channel.name not in _WANTED_ON

    @property
    def is_noticed(self) -> bool:
        """Whether the state stands out: a door is open, mains have failed."""
        value = None if self.reading is None else self.reading.value
        return self.words is not None and value is not None and bool(value) is self.noticed_at


@dataclass(frozen=True, slots=True)
class ChamberCard:
    """One chamber on the board."""

    chamber: Chamber
    measures: tuple[ChannelRow, ...]
    states: tuple[ChannelRow, ...]
    alarms: tuple[AlarmView, ...]
    batches: tuple[str, ...]

    @property
    def is_simulated(self) -> bool:
        """Whether every source in it is a simulator."""
        rows = (*self.measures, *self.states)
        return bool(rows) and all(item.row.simulated for item in rows)

    @property
    def has_many_devices(self) -> bool:
        """Whether quantities need their device's name beside them."""
        return len({item.row.device for item in (*self.measures, *self.states)}) > 1


@dataclass(frozen=True, slots=True)
class BatchCard:
    """One batch on the board."""

    batch: Batch
    days: float
    confluence_pct: float | None
    viability_pct: float | None
    due: Due | None


async def chamber_cards(context: WebContext, now: Instant) -> tuple[ChamberCard, ...]:
    """Return every chamber in the order of the site file."""
    rows = [row for row in context.channels.values() if row.channel.kind is not Kind.SETPOINT]
    sparks = await asyncio.gather(*(_spark(context, row, now) for row in rows))
    shown = {row.id: _channel_row(context, row, spark, now) for row, spark in zip(rows, sparks, strict=True)}
    active = context.engine.active()
    return tuple(
        ChamberCard(
            chamber=chamber,
            measures=tuple(r for r in shown.values() if r.row.chamber == chamber.id and not _is_state(r)),
            states=tuple(r for r in shown.values() if r.row.chamber == chamber.id and _is_state(r)),
            alarms=tuple(view for view in active if view.rule.chamber == chamber.id),
            batches=context.batches.inside(chamber.id, now),
        )
        for chamber in context.chambers.values()
    )


def _is_state(row: ChannelRow) -> bool:
    return row.row.channel.kind is Kind.STATE


async def _spark(context: WebContext, row: MeasuredChannel, now: Instant) -> Markup:
    if row.channel.kind is not Kind.MEASUREMENT:
        return Markup()
    buckets = await context.store.buckets(row.id, now - SPARK_MS, now + 1, SPARK_POINTS)
    return Markup(sparkline(buckets, row.channel.decimals))  # numbers only


def _channel_row(context: WebContext, row: MeasuredChannel, spark: Markup, now: Instant) -> ChannelRow:
    latest = context.store.latest()
    reading, target = latest.get(row.id), context.channels.get(f"{row.id}_setpoint")
    setpoint = None if target is None else latest.get(target.id)
    return ChannelRow(
        row=row,
        reading=reading,
        setpoint="" if target is None or setpoint is None else number(setpoint.value, target.channel.decimals),
        spark=spark,
        age_ms=None if reading is None else max(0, now - reading.source_time),
    )


def batch_cards(context: WebContext, now: Instant) -> tuple[BatchCard, ...]:
    """Return every batch, the one opened last first."""
    return tuple(_batch_card(batch, context.recipes, now) for batch in context.batches.batches())


def _batch_card(batch: Batch, recipes: RecipeShelf, now: Instant) -> BatchCard:
    coming, seen = due_by(recipes, batch), batch.confluence()
    return BatchCard(
        batch=batch,
        days=batch.days(now),
        confluence_pct=None if seen is None else seen.pct,
        viability_pct=batch.counts[-1].viability_pct if batch.counts else None,
        due=coming[0] if coming else None,
    )
