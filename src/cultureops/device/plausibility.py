"""What can't be true of one count. Pure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from cultureops.device.driver import CountResult

__all__ = ["flagged"]

_EPOCH: Final = "1970-01-01T00:00:00"
_ROUNDING_PCT: Final = 0.0501
"""Half of the last digit of a viability that is written with one decimal."""
_MOST_DECIMALS: Final = 9


def flagged(result: CountResult, errors: tuple[str, ...] = ()) -> CountResult:
    """Return the result with a flag for whatever is implausible, its numbers as the instrument wrote them.

    A number that is not finite becomes None. ``errors`` names the features the instrument itself reported as wrong.
    """
    flags = [f"instrument_error:{feature}" for feature in errors]
    if not result.sample_id:
        flags.append("sample_id_missing")
    numbers = {
        "viability": result.viability_pct,
        "viable_density": result.viable_density_1e6_per_ml,
        "total_density": result.total_density_1e6_per_ml,
        "diameter": result.average_diameter_um,
    }
    for name, value in numbers.items():
        flags += _number_flags(name, value, required=name in ("viability", "viable_density"))
    if result.counted_at_local == _EPOCH:
        flags.append("no_time")
    for name, cells in (("viable_cells", result.viable_cells), ("total_cells", result.total_cells)):
        if cells is not None and cells < 0:
            flags.append(f"{name}_negative")
    if _exceeds(result.viable_cells, result.total_cells):
        flags.append("viable_cells_exceed_total")
    elif _disagrees(result.viability_pct, result.viable_cells, result.total_cells, (0.0, 0.0)):
        flags.append("viability_disagrees_with_cells")
    if _exceeds(result.viable_density_1e6_per_ml, result.total_density_1e6_per_ml):
        flags.append("viable_density_exceeds_total")
    elif _disagrees_with_densities(result):
        flags.append("viability_disagrees_with_densities")
    return replace(
        result,
        viability_pct=_finite(result.viability_pct),
        viable_density_1e6_per_ml=_finite(result.viable_density_1e6_per_ml),
        total_density_1e6_per_ml=_finite(result.total_density_1e6_per_ml),
        average_diameter_um=_finite(result.average_diameter_um),
        flags=tuple(flags),
    )


def _number_flags(name: str, value: float | None, *, required: bool) -> list[str]:
    if value is None:
        return [f"{name}_missing"] if required else []
    if not math.isfinite(value):
        return [f"{name}_not_finite"]
    if value < 0:
        return [f"{name}_negative"]
    if value == 0 and math.copysign(1, value) < 0:
        return [f"{name}_negative_zero"]
    return [f"{name}_above_100"] if name == "viability" and value > 100 else []


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _exceeds(part: float | None, whole: float | None) -> bool:
    return part is not None and whole is not None and part > whole


def _decimals(value: float) -> int:
    """How many decimals were written, up to a billionth."""
    digits = f"{value:.{_MOST_DECIMALS}f}".rstrip("0")
    return len(digits.partition(".")[2])


def _disagrees_with_densities(result: CountResult) -> bool:
    """Whether the three figures disagree, be the densities written to equal decimals or to equal significant digits."""
    viable, total = _finite(result.viable_density_1e6_per_ml), _finite(result.total_density_1e6_per_ml)
    if viable is None or total is None:
        return False
    figures = (viable, total)
    decimals = max(_decimals(figure) for figure in figures)
    digits = max(_decimals(figure) + _magnitude(figure) for figure in figures)
    halves = ((decimals, decimals), (digits - _magnitude(viable), digits - _magnitude(total)))
    return all(
        _disagrees(result.viability_pct, viable, total, (0.5 * 10.0**-of_viable, 0.5 * 10.0**-of_total))
        for of_viable, of_total in halves
    )


def _magnitude(value: float) -> int:
    """How many digits stand before the decimal point: 1 for 9.2, 0 for 0.92, -1 for 0.092."""
    return math.floor(math.log10(value)) + 1 if value > 0 else 0


def _disagrees(
    viability_pct: float | None, viable: float | None, total: float | None, halves: tuple[float, float]
) -> bool:
    """Whether viability can't be the ratio of any two numbers that lie within ``halves`` of those written."""
    viability = _finite(viability_pct)
    if viability is None or viable is None or total is None or total < 0:
        return False
    half_viable, half_total = halves
    if total == 0 and viable == 0:
        return half_total == 0 and viability > 0
    if total <= half_total:
        return False
    lowest = 100 * max(0.0, viable - half_viable) / (total + half_total)
    highest = 100 * (viable + half_viable) / (total - half_total)
    return not lowest - _ROUNDING_PCT <= viability <= highest + _ROUNDING_PCT
