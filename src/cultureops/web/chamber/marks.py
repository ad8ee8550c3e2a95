"""What happened in and to a chamber in a window: alarms, limits, doors, setpoints, gaps, events, who stood in it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.alarms.activation import Activation
from cultureops.alarms.rule import Kind as RuleKind
from cultureops.alarms.rule import Rule, RulesInForce
from cultureops.audit.walking import some
from cultureops.clock import DAY_MS, Instant, iso
from cultureops.device.channel import ChannelId, Kind
from cultureops.environment import silence_ms
from cultureops.equipment.events import PREFIX
from cultureops.ledger.event import Event
from cultureops.ledger.search import Search
from cultureops.units import label
from cultureops.web.chamber.events import Happened, happened
from cultureops.web.chamber.gaps import GapRow, gap_rows
from cultureops.web.chamber.states import WANTED_ON, WORDS
from cultureops.web.chamber.stretches import Stretch, held, unread, where
from cultureops.web.chamber.trend import snapped_buckets, stretch_ms
from cultureops.web.chamber.window import Window
from cultureops.web.context import WebContext
from cultureops.web.templating import number, title

__all__ = ["ChamberMarks", "Limit", "Setting", "StateMark", "Stay", "chamber_marks"]

POINTS: Final = 1_000
MOST: Final = 500
"""Of each kind of mark, the newest; a screen shows no more, and a page says how many it leaves out."""
LATE_MS: Final = 7 * DAY_MS
"""How much later than it happened an event of a link may be recorded to be found."""
UNREAD: Final = "no reading on record"
_LIMITS: Final = {RuleKind.HIGH: "at or above", RuleKind.LOW: "at or below"}


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of a channel while it was set so; ``words`` say what beyond it means."""

    channel: ChannelId
    rule_id: str
    start: Instant
    end: Instant
    value: float
    words: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A setpoint while it was set so; ``before`` is what it was until then, None where that is not known."""

    channel: ChannelId
    title: str
    unit: str
    decimals: int
    start: Instant
    end: Instant
    value: float
    before: float | None

    @property
    def is_change(self) -> bool:
        """Whether it was changed to this in the window."""
        return self.before is not None and self.before != self.value


@dataclass(frozen=True, slots=True)
class StateMark:
    """A door that was open at some time in a stretch, power that failed."""

    device: str
    words: str
    start: Instant
    end: Instant


@dataclass(frozen=True, slots=True)
class Stay:
    """Vessels of a batch stood in the chamber; ``taken`` is None while they do."""

    batch: str
    vessels: str
    placed: Instant
    taken: Instant | None


@dataclass(frozen=True, slots=True)
class ChamberMarks:
    """All marks of a window, each kind by time; ``more`` counts those of each kind that are left out.

    ``sharp_ms`` is how sharp the times of doors and setpoints are, unless their instrument is asked more seldom.
    """

    alarms: tuple[Activation, ...]
    limits: tuple[Limit, ...]
    settings: tuple[Setting, ...]
    states: tuple[StateMark, ...]
    gaps: tuple[GapRow, ...]
    events: tuple[Happened, ...]
    stays: tuple[Stay, ...]
    more: dict[str, int]
    sharp_ms: int
    knows_limits: bool

    @property
    def changes(self) -> tuple[Setting, ...]:
        """The setpoints that were changed in the window."""
        return tuple(setting for setting in self.settings if setting.is_change)


async def chamber_marks(context: WebContext, chamber: str, window: Window, now: Instant) -> ChamberMarks:
    """Gather the marks of a chamber; raises StorageError or Unreadable."""
    rows = [row for row in context.channels.values() if row.chamber == chamber]
    (settings, states, gaps), events, in_force = await asyncio.gather(
        _from_readings(context, rows, window, now), _events(context, chamber, rows, window), context.rules_in_force()
    )
    limits = _limits(in_force, rows, settings, window)
    stays = _stays(context, chamber, window)
    alarms = context.activations.overlapping(chamber, window.start, window.end)
    found = {
        "alarms": alarms, "limits": limits, "settings": settings, "states": states, "gaps": gaps, "events": events,
        "stays": stays,
    }  # fmt: skip
    return ChamberMarks(
        alarms=alarms[-MOST:],
        limits=limits[-MOST:],
        settings=settings[-MOST:],
        states=states[-MOST:],
        gaps=gaps[-MOST:],
        events=events[-MOST:],
        stays=stays[-MOST:],
        more={name: len(rows) - MOST for name, rows in found.items() if len(rows) > MOST},
        sharp_ms=stretch_ms(window.length_ms, POINTS, 0),
        knows_limits=all(rules.rules is not None for rules in in_force),
    )


async def _from_readings(
    context: WebContext, rows: Sequence[MeasuredChannel], window: Window, now: Instant
) -> tuple[tuple[Setting, ...], tuple[StateMark, ...], tuple[GapRow, ...]]:
    """Return setpoints, states and gaps: what is on record as readings."""
    measured = [row for row in rows if row.channel.kind is Kind.MEASUREMENT]
    setpoints = [row for row in rows if row.channel.kind is Kind.SETPOINT]
    told = [row for row in rows if row.channel.kind is Kind.STATE and row.channel.name in WORDS]
    asked = {row.device: row for row in reversed(measured or rows)}
    looked_at = {row.id: row for row in (*setpoints, *told, *asked.values())}
    buckets = dict(
        zip(
            looked_at,
            await asyncio.gather(
                *(snapped_buckets(context.store, row.id, window, POINTS, row.period_ms) for row in looked_at.values())
            ),
            strict=True,
        )
    )
    settings = (setting for row in setpoints for setting in _settings(row, held(buckets[row.id])))
    states = (
        StateMark(row.device, WORDS[row.channel.name][is_on], stretch.start, stretch.end)
        for row in told
        for is_on in [row.channel.name not in WANTED_ON]
        for stretch in where(buckets[row.id], is_on=is_on)
    )
    never = (
        GapRow(row.device, ("every channel",), stretch.start, None if stretch.end >= now else stretch.end, UNREAD)
        for row in asked.values()
        for stretch in unread(buckets[row.id], now, silence_ms(row.period_ms))
    )
    bad = await gap_rows(context, [row.id for row in measured], window.start, window.end)
    return (
        tuple(sorted(settings, key=lambda setting: setting.start)),
        tuple(sorted(states, key=lambda mark: mark.start)),
        tuple(sorted((*bad, *never), key=lambda gap: gap.from_ms)),
    )


def _settings(row: MeasuredChannel, stretches: Sequence[Stretch]) -> list[Setting]:
    measured = title(row.channel.name.removesuffix("_setpoint"))
    before = (None, *(stretch.value for stretch in stretches))
    return [
        Setting(
            row.id, measured, label(row.channel.unit), row.channel.decimals, stretch.start, stretch.end,
            float(stretch.value or 0.0), former,
        )
        for stretch, former in zip(stretches, before, strict=False)
    ]  # fmt: skip


def _limits(
    in_force: Sequence[RulesInForce], rows: Sequence[MeasuredChannel], settings: Sequence[Setting], window: Window
) -> tuple[Limit, ...]:
    """Return the limits of the chamber's channels, each while it was in force."""
    found: list[Limit] = []
    known = {row.id: row for row in rows}
    ends = [*(rules.since for rules in in_force[1:]), None]
    for rules, until in zip(in_force, ends, strict=True):
        start = max(window.start, rules.since or window.start)
        end = min(window.end, until or window.end)
        if start < end:
            for rule in rules.rules or ():
                if rule.channel in known and rule.batch is None:
                    found += _limits_of(rule, known[rule.channel], settings, start, end)
    return tuple(sorted(found, key=lambda limit: limit.start))


