"""A robotic centrifuge: a rotor that is driven and braked, a motor-driven hatch over it.

Speed, run time and hatch time are this project's own; the programs behind the numbers do not exist here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.sensor import relax

__all__ = ["RotantaModel", "Rotor"]

RUN_RPM: Final = 1500.0
RUN_S: Final = 600.0
SPIN_UP_TAU_S: Final = 12.0
BRAKE_TAU_S: Final = 15.0
STANDSTILL_RPM: Final = 1.0
HATCH_S: Final = 5.0
LARGEST_STEP_S: Final = 1.0


@dataclass(slots=True)
class Rotor:
    """True state of rotor and hatch; ``hatch_open`` runs from 0, closed and locked, to 1."""

    rpm: float = 0.0
    run_left_s: float = 0.0
    program: int = 1
    position: int = 2
    hatch_open: float = 0.0
    hatch_opens: bool = False
    power_ok: bool = True
    is_modified: bool = False

    @property
    def is_standstill(self) -> bool:
        """Whether it stands still."""
        return self.rpm < STANDSTILL_RPM and self.run_left_s <= 0.0

    @property
    def hatch_is_shut(self) -> bool:
        """Whether the hatch is closed and locked."""
        return self.hatch_open <= 0.0 and not self.hatch_opens

    def start(self) -> bool:
        """Start a run, unless the hatch is not shut or it runs already; returns whether it did."""
        if not (self.hatch_is_shut and self.is_standstill and self.power_ok):
            return False
        self.run_left_s, self.is_modified = RUN_S, True
        return True

    def open_hatch(self) -> bool:
        """Open the hatch, at standstill only; returns whether it did."""
        if self.is_standstill:
            self.hatch_opens = True
        return self.hatch_opens

    def close_hatch(self) -> None:
        """Close the hatch."""
        self.hatch_opens = False

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass, in parts short beside a hatch's way; a closed rotor at rest needs none."""
        if self.is_standstill and self.rpm == 0.0 and self.hatch_is_shut:
            return
        while dt_s > 0.0:
            part_s = min(dt_s, LARGEST_STEP_S)
            self._step(part_s)
            dt_s -= part_s

    def _step(self, dt_s: float) -> None:
        was_running = not self.is_standstill
        if not self.power_ok:
            self.run_left_s = 0.0
        driven = self.run_left_s > 0.0
        self.rpm = relax(self.rpm, RUN_RPM if driven else 0.0, dt_s, SPIN_UP_TAU_S if driven else BRAKE_TAU_S)
        self.run_left_s = max(0.0, self.run_left_s - dt_s)
        if was_running and self.is_standstill:
            self.rpm, self.is_modified = 0.0, True
        if self.power_ok:
            way = dt_s / HATCH_S if self.hatch_opens else -dt_s / HATCH_S
            self.hatch_open = round(min(max(self.hatch_open + way, 0.0), 1.0), 6)


class RotantaModel:
    """Rotor and panel."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rotor = Rotor()
        self.panel = Panel()
        self._rng = rng
        self._show(0.0)

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.rotor.step(dt_s)
        self._show(dt_s)

    def _show(self, dt_s: float) -> None:
        self.panel.show({"standstill": float(self.rotor.is_standstill)}, dt_s)
