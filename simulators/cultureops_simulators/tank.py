"""A liquid nitrogen store: boil-off, automatic fills behind a hot-gas bypass, vapour temperatures, an open lid.

The rates are this project's own: a fill every two to three days, about twelve minutes long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cultureops_simulators.sensor import relax

__all__ = ["Tank"]

LN2_BOILING_C: Final = -195.8
ROOM_C: Final = 21.0
BOIL_OFF_PCT_PER_H: Final = 0.35
OPEN_BOIL_OFF_FACTOR: Final = 6.0
FILL_PCT_PER_S: Final = 0.035
FILL_STARTS_PCT: Final = 60.0
FILL_STOPS_PCT: Final = 80.0
BYPASS_S: Final = 180.0
TAU_A_S: Final = 1800.0
TAU_B_S: Final = 700.0
DRY_TAU_S: Final = 6 * 3600.0
LARGEST_STEP_S: Final = 60.0


@dataclass(slots=True)
class Tank:
    """True state of one store: sensor A sits deep in the vapour, B below the lid; level in % of the usable depth."""

    level_pct: float = 75.0
    temp_a_c: float = -192.8
    temp_b_c: float = -188.3
    is_filling: bool = False
    bypass_left_s: float = 0.0
    fill_s: float = 0.0
    most_fill_s: float = 3600.0
    fill_time_alarm: bool = False
    lid_open_left_s: float = 0.0
    supply_ok: bool = True
    power_ok: bool = True

    @property
    def lid_is_open(self) -> bool:
        """Whether the lid stands open."""
        return self.lid_open_left_s > 0.0

    @property
    def is_bypassing(self) -> bool:
        """Whether the warm gas of the supply line is still being blown off instead of filled."""
        return self.is_filling and self.bypass_left_s > 0.0

    def open_lid(self, open_s: float) -> None:
        """Open the lid for ``open_s`` seconds from now."""
        self.lid_open_left_s = max(self.lid_open_left_s, open_s)

    def start_fill(self) -> None:
        """Open the supply: first the bypass, then the fill valve."""
        if not self.is_filling and self.power_ok:
            self.is_filling, self.bypass_left_s, self.fill_s = True, BYPASS_S, 0.0
            self.fill_time_alarm = False

    def stop_fill(self) -> None:
        """Shut the supply."""
        self.is_filling, self.bypass_left_s, self.fill_s = False, 0.0, 0.0

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass, in parts of at most a minute, so that a fill ends where it should."""
        while dt_s > 0.0:
            part_s = min(dt_s, LARGEST_STEP_S)
            self._step(part_s)
            dt_s -= part_s

    def _step(self, dt_s: float) -> None:
        boil = BOIL_OFF_PCT_PER_H / 3600.0 * (OPEN_BOIL_OFF_FACTOR if self.lid_is_open else 1.0)
        self.level_pct = max(0.0, self.level_pct - boil * dt_s)
        self._fill(dt_s)
        self._settle(dt_s)
        self.lid_open_left_s = max(0.0, self.lid_open_left_s - dt_s)

    def _fill(self, dt_s: float) -> None:
        if not self.power_ok:
            self.stop_fill()
        elif not self.is_filling and self.level_pct <= FILL_STARTS_PCT and not self.fill_time_alarm:
            self.start_fill()
        if not self.is_filling:
            return
        self.fill_s += dt_s
        blown_off_s = min(dt_s, self.bypass_left_s)
        if self.supply_ok:  # the bypass shuts when cold gas arrives, which it never does without supply
            self.bypass_left_s -= blown_off_s
            self.level_pct = min(FILL_STOPS_PCT, self.level_pct + FILL_PCT_PER_S * (dt_s - blown_off_s))
        if self.level_pct >= FILL_STOPS_PCT:
            self.stop_fill()
        elif self.fill_s > self.most_fill_s:
            self.stop_fill()
            self.fill_time_alarm = True

    def _settle(self, dt_s: float) -> None:
        empty = 1.0 - self.level_pct / 100.0
        target_a = LN2_BOILING_C + 12.0 * empty + (70.0 if self.lid_is_open else 0.0)
        target_b = LN2_BOILING_C + 30.0 * empty + (110.0 if self.lid_is_open else 0.0)
        dry = self.level_pct <= 0.0
        self.temp_a_c = relax(
            self.temp_a_c,
            ROOM_C if dry else target_a,
            dt_s,
            DRY_TAU_S if dry else TAU_A_S,
        )
        self.temp_b_c = relax(
            self.temp_b_c,
            ROOM_C if dry else target_b,
            dt_s,
            DRY_TAU_S if dry else TAU_B_S,
        )
