"""What Hamilton Arc sensors have in common: measurement channels of ten registers each, and a liquid around the probe.

Source: programmer's manuals EPHUM011 (624300/01) p21-23 and ODOUM043/102 (624179/01): registers count from 1, PMC1
at 2090, PMC6 (temperature) at 2410; unit, value, status, least, most. The low word first is known from public drivers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.registers import Wiring, float_low_first, uint32_low_first
from cultureops_simulators.sensor import Sensor, SensorSet, relax

__all__ = [
    "PMC1",
    "PMC6",
    "TEMPERATURE_RANGE_C",
    "UNIT_CELSIUS",
    "UNIT_PH",
    "WIRING",
    "Drift",
    "ProbeModel",
    "measurement",
]

WIRING: Final = Wiring(1, ("rtu",))
PMC1: Final = 2090 - 1
PMC6: Final = 2410 - 1
UNIT_CELSIUS: Final = 0x0000_0004
UNIT_PH: Final = 0x0000_1000
TEMPERATURE_RANGE_C: Final = (-20.0, 130.0)


def measurement(unit_code: int, value: float, least: float, most: float, status: int = 0) -> tuple[int, ...]:
    """Return the ten registers of one measurement channel."""
    return (
        *uint32_low_first(unit_code),
        *float_low_first(value),
        *uint32_low_first(status),
        *float_low_first(least),
        *float_low_first(most),
    )


@dataclass(frozen=True, slots=True)
class Drift:
    """How the measured quantity of the liquid moves: from ``start`` towards ``end`` with a time constant [s]."""

    start: float
    end: float
    tau_s: float


class ProbeModel:
    """A probe in a vessel at 37 degC: ``quantity`` (of PMC1) and temperature, their sensors and the panel."""

    def __init__(self, quantity: str, drift: Drift, sensor: Sensor, rng: np.random.Generator) -> None:
        self.panel = Panel()
        self._quantity, self._drift = quantity, drift
        self.value, self.temperature_c = drift.start, 37.0
        self._sensors = SensorSet(
            {quantity: sensor, "temperature": Sensor(sigma=0.03, correlation_s=300.0, decimals=3)}, rng
        )
        self._show(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.value = relax(self.value, self._drift.end, dt_s, self._drift.tau_s)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        true = {self._quantity: self.value, "temperature": self.temperature_c}
        self.panel.show(self._sensors.read(true, dt_s), dt_s)

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        return {self._quantity: self.value, "temperature_c": self.temperature_c}
