"""What an alarm's condition has meant for each batch in its chamber: minutes, degree-minutes, and what nobody knows.

A store that can't answer, or not in time, leaves the figures unknown; nobody waits for it longer than ``DEADLINE_S``.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from cultureops.acquisition import MeasuredChannel
from cultureops.alarms import AlarmView, Kind, Transition
from cultureops.alarms.activation import Activation, Activations
from cultureops.alarms.own import OWN
from cultureops.alarms.rule import BatchRef
from cultureops.analysis.exposure import ChannelExposure, Stretch, together
from cultureops.batch.alarm_told import EndangeredBatch
from cultureops.batch.register import BatchRegister
from cultureops.clock import DAY_MS, MINUTE_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.environment import silence_ms
from cultureops.errors import StorageError
from cultureops.telemetry import Watch
from cultureops.telemetry.store import Series

__all__ = ["DEADLINE_S", "READINGS_AWAITED", "Endangered", "Reach", "Telemetry"]

Part: TypeAlias = tuple[Instant, Instant, Watch]
Condition: TypeAlias = tuple[str, ChannelId | None, ChannelId | None, float | None, Stretch]
"""Kind, channel, setpoint and limit of what is looked for in a stretch: alarms that share them share figures."""

DEADLINE_S: Final = 5.0
PAUSE_S: Final = 30.0
"""For how long a store that did not answer in time is not asked again."""
READINGS_AWAITED: Final = "the readings of it have not come from the gateway yet"
_LIMITS: Final = frozenset({Kind.HIGH, Kind.LOW, Kind.DEVIATION})
_BLIND: Final = frozenset({Kind.COMMUNICATION, Kind.NO_DATA, Kind.STUCK})
"""Conditions under which nobody knows what the chamber did."""
_SETPOINT_MS: Final = 7 * DAY_MS
"""How far back the setpoint is looked for that held when a condition began."""


class Telemetry(Protocol):
    """What this asks of the store of a running lab."""

    @property
    def failure(self) -> StorageError | None:
        """Why readings can't be kept at present."""
        ...

    async def series(self, channel: ChannelId, start: Instant, end: Instant) -> Series:
        """Return the readings of a channel; see TelemetryStore."""
        ...

    async def exposures(self, start: Instant, end: Instant, watches: Sequence[Watch]) -> tuple[ChannelExposure, ...]:
        """Return what each channel did; see TelemetryStore."""
        ...

    async def flush(self) -> None:
        """Return once everything appended so far is durable or has failed."""
        ...


@dataclass(frozen=True, slots=True)
class Reach:
    """Batches that an activation has reached until an instant [ms UTC]."""

    activation: Activation
    batch_ids: tuple[BatchRef, ...]
    until: Instant


