"""Hours of the week and stretches of days, as the clock on the wall shows them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.alarms.rule import Priority
from cultureops.clock import SECOND_MS, Instant
from cultureops.errors import ConfigError

__all__ = ["Mute", "Stretch", "WeekHours", "any_holds", "mute_from", "stretch_from", "week_hours_from"]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_MIN: Final = 24 * 60
_WEEK_MIN: Final = 7 * _DAY_MIN
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_EXPECTED_HOURS: Final = (
    "expected days and hours such as 'Mon-Fri 18:00-07:00', 'Sat,Sun 00:00-24:00' or 'daily 22:00-06:00'"
)
_EXPECTED_STRETCH: Final = (
    "expected a beginning and an end on the site's clock such as '2026-12-24T07:00 to 2026-12-25T07:00'"
)


@dataclass(frozen=True, slots=True)
class WeekHours:
    """The same hours on some days of every week, by the wall clock: [begin, begin + length) from each of ``days``.

    ``days`` count from Monday = 0, ``begin_min`` is minutes after midnight, ``length_min`` at most a day. The hour that
    a change of the clocks repeats belongs to it twice, the one that it leaves out never comes.
    """

    days: frozenset[int]
    begin_min: int
    length_min: int

    def holds(self, at: Instant, zone: ZoneInfo) -> bool:
        """Whether an instant [ms UTC] is in it."""
        stamp = datetime.fromtimestamp(at // SECOND_MS, UTC).astimezone(zone)
        minute = (stamp.weekday() * 24 + stamp.hour) * 60 + stamp.minute
        return any((minute - day * _DAY_MIN - self.begin_min) % _WEEK_MIN < self.length_min for day in self.days)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one instant to another [ms UTC), once."""

    begin: Instant
    end: Instant

    def holds(self, at: Instant) -> bool:
        """Whether an instant is in it."""
        return self.begin <= at < self.end


@dataclass(frozen=True, slots=True)
class Mute:
    """Hours in which somebody is not told of alarms of these priorities."""

    hours: WeekHours
    priorities: frozenset[Priority]


def week_hours_from(text: str) -> WeekHours:
    """Read e.g. ``Mon-Fri 18:00-07:00``: hours that end before they begin end on the next day; raises ConfigError.

    Days are ``Mon`` to ``Sun``, lists and ranges of them (``Fri-Mon`` goes over the weekend), or ``daily``. Equal times
    are a whole day.
    """
    days, _, hours = text.strip().partition(" ")
    match = _HOURS.fullmatch(hours.strip())
    if match is None:
        raise ConfigError(f"{text!r}: {_EXPECTED_HOURS}")
    begin_h, begin_min, end_h, end_min = (int(group) for group in match.groups())
    begin, end = begin_h * 60 + begin_min, end_h * 60 + end_min
    if end > _DAY_MIN:
        raise ConfigError(f"{text!r}: a day ends at 24:00; {_EXPECTED_HOURS}")
    return WeekHours(_days(days, text), begin, (end - begin) % _DAY_MIN or _DAY_MIN)


def _days(names: str, text: str) -> frozenset[int]:
    if names == "daily":
        return frozenset(range(7))
    found: set[int] = set()
    for part in names.split(","):
        first, to, last = part.partition("-")
        if not to:
            last = first
        if first not in _DAYS or last not in _DAYS:
            raise ConfigError(f"{text!r}: {part!r} is no day of the week; {_EXPECTED_HOURS}")
        begin = _DAYS.index(first)
        span = (_DAYS.index(last) - begin) % 7
        found |= {(begin + day) % 7 for day in range(span + 1)}
    return frozenset(found)


def mute_from(text: str) -> Mute:
    """Read e.g. ``Mon-Fri 18:00-07:00 low,medium``; raises ConfigError."""
    hours, _, names = text.strip().rpartition(" ")
    priorities = names.split(",")
    if not hours or not set(priorities) <= set(Priority):
        raise ConfigError(
            f"{text!r}: expected days, hours and the priorities to be muted such as 'Mon-Fri 18:00-07:00 low,medium'"
        )
    return Mute(week_hours_from(hours), frozenset(Priority(name) for name in priorities))


def stretch_from(text: str, zone: ZoneInfo) -> Stretch:
    """Read e.g. ``2026-12-24T07:00 to 2026-12-25T07:00``, by the site's wall clock; raises ConfigError.

    Of an hour that comes twice the first begins a stretch and the second ends one: shifts that meet there overlap
    rather than leave nobody on call.
    """
    begin, separator, end = text.partition(" to ")
    if not separator:
        raise ConfigError(f"{text!r}: {_EXPECTED_STRETCH}")
    stretch = Stretch(_instant(begin.strip(), zone, 0, text), _instant(end.strip(), zone, 1, text))
    if stretch.begin >= stretch.end:
        raise ConfigError(f"{text!r}: ends before it begins; {_EXPECTED_STRETCH}")
    return stretch


def _instant(wall: str, zone: ZoneInfo, fold: int, text: str) -> Instant:
    try:
        stamp = datetime.fromisoformat(wall)
    except ValueError:
        raise ConfigError(f"{text!r}: {wall!r} is no time; {_EXPECTED_STRETCH}") from None
    if stamp.tzinfo is not None or "T" not in wall:
        raise ConfigError(f"{text!r}: {wall!r} is no time of the wall clock alone; {_EXPECTED_STRETCH}")
    there = stamp.replace(tzinfo=zone, fold=fold)
    if there.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != stamp:
        raise ConfigError(f"{text!r}: {wall} does not exist in {zone.key}, the clocks are put forward over it")
    return int(there.timestamp()) * SECOND_MS


def any_holds(hours: Sequence[WeekHours], at: Instant, zone: ZoneInfo) -> bool:
    """Whether an instant is in one of them."""
    return any(some.holds(at, zone) for some in hours)
