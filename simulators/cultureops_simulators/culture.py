"""Biology of an adherent stromal cell culture: lag, growth, contact inhibition, ageing, stress and how it is counted.

Lag: Baranyi and Roberts, Int. J. Food Microbiol. 23 (1994) 277-294, in its exact incremental form. Contact inhibition:
logistic growth towards a confluent density. What differs between donors and media is declared in ``culture.toml``, in
ranges so narrow that 12 flasks of 175 cm2 with 3e6 mononuclear cells each reach 80 % confluence in 9.5 to 11.5 days,
and later passages seeded at 4,000 cells/cm2 in 6.5 to 9 days.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cultureops_simulators.distribution import draw, factor

__all__ = [
    "CONFLUENT_CELLS_PER_CM2",
    "MEDIA",
    "Culture",
    "Donor",
    "Suspension",
    "draw_donor",
    "feed",
    "grow",
    "harvest",
    "resuspend",
    "seed",
]

CONFLUENT_CELLS_PER_CM2: Final = 3.8e4
BODY_TEMPERATURE_C: Final = 37.0
BEST_CO2_PCT: Final = 5.0
COLD_WIDTH_K: Final = 4.0
HEAT_WIDTH_K: Final = 2.0
PH_WIDTH: Final = 0.35
MEDIUM_CO2_TAU_H: Final = 1.0
MEDIUM_LASTS_H: Final = 108.0
STARVING_TAU_H: Final = 72.0
VIABILITY_LOSS_PCT_PER_STRESS_H: Final = 0.3
MEDIA: Final = ("mem_alpha", "dmem_low_glucose")


@dataclass(frozen=True, slots=True)
class Donor:
    """What differs between donors; rates per hour, shares 0..1."""

    growth_per_h: float
    lag_h: float
    adherent_share: float
    attachment: float
    slowing_per_passage: float
    viability_pct: float


def draw_donor(rng: np.random.Generator) -> Donor:
    """Draw one donor."""
    names = ("growth_per_h", "lag_h", "adherent_share", "attachment", "slowing_per_passage", "viability_pct")
    return Donor(**{name: draw("donor", name, rng) for name in names})


@dataclass(frozen=True, slots=True)
class Culture:
    """The vessels of one passage, taken together; ``readiness`` is Baranyi's q."""

    donor: Donor
    passage: int
    area_cm2: float
    n_vessels: int
    cells_per_cm2: float
    loose_cells: float
    readiness: float
    growth_factor: float = 1.0
    medium_co2_pct: float = BEST_CO2_PCT
    since_feed_h: float = 0.0
    age_h: float = 0.0
    stress_h: float = 0.0

    @property
    def confluence_pct(self) -> float:
        """Share of the grown area covered by adherent cells [%]."""
        return 100.0 * self.cells_per_cm2 / CONFLUENT_CELLS_PER_CM2

    @property
    def cells(self) -> float:
        """All adherent cells, over all vessels."""
        return self.cells_per_cm2 * self.area_cm2 * self.n_vessels

    @property
    def viability_pct(self) -> float:
        """Viable share of the adherent cells [%]."""
        return max(
            0.0,
            self.donor.viability_pct - VIABILITY_LOSS_PCT_PER_STRESS_H * self.stress_h,
        )


@dataclass(frozen=True, slots=True)
class Suspension:
    """Harvested cells in ``volume_ml``."""

    total_cells_per_ml: float
    viable_cells_per_ml: float
    volume_ml: float


def seed(donor: Donor, passage: int, cells: float, n_vessels: int, area_cm2: float, medium: str = MEDIA[0]) -> Culture:
    """Seed ``cells`` over ``n_vessels`` of ``area_cm2`` each; few of passage 0's mononuclear cells adhere.

    ``medium`` is one of ``MEDIA``.
    """
    per_cm2 = cells / (n_vessels * area_cm2)
    share = donor.adherent_share * factor(medium, "adherence") if passage == 0 else donor.attachment
    return Culture(
        donor=donor,
        passage=passage,
        area_cm2=area_cm2,
        n_vessels=n_vessels,
        cells_per_cm2=per_cm2 * share,
        loose_cells=cells * (1.0 - share),
        readiness=1.0 / math.expm1(donor.growth_per_h * donor.lag_h),
        growth_factor=factor(medium, "growth"),
    )


def vigour(temperature_c: float, medium_co2_pct: float, since_feed_h: float) -> float:
    """Return the growth factor 0..1 of a temperature, a medium's CO2 (which sets its pH) and the age of its medium."""
    off_k = temperature_c - BODY_TEMPERATURE_C
    off_ph = math.log10(max(medium_co2_pct, 0.01) / BEST_CO2_PCT)
    share = math.exp(-((off_k / (HEAT_WIDTH_K if off_k > 0.0 else COLD_WIDTH_K)) ** 2) - (off_ph / PH_WIDTH) ** 2)
    if since_feed_h > MEDIUM_LASTS_H:
        share *= math.exp(-(since_feed_h - MEDIUM_LASTS_H) / STARVING_TAU_H)
    return share


def grow(culture: Culture, temperature_c: float, co2_pct: float, dt_h: float) -> Culture:
    """Return the culture after ``dt_h`` hours in air of this temperature [degC] and CO2 [%]; exact for constant air."""
    donor = culture.donor
    medium_co2 = co2_pct + (culture.medium_co2_pct - co2_pct) * math.exp(-dt_h / MEDIUM_CO2_TAU_H)
    vigorous = vigour(temperature_c, medium_co2, culture.since_feed_h)
    slowed = (1.0 - donor.slowing_per_passage) ** culture.passage * culture.growth_factor
    rate_per_h = donor.growth_per_h * slowed * vigorous
    readiness = min(culture.readiness * math.exp(rate_per_h * dt_h), 1e12)
    doublings_e = math.log1p(readiness) - math.log1p(culture.readiness)
    room = CONFLUENT_CELLS_PER_CM2 / culture.cells_per_cm2 - 1.0
    return replace(
        culture,
        cells_per_cm2=CONFLUENT_CELLS_PER_CM2 / (1.0 + room * math.exp(-doublings_e)),
        readiness=readiness,
        medium_co2_pct=medium_co2,
        since_feed_h=culture.since_feed_h + dt_h,
        age_h=culture.age_h + dt_h,
        stress_h=culture.stress_h + (1.0 - vigorous) * dt_h,
    )


def feed(culture: Culture) -> Culture:
    """Change the medium, which also takes the loose cells away."""
    return replace(culture, since_feed_h=0.0, loose_cells=0.0)


def harvest(culture: Culture, volume_ml: float, rng: np.random.Generator) -> Suspension:
    """Detach the cells into ``volume_ml``; a few per cent stay behind, and one in some hundred dies of it."""
    total = culture.cells * draw("harvest", "detached_share", rng)
    viability = min(1.0, max(0.0, (culture.viability_pct + float(rng.normal(0.0, 0.3))) / 100.0))
    return Suspension(total / volume_ml, total * viability / volume_ml, volume_ml)


def resuspend(suspension: Suspension, volume_ml: float, rng: np.random.Generator) -> Suspension:
    """Spin the cells down and take them up in ``volume_ml``; a few per cent are lost on the way."""
    share = draw("resuspension", "recovered_share", rng) * suspension.volume_ml / volume_ml
    return Suspension(suspension.total_cells_per_ml * share, suspension.viable_cells_per_ml * share, volume_ml)
