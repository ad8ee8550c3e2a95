"""Cell counts: viability, replicates, totals, and whether a counter's figures agree with one another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "LiveDead",
    "Replicates",
    "density_before_dilution",
    "density_from_count",
    "implausibilities",
    "live_dead",
    "replicates",
    "total_cells",
    "viability_pct",
]

PERCENT_STEP: Final = 0.1
"""Coarsest printed step of a viability [%]."""
DENSITY_STEP: Final = 0.01
"""Coarsest printed step of a density [10^6 cells/mL]; a Vi-CELL BLU export prints two decimals or more."""


def viability_pct(viable: float, total: float) -> float:
    """Return the viable share of all cells [%, 0..100]; counts or densities, in one unit.

    Raises ValueError when there is no cell, or more viable cells than cells.
    """
    if not (math.isfinite(viable) and math.isfinite(total)) or total <= 0 or not 0 <= viable <= total:
        raise ValueError(f"viability needs 0 <= viable <= total and total > 0, not {viable:g} of {total:g}")
    return 100.0 * viable / total


@dataclass(frozen=True, slots=True)
class LiveDead:
    """Live and dead cells put together; ``viability_pct`` is None where no cell was counted."""

    total: float
    viability_pct: float | None


def live_dead(live: float, dead: float) -> LiveDead:
    """Return the total and the viable share [%] of live and dead cells; counts or densities, in one unit.

    Raises ValueError unless both are finite numbers >= 0.
    """
    if not (math.isfinite(live) and math.isfinite(dead)) or live < 0 or dead < 0:
        raise ValueError(f"a total needs live and dead cells >= 0, not {live:g} and {dead:g}")
    total = live + dead
    return LiveDead(total, viability_pct(live, total) if total else None)


@dataclass(frozen=True, slots=True)
class Replicates:
    """Repeated counts of one suspension; ``cv_pct`` is None for a single count or a mean of zero."""

    n: int
    mean: float
    cv_pct: float | None


def replicates(values: Sequence[float]) -> Replicates:
    """Return mean and coefficient of variation [%] of repeated counts.

    The standard deviation is the sample's (n - 1). Raises ValueError for no value, or one that is negative or
    not finite. Subject of ISO 20391-1:2018, whose text we have not seen.
    """
    if not values or any(not math.isfinite(value) or value < 0 for value in values):
        raise ValueError(f"replicates need one or more counts >= 0, not {list(values)}")
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1 or mean == 0:
        return Replicates(n, mean, None)
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    return Replicates(n, mean, 100.0 * math.sqrt(variance) / mean)


def density_before_dilution(counted_density: float, dilution: float) -> float:
    """Return the density of a suspension before it was diluted for the count, in the unit of the counted one.

    ``counted_density`` >= 0; ``dilution`` >= 1 is the factor (final volume over sample volume: 1 part sample and
    1 part stain give 2). Raises ValueError outside of that.
    """
    if not (math.isfinite(counted_density) and math.isfinite(dilution)) or counted_density < 0 or dilution < 1:
        raise ValueError(
            f"a density before dilution needs density >= 0 and factor >= 1, not {counted_density:g} and {dilution:g}"
        )
    return counted_density * dilution


def density_from_count(cells: float, counted_volume_ml: float, dilution: float = 1.0) -> float:
    """Return the density [cells/mL] before dilution of ``cells`` counted in a volume, e.g. a counting chamber's.

    ``cells`` >= 0, ``counted_volume_ml`` > 0 (a 1 mm x 1 mm x 0.1 mm square holds 1e-4 mL), ``dilution`` >= 1.
    Raises ValueError outside of that.
    """
    if not (math.isfinite(cells) and math.isfinite(counted_volume_ml)) or cells < 0 or counted_volume_ml <= 0:
        raise ValueError(f"a density needs cells >= 0 in a volume > 0, not {cells:g} in {counted_volume_ml:g} mL")
    return density_before_dilution(cells / counted_volume_ml, dilution)


def total_cells(density_1e6_per_ml: float, volume_ml: float, dilution: float = 1.0) -> float:
    """Return density x volume x dilution factor [cells].

    ``density_1e6_per_ml`` >= 0, ``volume_ml`` > 0, ``dilution`` >= 1 (1 = counted undiluted). Raises
    ValueError outside of that.
    """
    finite = all(math.isfinite(number) for number in (density_1e6_per_ml, volume_ml, dilution))
    if not finite or density_1e6_per_ml < 0 or volume_ml <= 0 or dilution < 1:
        raise ValueError(
            f"a total needs density >= 0, volume > 0 and dilution >= 1, "
            f"not {density_1e6_per_ml:g}, {volume_ml:g} mL and {dilution:g}"
        )
    return density_1e6_per_ml * 1e6 * volume_ml * dilution


def implausibilities(
    viability: float,
    viable_density: float,
    total_density: float | None,
    viable_cells: int | None = None,
    total_cells: int | None = None,
) -> tuple[str, ...]:
    """Say why a counter's figures can't all be true; empty when they can.

    ``viability`` [%], densities [10^6 cells/mL], cells [counted]. Figures may differ by what
    the rounding of printed figures allows (viability to 0.1 %, densities to 0.01 x 10^6/mL).
    """
    numbers = {"viability": viability, "viable density": viable_density, "total density": total_density}
    given = {name: number for name, number in numbers.items() if number is not None}
    found = [f"{name} is {number}" for name, number in given.items() if _is_no_measurement(number)]
    if found:
        return tuple(found)
    if viability > 100:
        found.append(f"viability {viability:g} % is above 100 %")
    if total_density is not None:
        tolerance = _density_tolerance_pct(viability, total_density)
        found += _disagreement("density", viability, viable_density, total_density, tolerance)
    if viable_cells is not None and total_cells is not None:
        found += _disagreement("cell count", viability, viable_cells, total_cells, PERCENT_STEP)
    return tuple(found)


def _is_no_measurement(number: float) -> bool:
    """Whether a figure is no finite number from zero up; a negative zero is a sign of a broken export."""
    return not math.isfinite(number) or math.copysign(1.0, number) < 0


def _density_tolerance_pct(viability: float, total_density: float) -> float:
    if total_density == 0:
        return 0.0
    return PERCENT_STEP + 100.0 * (DENSITY_STEP / 2) * (1 + viability / 100) / total_density


def _disagreement(what: str, viability: float, viable: float, total: float, tolerance_pct: float) -> list[str]:
    if viable < 0 or total < 0:
        return [f"{what} is negative"]
    if viable > total:
        return [f"viable {what} {viable:g} is above total {what} {total:g}"]
    if total == 0:
        return [f"total {what} is zero, so that there is no viability"]
    from_counts = 100.0 * viable / total
    if abs(from_counts - viability) > tolerance_pct:
        return [f"viability {viability:g} % disagrees with {viable:g} of {total:g} ({from_counts:.1f} %)"]
    return []
