"""What a proof appends, as a pure function of the append's number, and what a store must then show."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

from cultureops.clock import HOUR_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo
from cultureops.telemetry.store import Gap

__all__ = ["CHANNELS", "MOST_AT_ONCE", "Course", "Said", "Shown"]

CHANNELS = {
    "a/temperature": ChannelInfo("Cel", 2),
    "a/co2": ChannelInfo("%", 2),
    "a/door": ChannelInfo("1", 0),
    "b/temperature": ChannelInfo("Cel", 2, simulated=True),
    "b/o2": ChannelInfo("%", 1),
    "c/level": ChannelInfo("mm", 6),
}
NAMES = tuple(CHANNELS)
MOST_AT_ONCE = 3
BURST = 120
FIRST_MONTH = 2026 * 12 + 1

Said = tuple[float | None, Quality, Reason]


@dataclass(frozen=True, slots=True)
class Course:
    """How fast lab time runs: some hours about each turn of the month, the rest of the month is skipped."""

    appends_an_hour: int = 20
    hours_a_month: int = 12
    appends_a_seal: int = 40

    def at(self, number: int) -> Instant:
        """Lab time [ms UTC] of an append, counted from 1."""
        month, rest = divmod(number - 1, self.appends_an_hour * self.hours_a_month)
        return _month_start(month) - HOUR_MS * (self.hours_a_month // 2) + rest * (HOUR_MS // self.appends_an_hour)

    def readings(self, number: int) -> list[Reading]:
        """Everything that may happen to a lab: gaps, clocks going back, late, repeated and revised readings, bursts."""
        rows = self._regular(number)
        at, channel = self.at(number), NAMES[number % len(NAMES)]
        if number % 7 == 3:
            late_at = at - (2 + number % 4) * HOUR_MS + 7 + number % 50
            rows.append(Reading(channel, number + 0.25, Quality.GOOD, Reason.NONE, late_at, at + 20))
        before = number - 5 - number % 25
        if before > 0 and number % 11 == 5:
            old = self._regular(before)[number % 3]
            rows.append(Reading(old.channel, number + 0.5, Quality.GOOD, Reason.NONE, old.source_time, at + 20))
        if before > 0 and number % 13 == 7:
            old = self._regular(before)[number % 3]
            rows.append(Reading(old.channel, old.value, old.quality, old.reason, old.source_time, at + 20))
        if number % 16 == 9:
            rows += [
                Reading(channel, number + row / 1000, Quality.GOOD, Reason.NONE, at + 1000 + 50 * row, at + 8000)
                for row in range(BURST)
            ]
        return rows

    def _regular(self, number: int) -> list[Reading]:
        at = self.at(number)
        source = at - 200_000 if number % 31 == 0 else at
        rows = []
        for row, channel in enumerate(NAMES):
            value: float | None = number + row / 100 if row < 5 else number * math.pi
            quality, reason = Quality.GOOD, Reason.NONE
            if row == 5 and number % 5:
                continue
            if (number + 3 * row) % 11 < 3:
                value, quality, reason = None, Quality.BAD, Reason(1 + number // 2 % 8)
            elif (number + row) % 13 == 0:
                quality, reason = Quality.UNCERTAIN, Reason.UNVERIFIED
            rows.append(Reading(channel, value, quality, reason, source + 10 * (row // 2), at + 20))
        return rows


def _month_start(number: int) -> Instant:
    year, month = divmod(FIRST_MONTH + number, 12)
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()) * 1000


@dataclass(slots=True)
class Shown:
    """What a store shows that took every append up to ``number`` and none beyond."""

    course: Course
    number: int = 0
    total: int = 0
    kept: dict[ChannelId, dict[Instant, list[Said]]] = field(default_factory=lambda: {name: {} for name in NAMES})
    latest: dict[ChannelId, Reading] = field(default_factory=dict)

    def take(self) -> None:
        """Take the next append."""
        self.number += 1
        for reading in self.course.readings(self.number):
            self.total += 1
            self.latest[reading.channel] = reading
            said = (reading.value, reading.quality, reading.reason)
            kept = self.kept[reading.channel].setdefault(reading.source_time, [])
            if kept[-1:] != [said]:
                kept.append(said)

    def up_to(self, number: int) -> Shown:
        """Return what is shown after ``number`` appends; going on from here where that is possible."""
        shown = self if number >= self.number else Shown(self.course)
        while shown.number < number:
            shown.take()
        return shown

    def with_total(self, total: int) -> Shown | None:
        """Return what is shown when so many readings were appended; None when no number of appends gives them."""
        shown = self if total >= self.total else Shown(self.course)
        while shown.total < total:
            shown.take()
        return shown if shown.total == total else None

    def series(self, channel: ChannelId) -> list[tuple[Instant, float | None, int, int, bool]]:
        """Rows by time: instant, value, quality, reason, and whether it stands for an earlier one."""
        kept = self.kept[channel]
        return [(at, *kept[at][-1], len(kept[at]) > 1) for at in sorted(kept)]

    def gaps(self) -> list[Gap]:
        """Stretches of BAD readings of one reason, by channel and time."""
        return [gap for channel in NAMES for gap in _gaps(channel, self.series(channel))]


def _gaps(channel: ChannelId, rows: list[tuple[Instant, float | None, int, int, bool]]) -> Iterator[Gap]:
    stretches = [
        (why, next(of_one)[0]) for why, of_one in groupby(rows, lambda row: row[3] if row[1] is None else None)
    ]
    for (why, at), (_, end) in zip(stretches, [*stretches[1:], (None, None)], strict=False):
        if why is not None:
            yield Gap(channel, at, end, Reason(why))
