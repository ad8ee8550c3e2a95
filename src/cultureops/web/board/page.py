"""What the board shows of chambers, worked out from the lab's state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.alarms import AlarmView
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId, Kind
from cultureops.device.reading import Quality, Reading
from cultureops.equipment import Chamber
from cultureops.web.chamber.states import WANTED_ON, WORDS
from cultureops.web.context import WebContext
from cultureops.web.gateways import GatewayView, away_from
from cultureops.web.templating import number

__all__ = ["ChamberCard", "ChannelRow", "away_of", "chamber_card", "chamber_cards"]

STALE_PERIODS: Final = 3


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One quantity on the board."""

    row: MeasuredChannel
    reading: Reading | None
    setpoint: str
    spark: Markup
    age_ms: int | None
    is_away: bool = False

    @property
    def is_stale(self) -> bool:
        """Whether the value is older than three polls, or whoever reads it is out of reach."""
        return self.is_away or self.age_ms is None or self.age_ms > STALE_PERIODS * self.row.period_ms

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
        return WORDS.get(self.row.channel.name) if self.row.channel.kind is Kind.STATE else None

    @property
    def noticed_at(self) -> bool:
        """Whether the state is noticed when on; False where it is noticed when off."""
        return self.row.channel.name not in WANTED_ON

    @property
    def is_noticed(self) -> bool:
        """Whether the state stands out: a door is open, mains have failed."""
        value = None if self.reading is None else self.reading.value
        return self.words is not None and value is not None and bool(value) is self.noticed_at


@dataclass(frozen=True, slots=True)
class ChamberCard:
    """One chamber on the board; ``away`` is the gateway that watches it, where that is out of reach."""

    chamber: Chamber
    measures: tuple[ChannelRow, ...]
    states: tuple[ChannelRow, ...]
    alarms: tuple[AlarmView, ...]
    batches: tuple[str, ...]
    away: GatewayView | None = None

    @property
    def is_simulated(self) -> bool:
        """Whether every source in it is a simulator."""
        rows = (*self.measures, *self.states)
        return bool(rows) and all(item.row.simulated for item in rows)

    @property
    def calls(self) -> bool:
        """Whether it calls for somebody: an alarm, or a quantity that nobody knows at present."""
        return bool(self.alarms or self.away) or any(
            item.is_stale or item.quality is Quality.BAD for item in self.measures
        )

    @property
    def has_many_devices(self) -> bool:
        """Whether quantities need their device's name beside them."""
        return len({item.row.device for item in (*self.measures, *self.states)}) > 1


def chamber_cards(context: WebContext, now: Instant) -> tuple[ChamberCard, ...]:
    """Return every chamber: those that call for somebody first, else in the order of the site file."""
    rows: dict[str, list[MeasuredChannel]] = {}
    for row in context.channels.values():
        if row.chamber is not None:
            rows.setdefault(row.chamber, []).append(row)
    away = away_of(context)
    active, latest = context.engine.active(), context.store.latest()
    cards = [
        _card(context, chamber, rows.get(chamber.id, ()), active, latest, now, away.get(chamber.id))
        for chamber in context.chambers.values()
    ]
    return tuple(sorted(cards, key=lambda card: not card.calls))


def chamber_card(context: WebContext, chamber: Chamber, now: Instant) -> ChamberCard:
    """Return one chamber."""
    rows = [row for row in context.channels.values() if row.chamber == chamber.id]
    away = away_of(context).get(chamber.id)
    return _card(context, chamber, rows, context.engine.active(), context.store.latest(), now, away)


def away_of(context: WebContext) -> Mapping[str, GatewayView]:
    """Return by chamber the gateway that watches it, of those chambers whose gateway is out of reach."""
    return {} if context.gateways is None else away_from(context.gateways())


def _card(
    context: WebContext,
    chamber: Chamber,
    rows: Sequence[MeasuredChannel],
    active: Sequence[AlarmView],
    latest: Mapping[ChannelId, Reading],
    now: Instant,
    away: GatewayView | None,
) -> ChamberCard:
    shown = [
        _channel_row(context, row, latest, now, is_away=away is not None)
        for row in rows
        if row.channel.kind is not Kind.SETPOINT
    ]
    return ChamberCard(
        chamber=chamber,
        measures=tuple(item for item in shown if item.row.channel.kind is not Kind.STATE),
        states=tuple(item for item in shown if item.row.channel.kind is Kind.STATE),
        alarms=tuple(view for view in active if view.rule.chamber == chamber.id),
        batches=context.batches.inside(chamber.id, now),
        away=away,
    )


def _channel_row(
    context: WebContext, row: MeasuredChannel, latest: Mapping[ChannelId, Reading], now: Instant, *, is_away: bool
) -> ChannelRow:
    reading, target = latest.get(row.id), context.channels.get(f"{row.id}_setpoint")
    setpoint = None if target is None else latest.get(target.id)
    return ChannelRow(
        row=row,
        reading=reading,
        setpoint="" if target is None or setpoint is None else number(setpoint.value, target.channel.decimals),
        spark=context.sparklines.of(row, now),
        age_ms=None if reading is None else max(0, now - reading.source_time),
        is_away=is_away,
    )
