"""The liquid in a stirred bioreactor: heat, gas transfer, pH and the cells that breathe and acidify it.

pH: bicarbonate and dissolved CO2 (Henderson and Hasselbalch). Gas transfer: first order in what lacks to saturation,
its rate in proportion to stirring. Every constant is this project's own, chosen so that stromal cells on carriers keep
a vessel within reach of its control; no vendor's figures are behind them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from cultureops_simulators.chamber import AMBIENT_CO2_PCT, AMBIENT_TEMPERATURE_C, DRY_AIR_O2_PCT
from cultureops_simulators.sensor import relax

__all__ = ["GasFlows", "Vessel"]

HEATING_TAU_S: Final = 900.0
COOLING_TAU_S: Final = 14_400.0
STIRRING_TAU_S: Final = 5.0
CO2_TAU_S: Final = 600.0
TRANSFER_PER_H_AT_60: Final = 6.0
LEAST_TRANSFER_PER_H: Final = 0.3
MOST_O2_PCT: Final = 60.0

PK: Final = 6.1
MM_PER_PCT_CO2: Final = 0.228
FRESH_BICARBONATE_MM: Final = 24.0
LEAST_BICARBONATE_MM: Final = 1.0
LACTATE_MMOL_PER_CELL_H: Final = 4e-10
PERFUSION_TAU_H: Final = 24.0

UPTAKE_PCT_ML_PER_CELL_H: Final = 5e-5
TURBIDITY_ML_PER_CELL: Final = 5e-7
CLEAR_MEDIUM_OD: Final = 0.02
EVAPORATION_ML_PER_H: Final = 0.1
TOTAL_FLOW_ML_PER_MIN: Final = 100.0


@dataclass(frozen=True, slots=True)
class GasFlows:
    """What goes in [mL/min]."""

    air: float
    o2: float
    co2: float
    n2: float


@dataclass(slots=True)
class Vessel:
    """True state of one vessel; dissolved oxygen in percent of saturation with air."""

    temperature_setpoint_c: float = 37.0
    ph_setpoint: float = 7.4
    oxygen_setpoint_pct: float = 50.0
    agitation_setpoint_rpm: float = 60.0
    temperature_c: float = 37.0
    agitation_rpm: float = 60.0
    oxygen_pct: float = 50.0
    dissolved_co2_pct: float = 5.27
    lactate_mm: float = 0.0
    volume_ml: float = 500.0
    cells: float = 0.0
    co2_supply_ok: bool = True
    has_mains: bool = True

    @property
    def cells_per_ml(self) -> float:
        """Cells on their carriers, over the whole liquid."""
        return self.cells / self.volume_ml

    @property
    def ph(self) -> float:
        """How acid it is."""
        return PK + math.log10(self._bicarbonate_mm / (MM_PER_PCT_CO2 * self.dissolved_co2_pct))

    @property
    def co2_pct(self) -> float:
        """The CO2 in air that would give fresh medium this pH: what the culture model asks for."""
        return FRESH_BICARBONATE_MM / (MM_PER_PCT_CO2 * math.pow(10.0, self.ph - PK))

    @property
    def optical_density(self) -> float:
        """Turbidity of medium and carriers."""
        return CLEAR_MEDIUM_OD + TURBIDITY_ML_PER_CELL * self.cells_per_ml

    @property
    def flows(self) -> GasFlows:
        """What the control lets in at this moment."""
        if not self.has_mains:
            return GasFlows(0.0, 0.0, 0.0, 0.0)
        o2_pct, total = self._o2_wanted_pct, TOTAL_FLOW_ML_PER_MIN
        co2 = total * self._co2_wanted_pct / 100.0 if self.co2_supply_ok else 0.0
        if o2_pct <= DRY_AIR_O2_PCT:
            air = total * o2_pct / DRY_AIR_O2_PCT
            return GasFlows(air, 0.0, co2, total - air)
        o2 = total * (o2_pct - DRY_AIR_O2_PCT) / (100.0 - DRY_AIR_O2_PCT)
        return GasFlows(total - o2, o2, co2, 0.0)

    def hold(self, cells: float) -> None:
        """Take note of how many cells are in it."""
        self.cells = cells

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass; exact for constant cells and control, so stable for any step."""
        dt_h, transfer = dt_s / 3600.0, self._transfer_per_h
        uptake_pct_per_h = UPTAKE_PCT_ML_PER_CELL_H * self.cells_per_ml
        saturation_pct = 100.0 * self._o2_wanted_pct / DRY_AIR_O2_PCT if self.has_mains else 0.0
        balance_pct = saturation_pct - uptake_pct_per_h / transfer
        self.oxygen_pct = max(0.0, relax(self.oxygen_pct, balance_pct, dt_h, 1.0 / transfer))
        gas_co2_pct = self._co2_wanted_pct if self.co2_supply_ok and self.has_mains else AMBIENT_CO2_PCT
        self.dissolved_co2_pct = relax(self.dissolved_co2_pct, gas_co2_pct, dt_s, CO2_TAU_S)
        made_mm_per_h = LACTATE_MMOL_PER_CELL_H * 1000.0 * self.cells_per_ml
        self.lactate_mm = relax(self.lactate_mm, made_mm_per_h * PERFUSION_TAU_H, dt_h, PERFUSION_TAU_H)
        self.volume_ml = max(1.0, self.volume_ml - EVAPORATION_ML_PER_H * dt_h)
        if self.has_mains:
            self.temperature_c = relax(self.temperature_c, self.temperature_setpoint_c, dt_s, HEATING_TAU_S)
            self.agitation_rpm = relax(self.agitation_rpm, self.agitation_setpoint_rpm, dt_s, STIRRING_TAU_S)
        else:
            self.temperature_c = relax(self.temperature_c, AMBIENT_TEMPERATURE_C, dt_s, COOLING_TAU_S)
            self.agitation_rpm = relax(self.agitation_rpm, 0.0, dt_s, STIRRING_TAU_S)

    @property
    def _bicarbonate_mm(self) -> float:
        return max(LEAST_BICARBONATE_MM, FRESH_BICARBONATE_MM - self.lactate_mm)

    @property
    def _transfer_per_h(self) -> float:
        return max(LEAST_TRANSFER_PER_H, TRANSFER_PER_H_AT_60 * self.agitation_rpm / 60.0)

    @property
    def _o2_wanted_pct(self) -> float:
        """O2 in the gas that holds the setpoint against what the cells take, as far as the flows reach."""
        lost_pct = UPTAKE_PCT_ML_PER_CELL_H * self.cells_per_ml / self._transfer_per_h
        return min(MOST_O2_PCT, (self.oxygen_setpoint_pct + lost_pct) * DRY_AIR_O2_PCT / 100.0)

    @property
    def _co2_wanted_pct(self) -> float:
        """CO2 in the gas that holds the pH, down to none where the cells have made it too acid."""
        return max(AMBIENT_CO2_PCT, self._bicarbonate_mm / (MM_PER_PCT_CO2 * math.pow(10.0, self.ph_setpoint - PK)))
