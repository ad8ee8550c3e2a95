"""Sensors with correlated noise, limited range and resolution, and first-order relaxation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Sensor", "SensorSet", "relax"]


def relax(value: float, target: float, dt_s: float, tau_s: float) -> float:
    """Return ``value`` after ``dt_s`` of first-order approach to ``target``: exact, so stable for any step."""
    return target + (value - target) * math.exp(-dt_s / tau_s)


@dataclass(frozen=True, slots=True)
class Sensor:
    """How one channel is measured: AR(1) noise of standard deviation ``sigma``, fixed offset, range, decimals shown."""

    sigma: float
    correlation_s: float
    decimals: int
    offset: float = 0.0
    low: float = -math.inf
    high: float = math.inf


class SensorSet:
    """All sensors of one instrument; one vector of noise is drawn per step."""

    def __init__(self, sensors: Mapping[str, Sensor], rng: np.random.Generator) -> None:
        self._sensors = tuple(sensors.items())
        self._rng = rng
        self._noise = rng.standard_normal(len(self._sensors)).tolist()

    def read(self, true: Mapping[str, float], dt_s: float) -> dict[str, float]:
        """Return what the sensors show of the ``true`` values, ``dt_s`` seconds after they were last read."""
        fresh = self._rng.standard_normal(len(self._sensors)).tolist()
        shown = {}
        for index, (channel, sensor) in enumerate(self._sensors):
            keep = math.exp(-dt_s / sensor.correlation_s)
            noise = keep * self._noise[index] + math.sqrt(1.0 - keep * keep) * fresh[index]
            self._noise[index] = noise
            value = true[channel] + sensor.offset + sensor.sigma * noise
            shown[channel] = round(min(max(value, sensor.low), sensor.high), sensor.decimals)
        return shown
