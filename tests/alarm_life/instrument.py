"""What the instruments say of what is true: a day of polls of one chamber as readings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter
from tests.alarm_life.kind import Fault
from tests.alarm_life.plan import Deviation, Outage
from tests.alarm_life.site import PERIOD_S, Place, Signal

from cultureops.clock import Instant
from cultureops.device.reading import Quality, Reading, Reason

__all__ = ["Instruments", "Poll"]

Poll = list[Reading]
LOST_POLLS = 5e-4
"""The share of polls that nobody answers for no reason."""


@dataclass
class _Memory:
    """What a signal carries from one day to the next."""

    noise: float
    lagged: float | None = None
    frozen: float = math.nan
    offset: float = 0.0


class Instruments:
    """All instruments of one chamber; ``phase_s`` is when in the period they are polled."""

    def __init__(
        self, place: Place, phase_s: float, deviations: Sequence[Deviation], outages: Sequence[Outage], seed: int
    ) -> None:
        self.phase_s = phase_s
        self._rng = np.random.default_rng(seed)
        self._signals = place.signals
        self._deviations = [d for d in deviations if d.chamber == place.id and d.fault is not None]
        own = {signal.device for signal in place.signals}
        self._outages = [outage for outage in outages if outage.device in own]
        self._memory = {signal.id: _Memory(float(self._rng.standard_normal())) for signal in place.signals}
        self._wander = {signal.id: self._rng.uniform(0.0, 2 * math.pi, 2) for signal in place.signals}

    def polls(self, start: Instant, origin: Instant, truth: np.ndarray) -> list[Poll]:
        """Return the readings of each poll: ``truth`` is [polls x quantities], ``origin`` the month's beginning."""
        minutes = len(truth)
        times_s = (start - origin) / 1000 + self.phase_s + PERIOD_S * np.arange(minutes)
        at = [round(origin + 1000 * float(second)) for second in times_s]
        is_away = {device: self._is_away(device, times_s) for device in {signal.device for signal in self._signals}}
        columns = [
            list(self._readings(signal, times_s, at, truth[:, signal.quantity], is_away[signal.device]))
            for signal in self._signals
        ]
        return [[reading for reading in row if reading is not None] for row in zip(*columns, strict=True)]

    def _is_away(self, device: str, times_s: np.ndarray) -> np.ndarray:
        away: np.ndarray = self._rng.random(len(times_s)) < LOST_POLLS
        for outage in self._outages:
            if outage.device == device:
                away |= (times_s >= outage.start_s) & (times_s < outage.end_s)
        for deviation, fault in self._faults():
            if fault.what == "cut" and fault.device == device:
                away |= (times_s >= deviation.start_s) & (times_s < deviation.end_s)
        return away

    def _faults(self) -> Iterator[tuple[Deviation, Fault]]:
        return ((deviation, deviation.fault) for deviation in self._deviations if deviation.fault is not None)

    def _readings(
        self, signal: Signal, times_s: np.ndarray, at: Sequence[Instant], true: np.ndarray, away: np.ndarray
    ) -> Iterator[Reading | None]:
        channel = signal.id
        shown, why = self._shown(signal, times_s, true)
        silent = away.tolist()
        for value, reason, is_silent, instant in zip(shown.tolist(), why, silent, at, strict=True):
            if is_silent:
                yield Reading(channel, None, Quality.BAD, Reason.TIMEOUT, instant, instant)
            elif reason is None:
                yield None
            elif reason:
                yield Reading(channel, None, Quality.BAD, reason, instant, instant)
            else:
                yield Reading(channel, value, Quality.GOOD, Reason.NONE, instant, instant)

    def _shown(self, signal: Signal, times_s: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, list[Reason | None]]:
        memory, sensor = self._memory[signal.id], signal.sensor
        why: list[Reason | None] = [Reason.NONE] * len(times_s)
        value = self._lagged(signal, memory, true)
        if sensor.sigma:
            value = value + sensor.offset + sensor.sigma * self._noise(signal, memory, len(times_s))
            value += self._wandered(signal, times_s)
        for deviation, fault in self._faults():
            if (fault.device, fault.channel) != (signal.device, signal.channel.name):
                continue
            during = (times_s >= deviation.start_s) & (times_s < deviation.end_s)
            if fault.what == "drift":
                ramp = fault.per_hour * (times_s - deviation.start_s) / 3600.0
                value = value + np.where(during, np.clip(ramp, -fault.most, fault.most), 0.0)
            elif fault.what == "stuck" and during.any():
                first = int(np.argmax(during))
                if times_s[first] - deviation.start_s < PERIOD_S:
                    memory.frozen = float(value[first])
                value = np.where(during, memory.frozen, value)
            elif fault.what in ("sentinel", "absent"):
                said = Reason.SENTINEL if fault.what == "sentinel" else None
                why = [said if is_on else reason for is_on, reason in zip(during, why, strict=True)]
        low, high = signal.channel.valid_range or (-math.inf, math.inf)
        value = np.round(np.clip(value, max(sensor.low, low), min(sensor.high, high)), sensor.decimals)
        return value, why

    def _lagged(self, signal: Signal, memory: _Memory, true: np.ndarray) -> np.ndarray:
        if not signal.lag_s:
            return true.astype(float)
        keep = math.exp(-PERIOD_S / signal.lag_s)
        before = float(true[0]) if memory.lagged is None else memory.lagged
        lagged = np.asarray(lfilter([1 - keep], [1, -keep], true, zi=[keep * before])[0])
        memory.lagged = float(lagged[-1])
        return lagged

    def _noise(self, signal: Signal, memory: _Memory, count: int) -> np.ndarray:
        """AR(1) noise of standard deviation 1, as the simulators' sensors have it."""
        keep = math.exp(-PERIOD_S / signal.sensor.correlation_s)
        fresh = math.sqrt(1 - keep * keep) * self._rng.standard_normal(count)
        noise = np.asarray(lfilter([1.0], [1, -keep], fresh, zi=[keep * memory.noise])[0])
        memory.noise = float(noise[-1])
        return noise

    def _wandered(self, signal: Signal, times_s: np.ndarray) -> np.ndarray:
        """Slow drift within tolerance: the room's day and the sensor's weeks."""
        day, weeks = self._wander[signal.id]
        turns = 2 * math.pi * times_s / 86_400.0
        return np.asarray(signal.wander * (0.3 * np.sin(turns + day) + 0.7 * np.sin(turns / 17.0 + weeks)))
