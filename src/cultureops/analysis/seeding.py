"""Seeding: how many vessels a suspension fills at a density, and what is left over."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

__all__ = [
    "Seeding",
    "cells_per_vessel",
    "density_per_cm2",
    "plan_seeding",
    "suspension_ml_per_vessel",
    "vessels_needed",
    "viable_cells",
]

ROUNDING: Final = 1e-9
"""Relative error of floating-point numbers: 3.0000000001 vessels are three."""


@dataclass(frozen=True, slots=True)
class Seeding:
    """What a suspension fills: full vessels, the cells in each, and the cells left over [cells]."""

    vessels: int
    cells_per_vessel: float
    density_per_cm2: float
    seeded_cells: float
    leftover_cells: float


def viable_cells(total_cells: float, viability_pct: float) -> float:
    """Return the viable cells of a total; ``total_cells`` >= 0, viability 0..100 %, otherwise ValueError."""
    if not math.isfinite(total_cells) or total_cells < 0:
        raise ValueError(f"cells must be a number from zero up, not {total_cells}")
    if not 0 <= viability_pct <= 100:
        raise ValueError(f"viability must be 0 to 100 %, not {viability_pct}")
    return total_cells * viability_pct / 100.0


def density_per_cm2(cells: float, area_cm2: float, vessels: int = 1) -> float:
    """Return the density [cells/cm2] of cells spread evenly over vessels of an area each.

    All > 0, otherwise ValueError. Example: 3e6 cells on 175 cm2 are 17,143 per cm2.
    """
    return _positive("cells", cells) / (_positive("area", area_cm2) * _positive("number of vessels", vessels))


def cells_per_vessel(density_per_cm2: float, area_cm2: float) -> float:
    """Return the cells that one vessel takes [cells]; density [cells/cm2] and area > 0, otherwise ValueError."""
    return _positive("density", density_per_cm2) * _positive("area", area_cm2)


def vessels_needed(cells: float, density_per_cm2: float, area_cm2: float) -> int:
    """Return how many vessels take all cells at no more than a density; the last one may be thinner.

    All > 0, otherwise ValueError.
    """
    return math.ceil(_positive("cells", cells) / cells_per_vessel(density_per_cm2, area_cm2) * (1 - ROUNDING))


def plan_seeding(cells: float, density_per_cm2: float, area_cm2: float, *, viability_pct: float = 100.0) -> Seeding:
    """Return the vessels that ``cells`` fill at exactly a density, and what is left over; none when there are too few.

    ``cells`` >= 0 counts all cells where a viability is given: seeded are the viable ones. Density [cells/cm2] and
    area > 0, viability 0..100 %. Raises ValueError outside of that.
    """
    viable = viable_cells(cells, viability_pct)
    each = cells_per_vessel(density_per_cm2, area_cm2)
    vessels = math.floor(viable / each * (1 + ROUNDING))
    seeded = min(vessels * each, viable)
    return Seeding(vessels, each, density_per_cm2, seeded, viable - seeded)


def suspension_ml_per_vessel(cells: float, suspension_density_1e6_per_ml: float, viability_pct: float = 100.0) -> float:
    """Return the suspension [mL] that brings ``cells`` viable cells into a vessel.

    ``suspension_density_1e6_per_ml`` counts all cells where a viability is given. All > 0, otherwise ValueError.
    """
    viable_density = viable_cells(_positive("density", suspension_density_1e6_per_ml), viability_pct)
    return _positive("cells", cells) / (_positive("viable density", viable_density) * 1e6)


def _positive(name: str, number: float) -> float:
    if not math.isfinite(number) or number <= 0:
        raise ValueError(f"{name} must be a number above zero, not {number}")
    return number
