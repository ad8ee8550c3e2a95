"""Faults: of the wire (silent, slow, garbage) and of what an instrument shows (stuck, drift, force).

A cut cable is an act on the wire itself (`wire.py`); a failed gas or nitrogen supply is one on the physics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

__all__ = ["WIRE_FAULTS", "Disturbance", "Panel", "WireFault"]

WireFault = Literal["silent", "slow", "garbage"]
WIRE_FAULTS: Final[dict[str, WireFault]] = {
    "silent": "silent",
    "slow": "slow",
    "garbage": "garbage",
}
_NOISE_BYTES: Final = 4096


@dataclass(slots=True)
class Disturbance:
    """What is wrong with one instrument's wire; shared by all its connections."""

    rng: np.random.Generator
    fault: WireFault | None = None
    delay_s: float = 0.0
    _noise: bytes = b""
    _used: int = 0

    def set(self, fault: WireFault, delay_s: float = 0.0) -> None:
        """Switch one fault on; the garbage is drawn now, so that requests draw nothing."""
        self.fault, self.delay_s = fault, delay_s
        if fault == "garbage":
            self._noise, self._used = self.rng.bytes(_NOISE_BYTES), 0

    def clear(self) -> None:
        """Make the wire sound again."""
        self.fault, self.delay_s = None, 0.0

    def garble(self, reply: bytes) -> bytes:
        """Return noise as long as the reply."""
        start = self._used % (_NOISE_BYTES - 512)
        self._used += len(reply)
        return (self._noise[start:] + self._noise)[: len(reply)]


@dataclass(slots=True)
class Panel:
    """The values an instrument shows, by channel: what its sensors read, unless one is stuck, drifts or is forced."""

    values: dict[str, float] = field(default_factory=dict)
    _stuck: dict[str, float] = field(default_factory=dict)
    _drift_per_h: dict[str, float] = field(default_factory=dict)
    _drifted: dict[str, float] = field(default_factory=dict)
    _forced: dict[str, float] = field(default_factory=dict)

    def show(self, sensed: dict[str, float], dt_s: float) -> dict[str, float]:
        """Show what the sensors read ``dt_s`` seconds after the last values."""
        if self._drift_per_h or self._stuck:
            for channel, per_h in self._drift_per_h.items():
                self._drifted[channel] += per_h * dt_s / 3600.0
                sensed[channel] += self._drifted[channel]
            sensed.update(self._stuck)
        sensed.update(self._forced)
        self.values = sensed
        return sensed

    def stick(self, channel: str) -> None:
        """Keep the channel at the value it shows now; KeyError if it shows none of that name."""
        self._stuck[channel] = self.values[channel]

    def drift(self, channel: str, per_hour: float) -> None:
        """Let the channel run away from what its sensor reads; KeyError if there is none of that name."""
        if channel not in self.values or not math.isfinite(per_hour):
            raise KeyError(channel)
        self._drift_per_h[channel] = per_hour
        self._drifted.setdefault(channel, 0.0)

    def force(self, channel: str, value: float) -> None:
        """Show a value whatever the sensor reads, from the next step on, in place of one forced before.

        Nothing behind the panel feels it. KeyError if it shows none of that name or the value is not finite.
        """
        if channel not in self.values or not math.isfinite(value):
            raise KeyError(channel)
        self._forced[channel] = value

    def clear(self) -> None:
        """Show again what the sensors read, from the next step on."""
        self._stuck.clear()
        self._drift_per_h.clear()
        self._drifted.clear()
        self._forced.clear()
