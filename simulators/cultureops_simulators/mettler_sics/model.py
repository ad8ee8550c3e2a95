"""A precision balance: a pan that settles, a tare, a zero that drifts a little.

Settling time, noise and capacity are this project's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import Sensor, SensorSet, relax

__all__ = ["CAPACITY_G", "BalanceModel", "Pan"]

CAPACITY_G: Final = 4200.0
UNDERLOAD_G: Final = -50.0
SETTLING_TAU_S: Final = 0.6
STABLE_WITHIN_G: Final = 0.02
DECIMALS: Final = 2


@dataclass(slots=True)
class Pan:
    """True state of the pan [g]: what lies on it, what the mechanics have followed so far, tare and zero."""

    load_g: float = 0.0
    settled_g: float = 0.0
    tare_g: float = 0.0
    zero_g: float = 0.0

    def load(self, load_g: float) -> None:
        """Let ``load_g`` grams lie on the pan."""
        self.load_g = load_g

    @property
    def is_stable(self) -> bool:
        """Whether the mechanics have come to rest."""
        return abs(self.load_g - self.settled_g) < STABLE_WITHIN_G

    @property
    def overload(self) -> bool:
        """Whether more lies there than the balance can weigh."""
        return self.settled_g - self.zero_g > CAPACITY_G

    @property
    def underload(self) -> bool:
        """Whether the pan was lifted off."""
        return self.settled_g - self.zero_g < UNDERLOAD_G

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.settled_g = relax(self.settled_g, self.load_g, dt_s, SETTLING_TAU_S)


class BalanceModel:
    """Pan, sensor and panel."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.pan = Pan()
        self.panel = Panel()
        self._sensors = SensorSet({"gross": Sensor(sigma=0.004, correlation_s=30.0, decimals=DECIMALS)}, rng)
        self._gross_g = 0.0
        self._show(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.pan.step(dt_s)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        self._gross_g = self._sensors.read({"gross": self.pan.settled_g}, dt_s)["gross"]
        self.show_net(dt_s)

    def show_net(self, dt_s: float = 0.0) -> None:
        """Show the net weight of the last measurement, after a zero or tare too."""
        net = round(self._gross_g - self.pan.zero_g - self.pan.tare_g, DECIMALS) + 0.0
        self.panel.show({"weight": net, "stable": float(self.pan.is_stable)}, dt_s)

    def zero(self) -> None:
        """Make what lies on the pan the zero."""
        self.pan.zero_g, self.pan.tare_g = self._gross_g, 0.0
        self.show_net()

    def tare(self) -> float:
        """Make what lies on the pan the tare, and return it [g]."""
        self.pan.tare_g = self._gross_g - self.pan.zero_g
        self.show_net()
        return self.pan.tare_g
