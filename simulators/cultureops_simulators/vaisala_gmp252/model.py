"""A CO2 probe inside a chamber: it follows the true air with its own lag, offset and noise."""

from __future__ import annotations

from typing import Final

import numpy as np

from cultureops_simulators.chamber import Chamber
from cultureops_simulators.faults import Panel
from cultureops_simulators.instrument import Atmosphere
from cultureops_simulators.sensor import Sensor, SensorSet, relax

__all__ = ["ProbeModel"]

PPM_PER_PCT: Final = 10_000.0
CO2_LAG_S: Final = 30.0
TEMPERATURE_LAG_S: Final = 240.0
OFFSET_SIGMA_PPM: Final = 300.0


class ProbeModel:
    """Probe, its sensors and panel; steps the air itself when nobody else does."""

    def __init__(self, air: Atmosphere | None, rng: np.random.Generator) -> None:
        chamber = Chamber()
        self._own_chamber = chamber if air is None else None
        self._air: Atmosphere = chamber if air is None else air
        self.panel = Panel()
        self.co2_ppm = self._air.co2_pct * PPM_PER_PCT
        self.temperature_c = self._air.temperature_c
        offset_ppm = float(np.clip(rng.normal(0.0, OFFSET_SIGMA_PPM), -600.0, 600.0))
        self._sensors = SensorSet(
            {
                "co2_ppm": Sensor(
                    sigma=150.0,
                    correlation_s=300.0,
                    decimals=0,
                    offset=offset_ppm,
                    low=0.0,
                ),
                "temperature": Sensor(sigma=0.05, correlation_s=600.0, decimals=2),
            },
            rng,
        )
        self._show(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        if self._own_chamber is not None:
            self._own_chamber.step(dt_s)
        self.co2_ppm = relax(self.co2_ppm, self._air.co2_pct * PPM_PER_PCT, dt_s, CO2_LAG_S)
        self.temperature_c = relax(self.temperature_c, self._air.temperature_c, dt_s, TEMPERATURE_LAG_S)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        true = {"co2_ppm": self.co2_ppm, "temperature": self.temperature_c}
        self.panel.show(self._sensors.read(true, dt_s), dt_s)
