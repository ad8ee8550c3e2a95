"""Air drawn through a counter: particles of four sizes arrive at random and are counted for as long as it runs."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel

__all__ = ["CHANNELS", "CounterModel"]

CHANNELS: Final = 4
RATES_PER_S: Final = (2.0, 0.8, 0.2, 0.05)
"""Particles that arrive per second of each size class, smallest first: a clean room at rest."""
RECORD_S: Final = 60.0
ALARM_COUNT: Final = 1_000


class CounterModel:
    """A counter that keeps a record every minute; each channel counts particles of its size and larger."""

    def __init__(self, started_s: float, rng: np.random.Generator) -> None:
        self.panel = Panel()
        self._rng = rng
        self._now_s = self._recorded_s = started_s
        self.arrived = [0] * CHANNELS
        self._recorded, self._before = [0] * CHANNELS, [0] * CHANNELS
        self._show(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self._now_s += dt_s
        drawn = self._rng.poisson([rate * dt_s for rate in RATES_PER_S])
        self.arrived = [total + int(number) for total, number in zip(self.arrived, drawn, strict=True)]
        if self._now_s - self._recorded_s >= RECORD_S:
            self._recorded_s, self._before, self._recorded = self._now_s, self._recorded, self._cumulated()
        self._show(dt_s)

    def _cumulated(self) -> list[int]:
        return list(itertools.accumulate(reversed(self.arrived)))[::-1]

    def _show(self, dt_s: float) -> None:
        shown = {f"particles_{number}": float(count) for number, count in enumerate(self._recorded, start=1)}
        shown["record_time"] = float(int(self._recorded_s))
        fresh = (now - before for now, before in zip(self._recorded, self._before, strict=True))
        shown["particle_alarms"] = float(sum((count > ALARM_COUNT) << index for index, count in enumerate(fresh)))
        self.panel.show(shown, dt_s)

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        return {"arrived": tuple(self.arrived)}
