"""The environment of a batch: what the chambers did while its vessels stood in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

from cultureops.analysis.exposure import ChannelExposure, together
from cultureops.analysis.storage_clock import Interval, time_out_of_storage
from cultureops.batch.facts import TelemetryGap
from cultureops.batch.parts import Occupancy
from cultureops.clock import SECOND_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.telemetry import Gap, Watch

__all__ = [
    "Exposures",
    "StayEnvironment",
    "TimeAbove",
    "Watched",
    "environment_of",
    "gaps_in",
    "in_all",
    "out_of_storage",
    "silence_ms",
    "time_above",
]

Watched: TypeAlias = Callable[[Occupancy], Sequence[Watch]]
"""The channels that tell of a stay's chamber, within the limits that the batch's recipe sets for it."""

_SHORTEST_SILENCE_MS: Final = 60_000
_MISSED_POLLS: Final = 3
_STILL_THERE: Final = 1 << 62


class Exposures(Protocol):
    """Whatever tells what channels did: the store of a running lab, or its folder read beside it."""

    async def exposures(self, start: Instant, end: Instant, watches: Sequence[Watch]) -> tuple[ChannelExposure, ...]:
        """Return what each channel did from ``start`` to ``end``, both included; see TelemetryStore."""
        ...


@dataclass(frozen=True, slots=True)
class StayEnvironment:
    """One stay of vessels in a chamber, until now where it lasts; ``channels`` is empty where nothing measures."""

    stay: Occupancy
    channels: Mapping[ChannelId, ChannelExposure]


@dataclass(frozen=True, slots=True)
class TimeAbove:
    """Time that product may have been warmer than a limit, over all stays and handlings [s].

    ``above_s`` was measured in storage, ``unknown_s`` was spent there without a known value, ``handling_s`` outside.
    """

    limit: float
    above_s: float
    unknown_s: float
    handling_s: float

    @property
    def total_s(self) -> float:
        """What counts: all of it, as nobody knows better [s]."""
        return self.above_s + self.unknown_s + self.handling_s


async def environment_of(
    store: Exposures, stays: Iterable[Occupancy], watched: Watched, now: Instant
) -> tuple[StayEnvironment, ...]:
    """Return the record of every stay, in their order; raises Unreadable or StorageError."""
    found = []
    for stay in stays:
        watches = watched(stay)
        exposures = await store.exposures(stay.placed, _end(stay, now), watches) if watches else ()
        found.append(StayEnvironment(stay, {watch.channel: one for watch, one in zip(watches, exposures, strict=True)}))
    return tuple(found)


def in_all(stays: Iterable[StayEnvironment]) -> dict[tuple[str, ChannelId], ChannelExposure]:
    """Return, by chamber and channel, what all stays add up to; where vessels stood side by side, each stay counts."""
    parts: dict[tuple[str, ChannelId], list[ChannelExposure]] = {}
    for one in stays:
        for channel, exposure in one.channels.items():
            parts.setdefault((one.stay.chamber, channel), []).append(exposure)
    return {key: whole for key, some in parts.items() if (whole := together(some)) is not None}


async def time_above(
    store: Exposures,
    stays: Iterable[Occupancy],
    watched: Watched,
    limit: float,
    handlings: Iterable[Interval],
    now: Instant,
) -> TimeAbove:
    """Return how long frozen product may have been above ``limit`` [unit of the channels] in storage and outside.

    ``handlings`` are the intervals between storages, see ``out_of_storage``; they count in full. Of several sensors of
    a chamber the one counts that says worst, time unknown included; a stay without a sensor is unknown. ``limit`` is
    the recipe's: -135 Cel for storage in liquid nitrogen by default.
    """

    def limited(stay: Occupancy) -> Sequence[Watch]:
        return [replace(watch, low=None, high=limit) for watch in watched(stay)]

    above_s = unknown_s = 0.0
    for one in await environment_of(store, stays, limited, now):
        if one.channels:
            worst = max(one.channels.values(), key=lambda exposure: exposure.above_s + exposure.unknown_s)
            above_s, unknown_s = above_s + worst.above_s, unknown_s + worst.unknown_s
        else:
            unknown_s += (_end(one.stay, now) - one.stay.placed) / SECOND_MS
    return TimeAbove(limit, above_s, unknown_s, time_out_of_storage(handlings, 0.0, now).total_s)


def out_of_storage(stays: Iterable[Occupancy]) -> tuple[Interval, ...]:
    """Return the intervals between leaving one qualified chamber and entering the next, the last one open while out.

    ``stays`` are those of one set of vessels in qualified chambers, in any order.
    """
    found: list[Interval] = []
    left: Instant | None = None
    for stay in sorted(stays, key=lambda stay: stay.placed):
        if left is not None and stay.placed > left:
            found.append(Interval(left, stay.placed))
        taken = _STILL_THERE if stay.taken is None else stay.taken
        left = taken if left is None else max(left, taken)
    if left is not None and left != _STILL_THERE:
        found.append(Interval(left, None))
    return tuple(found)


def gaps_in(chamber: str, watch: Watch, exposure: ChannelExposure, bad: Iterable[Gap]) -> tuple[TelemetryGap, ...]:
    """Return where a channel of a chamber gave no value for longer than it may be silent, and why.

    ``bad`` are the stretches of BAD readings; where nobody even asked there is no reading to tell.
    """
    return tuple(
        TelemetryGap(chamber, watch.channel, start, stop, _reason(bad, watch.channel, start, stop))
        for start, stop in exposure.unknown
        if stop - start > watch.max_gap_ms
    )


def _reason(bad: Iterable[Gap], channel: ChannelId, start: Instant, stop: Instant) -> str:
    for gap in bad:
        if gap.channel == channel and gap.from_ms < stop and (gap.to_ms is None or gap.to_ms > start):
            return gap.reason.text
    return "no reading"


def _end(stay: Occupancy, now: Instant) -> Instant:
    return max(stay.placed, now) if stay.taken is None else stay.taken


def silence_ms(period_ms: int) -> int:
    """Return how long a channel that is read so often may be silent: three periods, at least a minute [ms].

    Source: definition of communication loss in the alarm brief of cultureops; ours.
    """
    return max(_SHORTEST_SILENCE_MS, _MISSED_POLLS * period_ms)