class Endangered:
    """Works out figures from stays and telemetry.

    ``awaited`` says whether the readings of an activation until an instant [ms UTC] are still to come from a gateway.
    """

    def __init__(
        self,
        batches: BatchRegister,
        activations: Activations,
        store: Telemetry,
        channels: Mapping[ChannelId, MeasuredChannel],
        awaited: Callable[[Activation, Instant], bool] = lambda *_: False,
    ) -> None:
        self._batches = batches
        self._activations = activations
        self._store = store
        self._channels = channels
        self._awaited = awaited
        self._silent_until_s = -math.inf

    async def of(self, alarm: AlarmView | Transition, now: Instant) -> tuple[EndangeredBatch, ...]:
        """Return every batch that an alarm's latest activation has reached by ``now`` [ms UTC], with its figures."""
        known = self._activations.latest(alarm.rule.id)
        if known is None or (alarm.is_active and known.ended_at is not None):
            known = Activation.of(alarm, now)
        if not known.endangers_batches:
            return ()
        until = known.until(now)
        reached = self._batches.exposed(known.chamber, known.since, until)
        return (await self.figures([Reach(known, reached, until)]))[0]

    async def figures(self, reaches: Sequence[Reach]) -> tuple[tuple[EndangeredBatch, ...], ...]:
        """Return what activations have meant for the batches they reach, in their order; the store is asked once."""
        if not any(reach.batch_ids for reach in reaches):
            return tuple(() for _ in reaches)
        reason = self._silence()
        if not reason:
            try:
                async with asyncio.timeout(DEADLINE_S):
                    return await self._known(reaches)
            except TimeoutError:
                self._silent_until_s = asyncio.get_running_loop().time() + PAUSE_S
                reason = f"the store of readings did not answer within {DEADLINE_S:g} s"
            except (StorageError, ValueError) as error:
                reason = str(error)
        return tuple(_unknown(reach, reason) for reach in reaches)

    async def _known(self, reaches: Sequence[Reach]) -> tuple[tuple[EndangeredBatch, ...], ...]:
        """Return the figures of those whose readings are here; the others say why not."""
        rows = [
            (reach, _has_limit(reach.activation) and self._awaited(reach.activation, reach.until)) for reach in reaches
        ]
        found = iter(await self._figures([reach for reach, is_awaited in rows if not is_awaited]))
        return tuple(_unknown(reach, READINGS_AWAITED) if is_awaited else next(found) for reach, is_awaited in rows)

    def _silence(self) -> str:
        """Say why the store is not asked at all."""
        if (failure := self._store.failure) is not None:
            return f"readings can't be kept at present: {failure}"
        if asyncio.get_running_loop().time() < self._silent_until_s:
            return f"the store of readings did not answer within {DEADLINE_S:g} s a moment ago"
        return ""

    async def _figures(self, reaches: Sequence[Reach]) -> tuple[tuple[EndangeredBatch, ...], ...]:
        if any(_has_limit(reach.activation) for reach in reaches):
            await self._store.flush()  # what raised an alarm is told to it before it is stored
        stays = [[self._stays(reach, name) for name in reach.batch_ids] for reach in reaches]
        wanted = {
            _condition(reach.activation, stretch): None
            for reach, rows in zip(reaches, stays, strict=True)
            if _has_limit(reach.activation)
            for row in rows
            for stretch in row
        }
        setpoints: dict[tuple[ChannelId, Stretch], str | list[tuple[Instant, Instant, float]]] = {}
        parts = {condition: await self._parts(condition, setpoints) for condition in wanted}
        known = await self._exposures(part for some in parts.values() if not isinstance(some, str) for part in some)

        def beyond(activation: Activation, stretch: Stretch) -> ChannelExposure | str:
            some = parts[_condition(activation, stretch)]
            if isinstance(some, str):
                return some
            return together(known[part] for part in some) or "the stay had no length"

        def row(activation: Activation, name: str, met: Sequence[Stretch]) -> EndangeredBatch:
            if not _has_limit(activation):
                return _of_condition(activation, name, met)
            return _of_limit(activation, name, [beyond(activation, stretch) for stretch in met])

        return tuple(
            tuple(row(reach.activation, name, met) for name, met in zip(reach.batch_ids, rows, strict=True))
            for reach, rows in zip(reaches, stays, strict=True)
        )

    def _stays(self, reach: Reach, name: str) -> tuple[Stretch, ...]:
        return self._batches.stays(name, reach.activation.chamber, reach.activation.since, reach.until)

    async def _exposures(self, parts: Iterable[Part]) -> dict[Part, ChannelExposure]:
        """Ask the store for many parts, those of one stretch at once."""
        by_stretch: dict[Stretch, dict[Watch, None]] = {}
        for start, end, watch in parts:
            by_stretch.setdefault((start, end), {})[watch] = None
        known: dict[Part, ChannelExposure] = {}
        for (start, end), watches in by_stretch.items():
            found = await self._store.exposures(start, end, tuple(watches))
            known |= {(start, end, watch): one for watch, one in zip(watches, found, strict=True)}
        return known

    async def _parts(
        self,
        condition: Condition,
        setpoints: dict[tuple[ChannelId, Stretch], str | list[tuple[Instant, Instant, float]]],
    ) -> list[Part] | str:
        """Return the stretches of one limit that make up a stretch, or say why nobody can tell."""
        kind, channel, reference, limit, stretch = condition
        assert channel is not None and limit is not None
        row = self._channels.get(channel)
        gap_ms = silence_ms(row.period_ms if row is not None else 0)
        if kind != Kind.DEVIATION:
            low, high = (None, limit) if kind == Kind.HIGH else (limit, None)
            return [(*stretch, Watch(channel, low, high, gap_ms))]
        if reference is None:
            return "the rule that names the setpoint is no longer there"
        if (reference, stretch) not in setpoints:
            setpoints[reference, stretch] = await self._setpoints(reference, *stretch)
        points = setpoints[reference, stretch]
        if isinstance(points, str):
            return points
        return [(begin, stop, Watch(channel, point - limit, point + limit, gap_ms)) for begin, stop, point in points]

    async def _setpoints(
        self, reference: ChannelId, start: Instant, end: Instant
    ) -> str | list[tuple[Instant, Instant, float]]:
        """Return the setpoints of a stretch with their times; each holds until another one is read."""
        series = await self._store.series(reference, start - _SETPOINT_MS, end + 1)
        changes: list[tuple[Instant, float]] = []
        for at, value in zip(series.source_ms.tolist(), series.value.tolist(), strict=True):
            if math.isfinite(value) and (not changes or changes[-1][1] != value):
                changes.append((at, value))
        before = [change for change in changes if change[0] <= start]
        if not before:
            return f"no setpoint of {reference} is known from before the condition"
        held = [(start, before[-1][1]), *(change for change in changes if change[0] > start)]
        ends = [*(at for at, _ in held[1:]), end]
        return [(at, stop, value) for (at, value), stop in zip(held, ends, strict=True)]


