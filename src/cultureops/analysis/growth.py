"""Growth between seeding and harvest of one passage, and beside the passage before."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Growth", "cumulative_population_doublings", "growth", "slowing"]


@dataclass(frozen=True, slots=True)
class Growth:
    """Population doublings and doubling time [h] of one passage.

    A figure that is undefined is None, and ``reason`` says why.
    """

    population_doublings: float | None
    doubling_time_h: float | None
    reason: str = ""


def growth(seeded_cells: float, harvested_cells: float, hours: float) -> Growth:
    """Return PD = log2(Nh / Ns) and PDT = dt ln 2 / ln(Nh / Ns) [h].

    ``seeded_cells`` > 0, ``harvested_cells`` >= 0, ``hours`` > 0. Without a harvested cell neither is
    defined; when no more cells came off than went on, PD is zero or negative and there is no doubling time.
    Raises ValueError for numbers outside of that. Source: exponential growth, as in the worked example of
    https://www.paralog.com/wiki/?DoublingTime (3e5 to 2.5e6 cells in 95 h: 31.1 h).
    """
    if not all(math.isfinite(number) for number in (seeded_cells, harvested_cells, hours)):
        raise ValueError("growth needs finite numbers of cells and hours")
    if seeded_cells <= 0 or harvested_cells < 0 or hours <= 0:
        raise ValueError(
            f"growth needs cells seeded > 0, harvested >= 0 and hours > 0, "
            f"not {seeded_cells:g}, {harvested_cells:g} and {hours:g}"
        )
    if harvested_cells == 0:
        return Growth(None, None, "no viable cell was harvested")
    doublings = math.log2(harvested_cells / seeded_cells)
    if doublings <= 0:
        return Growth(doublings, None, "no more cells were harvested than seeded")
    return Growth(doublings, hours / doublings)


def cumulative_population_doublings(passages: Iterable[float | None]) -> float:
    """Return the sum of the population doublings of all passages; None adds nothing.

    A primary culture grows out of mononuclear cells of which few attach: it has no doublings to count.
    """
    return math.fsum(doublings for doublings in passages if doublings is not None)


def slowing(pdt_h: float | None, previous_pdt_h: float | None, factor: float) -> str | None:
    """Return a warning when a passage doubles more slowly than ``factor`` times the previous one, else None.

    Doubling times [h] > 0, None where undefined: without a previous one there is nothing to compare, and cells that
    did not double after a passage that did are a warning. ``factor`` >= 1 is the recipe's. Raises ValueError
    for numbers outside of that.
    """
    if not math.isfinite(factor) or factor < 1:
        raise ValueError(f"a factor of slowing must be 1 or more, not {factor}")
    for time_h in (pdt_h, previous_pdt_h):
        if time_h is not None and (not math.isfinite(time_h) or time_h <= 0):
            raise ValueError(f"a doubling time must be above zero, not {time_h} h")
    if previous_pdt_h is None:
        return None
    if pdt_h is None:
        return f"the cells did not double, after {previous_pdt_h:.1f} h in the previous passage"
    if pdt_h <= factor * previous_pdt_h:
        return None
    return (
        f"the cells doubled in {pdt_h:.1f} h, {pdt_h / previous_pdt_h:.2f} times the previous passage's "
        f"{previous_pdt_h:.1f} h; the limit is {factor:g} times"
    )
