"""What a channel did over a stretch of time, from roll-ups wherever these tell as much as the readings would.

The roll-up of an hour has the plain mean of its readings; their spacing says when they were taken. Such an hour is as
good as a level line at that mean from its first reading to its last: time out of range and unknown time are those of
the readings themselves, and the time-weighted mean is theirs too where they are evenly spaced. Every other hour is
decoded: at an end of the stretch, with readings not yet sealed or of several qualities, on both sides of a limit, with
a silence, next to a value on the other side of a limit. So are the most unevenly spaced hours, until those that are
left can't shift the mean of the stretch by more than ``TOLERANCE``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from cultureops.analysis.exposure import ChannelExposure, Flags, Floats, Knots, along, exposure
from cultureops.clock import HOUR_MS, MINUTE_MS, Instant
from cultureops.device.reading import Quality
from cultureops.telemetry import rollup
from cultureops.telemetry.hours import Hours, Spacings, Usable
from cultureops.telemetry.month import DAY_HOURS
from cultureops.telemetry.points import is_shown
from cultureops.telemetry.query import Kept
from cultureops.telemetry.reader import View
from cultureops.telemetry.store import Integers, Watch

__all__ = ["TOLERANCE", "decode_exposure", "read_exposures"]

TOLERANCE: Final = 1e-6
"""By how much of its largest value a mean may be off because readings are spaced unevenly."""
HOUR_MINUTES: Final = HOUR_MS // MINUTE_MS
_SPACED: Final = ("first_ms", "last_ms", "count", "shortest_ms", "longest_ms", "offset_ms")


def read_exposures(
    view: View, watches: Sequence[tuple[int, Watch]], start: Instant, end: Instant
) -> tuple[ChannelExposure, ...]:
    """Return what each channel, given by number, did from ``start`` to ``end``, both included.

    Raises ValueError when the end comes before the start, Unreadable for what is damaged.
    """
    if end < start:
        raise ValueError(f"{start}..{end} is no stretch")
    tail, spacings, found = view.unsealed(start, end + 1), Spacings(), []
    for number, watch in watches:
        hours = Hours.read(view, number, start, end + 1, tail.points.at(tail.channel == number))
        lines = _Lines.find(view, number, hours, spacings, range(-(-start // HOUR_MS), end // HOUR_MS))
        found.append(_exposure(hours, lines.that_tell_all(watch), watch, start, end))
    return tuple(found)


def decode_exposure(view: Kept, number: int, watch: Watch, start: Instant, end: Instant) -> ChannelExposure:
    """Return the same of one channel from all of its readings."""
    kept = view.points(number, start, end + 1)
    points = kept.at(is_shown(kept.source_ms))
    return exposure(
        points.source_ms, points.value, ~points.bad, start, end, watch.low, watch.high, watch.max_gap_ms,
        uncertain=points.quality == Quality.UNCERTAIN,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Lines:
    """Sealed hours of one quality as level lines; ``columns`` have one length.

    ``silent`` are hours of nothing but BAD readings, which are neither a line nor decoded. ``may_shift`` is by how much
    all lines together may be off [unit x ms].
    """

    columns: dict[str, np.ndarray]
    silent: frozenset[int]
    may_shift: float

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def at(self, rows: Flags) -> Self:
        """Return only these lines."""
        return type(self)({name: column[rows] for name, column in self.columns.items()}, self.silent, self.may_shift)

    @classmethod
    def find(cls, view: View, number: int, hours: Hours, spacings: Spacings, whole: range) -> Self:
        """Return those of the hours ``whole`` that are sealed and of one quality; raises Unreadable."""
        unsealed = hours.unsealed()
        quality = {hour: hours.quality(hour) for hour in hours.chunks if hour in whole and hour not in unsealed}
        silent = frozenset(hour for hour in quality if quality[hour] == Quality.BAD)
        found = np.array(sorted(hour for hour in quality if quality[hour] is not None and hour not in silent), np.int64)
        spaced = [spacings.of(hours.chunks[hour]) for hour in found.tolist()]
        columns = {name: np.array([getattr(one, name) for one in spaced], float) for name in _SPACED}
        minutes = _roll_ups(view, number, found)
        columns |= {
            "hour": found,
            "uncertain": np.array([quality[hour] == Quality.UNCERTAIN for hour in found.tolist()], bool),
            "is_whole": (minutes.count == columns["count"]) & ((columns["shortest_ms"] > 0) | (columns["count"] == 1)),
            "minimum": minutes.minimum, "maximum": minutes.maximum,
            "mean": minutes.total / np.maximum(minutes.count, 1),
            "step_ms": (columns["last_ms"] - columns["first_ms"]) / np.maximum(columns["count"] - 1, 1),
        }  # fmt: skip
        largest = np.fmax.reduce(np.abs(np.concatenate((minutes.minimum, minutes.maximum))), initial=0.0)
        lasts_ms = (columns["last_ms"] - columns["first_ms"]).sum()
        return cls(columns, silent, float(TOLERANCE / 2 * lasts_ms * largest))

    def that_tell_all(self, watch: Watch) -> Self:
        """Return the lines that are on one side of each limit, without a silence and evenly spaced."""
        is_level = _side(self["minimum"], watch) == _side(self["maximum"], watch)
        lines = self.at(self["is_whole"] & is_level & (self["longest_ms"] <= watch.max_gap_ms))
        # Readings off their places shift an hour's integral by their offset times the change of value: the whole spread
        # for a drift; for noise, of which the spread is seven deviations and the largest offset four, the root of their
        # number over 16 is three deviations. The shifts of different hours are independent.
        spread = lines["maximum"] - lines["minimum"]
        shifts = lines["offset_ms"] * spread * np.maximum(1, np.sqrt(lines["count"]) / 16)
        order = np.argsort(shifts, kind="stable")
        is_even = np.empty(order.size, bool)
        is_even[order] = np.sqrt(np.cumsum(shifts[order] ** 2)) <= self.may_shift
        return lines.at(is_even)

    def as_usable(self) -> Usable:
        """Return the first and the last reading of every line, as if they had its value."""
        times = np.stack((self["first_ms"], self["last_ms"]), axis=1).reshape(-1).astype(np.int64)
        return Usable(times, np.repeat(self["mean"], 2), np.repeat(self["uncertain"], 2))

    def ill_joined(self, hours: Sequence[tuple[int, Usable]], watch: Watch) -> Flags:
        """Say which lines can't stand beside what comes before or after; ``hours`` are those with usable readings.

        The value crosses a limit there, or the next reading is not one step away: none, too far or too near.
        """
        first_ms, last_ms = (np.array([one.times_ms[end] for _, one in hours], np.int64) for end in (0, -1))
        first, last = (_side(np.array([one.values[end] for _, one in hours], float), watch) for end in (0, -1))
        joint_ms = first_ms[1:] - last_ms[:-1]
        linked = joint_ms <= watch.max_gap_ms
        crosses = np.concatenate(([False], linked & (last[:-1] != first[1:]), [False]))
        joint_ms = np.concatenate(([0], np.where(linked, joint_ms, 0), [0]))
        at = np.searchsorted([hour for hour, _ in hours], self["hour"])
        half_spread = (self["maximum"] - self["minimum"]) / 2
        most = self.may_shift / np.sqrt(max(1, 2 * at.size))
        is_ill = crosses[at] | crosses[at + 1]
        for joint in (joint_ms[at], joint_ms[at + 1]):
            is_ill |= np.abs(joint - self["step_ms"]) * half_spread > most
        return np.asarray(is_ill)


def _exposure(hours: Hours, lines: _Lines, watch: Watch, start: Instant, end: Instant) -> ChannelExposure:
    while True:
        ends = lines.as_usable()
        by_hour = {hour: ends.at(slice(2 * row, 2 * row + 2)) for row, hour in enumerate(lines["hour"].tolist())}
        told = lines.silent.union(by_hour)
        by_hour |= {hour: usable for hour in hours.all() if hour not in told and (usable := hours.usable(hour)).size}
        in_order = [(hour, by_hour[hour]) for hour in sorted(by_hour)]
        is_ill_joined = lines.ill_joined(in_order, watch)
        if not is_ill_joined.any():
            return along(_knots(in_order, lines, watch.max_gap_ms), start, end, watch.low, watch.high)
        lines = lines.at(~is_ill_joined)


def _knots(hours: Sequence[tuple[int, Usable]], lines: _Lines, max_gap_ms: int) -> Knots:
    """Return readings and lines as one trace."""
    usable = Usable.of([one for _, one in hours])
    linked = np.diff(usable.times_ms) <= max_gap_ms
    begins = np.cumsum([0, *(one.size for _, one in hours)])
    linked[begins[np.searchsorted([hour for hour, _ in hours], lines["hour"])]] = True
    return Knots(
        usable.times_ms, usable.values, usable.uncertain, linked,
        float(min(usable.values.min(initial=np.inf), lines["minimum"].min(initial=np.inf))),
        float(max(usable.values.max(initial=-np.inf), lines["maximum"].max(initial=-np.inf))),
    )  # fmt: skip


def _roll_ups(view: View, number: int, hours: Integers) -> rollup.Minutes:
    """Return the roll-up of each of the ascending hours."""
    if not hours.size:
        return rollup.no_minutes(0)
    days = view.days(number, int(hours[0]) // DAY_HOURS, int(hours[-1]) // DAY_HOURS + 1)
    first = np.repeat(np.array(sorted(days), np.int64) * DAY_HOURS, rollup.MINUTES)
    hour = first + np.tile(np.arange(rollup.MINUTES) // HOUR_MINUTES, len(days))
    row = np.minimum(np.searchsorted(hours, hour), hours.size - 1)
    wanted = hours[row] == hour
    return rollup.add(row[wanted], rollup.unpack([days[day] for day in sorted(days)]).at(wanted), hours.size)


def _side(values: Floats, watch: Watch) -> Integers:
    """Say of each value whether it lies below the range (-1), within (0) or above (1)."""
    above = np.zeros(values.size, np.int64) if watch.high is None else (values > watch.high).astype(np.int64)
    return above if watch.low is None else above - (values < watch.low)