def _unknown(reach: Reach, reason: str) -> tuple[EndangeredBatch, ...]:
    return tuple(EndangeredBatch(name, None, None, None, reason=reason) for name in reach.batch_ids)


def _condition(activation: Activation, stretch: Stretch) -> Condition:
    reference = activation.reference if activation.kind == Kind.DEVIATION else None
    return activation.kind, activation.channel, reference, activation.limit, stretch


def _has_limit(activation: Activation) -> bool:
    """Whether there is a measure of how far beyond; of a gateway that is silent there is none."""
    has_both = activation.channel is not None and activation.limit is not None
    return activation.kind in _LIMITS and has_both and not _is_own(activation)


def _is_own(activation: Activation) -> bool:
    return activation.channel is not None and activation.channel.startswith(f"{OWN}/")


def _of_condition(activation: Activation, name: str, stays: Sequence[tuple[Instant, Instant]]) -> EndangeredBatch:
    """Return the minutes of a condition without a limit to integrate beyond; those without sight are unknown."""
    minutes = math.fsum(end - start for start, end in stays) / MINUTE_MS
    is_blind = activation.kind in _BLIND or _is_own(activation)
    return EndangeredBatch(name, _rounded(minutes), None, _rounded(minutes if is_blind else 0.0))


def _of_limit(activation: Activation, name: str, parts: Sequence[ChannelExposure | str]) -> EndangeredBatch:
    problem = next((part for part in parts if isinstance(part, str)), None)
    whole = together(part for part in parts if not isinstance(part, str))
    if problem is not None or whole is None:
        return EndangeredBatch(name, None, None, None, reason=problem or "no stay in the chamber is on record")
    excess = whole.degree_minutes_above + whole.degree_minutes_below
    is_finite = math.isfinite(excess)
    return EndangeredBatch(
        name,
        _rounded(whole.out_of_range_s / 60),
        _rounded(excess) if is_finite else None,
        _rounded(whole.unknown_s / 60),
        f"{activation.unit} x min",
        "" if is_finite else "readings or setpoints are so far out that their excess is no number",
    )


def _rounded(figure: float) -> float:
    return round(figure, 4) + 0.0