def _limits_of(
    rule: Rule, row: MeasuredChannel, settings: Sequence[Setting], start: Instant, end: Instant
) -> list[Limit]:
    if rule.limit is None:
        return []
    level, decimals, unit = rule.level.value, row.channel.decimals, label(rule.unit)
    if rule.kind in _LIMITS:
        words = f"{level} {_LIMITS[rule.kind]} {number(rule.limit, decimals)} {unit}"
        return [Limit(row.id, rule.id, start, end, rule.limit, words)]
    if rule.kind is not RuleKind.DEVIATION:
        return []
    words = f"{level} {number(rule.limit, decimals)} {unit} or more off the setpoint"
    return [
        Limit(row.id, rule.id, max(start, setting.start), min(end, setting.end), setting.value + by, words)
        for setting in settings
        if setting.channel == rule.reference and setting.start < end and setting.end > start
        for by in (-rule.limit, rule.limit)
    ]


def _stays(context: WebContext, chamber: str, window: Window) -> tuple[Stay, ...]:
    found = (
        Stay(batch.id, stay.vessels, stay.placed, stay.taken)
        for batch in context.batches.batches()
        for stay in batch.occupancies
        if stay.chamber == chamber and stay.placed < window.end and (stay.taken is None or stay.taken > window.start)
    )
    return tuple(sorted(found, key=lambda stay: (stay.placed, stay.batch, stay.vessels)))


async def _events(
    context: WebContext, chamber: str, rows: Sequence[MeasuredChannel], window: Window
) -> tuple[Happened, ...]:
    """Return what was recorded of the chamber, its instruments and the links to them."""
    devices = list(dict.fromkeys(row.device for row in rows))
    links = Search(
        streams=tuple(f"device:{device}" for device in devices),
        since=iso(window.start),
        until=iso(window.end + LATE_MS),
    )
    streams = [f"{PREFIX}{name}" for name in dict.fromkeys((chamber, *devices))]

    def read() -> list[Event]:
        found = [event for stream in streams for event in context.ledger.read(stream)]
        if links.streams:
            head = context.ledger.head().position
            found += some(context.ledger, links, 0, head, 2 * MOST, newest_first=True)
        return found

    told = (happened(event) for event in await asyncio.to_thread(read))
    inside = (one for one in told if window.start <= one.at < window.end)
    return tuple(sorted(inside, key=lambda one: one.at))
