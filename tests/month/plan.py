"""What befalls a house of gateways, drawn from a seed: troubles of devices, partitions, and kills of its programs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Instant, parse_iso

__all__ = [
    "DEVICES",
    "GATEWAYS",
    "HUB",
    "ON_DELAY_S",
    "PERIOD_S",
    "SKEW_MS",
    "START",
    "STEP_MS",
    "Kind",
    "Plan",
    "Span",
    "drawn",
]

START = parse_iso("2026-01-05T08:00:00Z")
HUB = "hub"
GATEWAYS = ("room_1", "room_2", "room_3")
DEVICES: Mapping[str, tuple[str, ...]] = {name: (f"inc_{name[-1]}a", f"inc_{name[-1]}b") for name in GATEWAYS}
SKEW_MS: Mapping[str, int] = {"room_1": 0, "room_2": 0, "room_3": 90 * SECOND_MS}
"""How much the clock of each gateway's machine is ahead."""
PERIOD_S, ON_DELAY_S = 300, 600
STEP_MS = PERIOD_S * SECOND_MS
"""Everybody lives a step at once, in which every device is asked."""
QUIET_END_MS = 4 * HOUR_MS
"""Nothing befalls anybody in the last hours, so that what waits can go where it belongs."""


class Kind(StrEnum):
    """What befalls a device, a line or a program for a while."""

    LOW = "low"
    BLIP = "blip"
    SILENT = "silent"
    CUT_OFF = "cut_off"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Span:
    """Something that befalls somebody from one minute to another [ms of true lab time, UTC]."""

    whom: str
    kind: Kind
    since: Instant
    until: Instant

    def holds(self, at: Instant) -> bool:
        return self.since <= at < self.until


@dataclass(frozen=True, slots=True)
class Plan:
    """All that happens, sorted by its beginning; the lab is watched from START to ``end``."""

    end: Instant
    spans: tuple[Span, ...]

    def of(self, whom: str, *kinds: Kind) -> tuple[Span, ...]:
        """Return what befalls somebody."""
        return tuple(span for span in self.spans if span.whom == whom and span.kind in kinds)


def drawn(seed: int, days: float) -> Plan:
    """Draw a plan; on the way one gateway is cut off for a week, where there is so much time."""
    dice, end = random.Random(seed), START + round(days * DAY_MS)
    last = end - QUIET_END_MS
    spans: list[Span] = []
    for devices in DEVICES.values():
        for device in devices:
            spans += _troubles(dice, device, last, days)
    for name in GATEWAYS:
        spans += _spans(dice, name, (Kind.CUT_OFF,), last, days, most_minutes=2_000)
    if days >= 20:
        week = Span(GATEWAYS[0], Kind.CUT_OFF, START + 8 * DAY_MS, START + 15 * DAY_MS)
        spans = [one for one in spans if one.whom != week.whom or one.kind is not week.kind or _apart(one, week)]
        spans.append(week)
    for name in (HUB, *GATEWAYS):
        spans += _spans(dice, name, (Kind.DOWN,), last, days, most_minutes=300)
    return Plan(end, tuple(sorted(spans, key=lambda span: (span.since, span.whom, span.kind))))


def _troubles(dice: random.Random, device: str, last: Instant, days: float) -> Iterator[Span]:
    """Yield what befalls a device, one thing after the other with rest between."""
    lengths = {Kind.LOW: (15, 240), Kind.BLIP: (2, 9), Kind.SILENT: (20, 180)}
    at = START + _minutes(dice, 30, 300)
    while True:
        kind = dice.choice((Kind.LOW, Kind.LOW, Kind.BLIP, Kind.SILENT))
        span = Span(device, kind, at, at + _minutes(dice, *lengths[kind]))
        if span.until >= last:
            return
        yield span
        at = span.until + _minutes(dice, 90, round(2_500 * _scale(days)))


def _spans(
    dice: random.Random, whom: str, kinds: Sequence[Kind], last: Instant, days: float, most_minutes: int
) -> Iterator[Span]:
    at = START + _minutes(dice, 60, 200)
    while True:
        span = Span(whom, dice.choice(kinds), at, at + _minutes(dice, 1, round(most_minutes * _scale(days))))
        if span.until >= last:
            return
        yield span
        at = span.until + _minutes(dice, 60, round(4_000 * _scale(days)))


def _scale(days: float) -> float:
    """A day has as much in it, for its size, as a month."""
    return max(0.1, min(1.0, days / 10))


def _minutes(dice: random.Random, least: int, most: int) -> int:
    return dice.randint(least, max(least, most)) * MINUTE_MS


def _apart(one: Span, other: Span) -> bool:
    return one.until < other.since or other.until < one.since
