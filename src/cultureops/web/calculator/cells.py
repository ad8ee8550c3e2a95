"""Counting, seeding and reseeding: from a count to vessels."""

from __future__ import annotations

import math
from collections.abc import Iterator

from cultureops.analysis.counting import density_from_count, live_dead, total_cells
from cultureops.analysis.seeding import Seeding, plan_seeding, suspension_ml_per_vessel, vessels_needed
from cultureops.batch.counts import CountsUnusable, pool
from cultureops.batch.recipe_schema import Quantity
from cultureops.web.calculator.sheet import Asked, Basis, Calculator, Numbers, Result, origin, written

__all__ = ["COUNT", "RESEEDING", "SEEDING", "TOTAL", "counted"]

_SQUARE_ML = 1e-4
"""What stands over one large square of a counting chamber: 1 mm x 1 mm x 0.1 mm."""


def counted(basis: Basis) -> tuple[str, str]:
    """Return the viable density of the present passage's harvest counts [10^6/mL] as typed, and what it rests on."""
    batch = basis.batch
    try:
        found = pool(batch.counts_of("harvest", batch.passage, batch.passage_started_at or 0), basis.recipe.counting)
    except CountsUnusable as problem:
        return "", f"harvest counts: {problem}"
    return written(found.viable_density_1e6_per_ml), f"mean of {', '.join(found.sample_ids)}"


def _count(_: Basis) -> tuple[Asked, ...]:
    return (
        Asked("live", "Live cells counted", ""),
        Asked("dead", "Dead cells counted", "", "0"),
        Asked("squares", "Large squares counted", "", "4", "1 mm × 1 mm × 0.1 mm each, 0.0001 mL"),
        Asked("dilution", "Dilution factor", "", "2", "1 part sample and 1 part stain give 2"),
    )


def _work_count(given: Numbers, _: Basis) -> Iterator[Result]:
    live, dead = given["live"], given["dead"]
    volume_ml, dilution = given["squares"] * _SQUARE_ML, given["dilution"]
    both = live_dead(live, dead)
    viable = density_from_count(live, volume_ml, dilution) / 1e6
    total = density_from_count(both.total, volume_ml, dilution) / 1e6
    formula = "cells ÷ (squares × 0.0001 mL) × dilution"
    yield Result(
        "Viable density", f"{viable:.4g}", "×10⁶/mL", formula, "", "viable_density_1e6_per_ml", written(viable)
    )
    yield Result("Total density", f"{total:.4g}", "×10⁶/mL", formula, "", "total_density_1e6_per_ml", written(total))
    share = both.viability_pct
    shown, typed = ("–", "") if share is None else (f"{share:.1f}", written(round(share, 2)))
    yield Result("Viability", shown, "%", "live ÷ (live + dead)", "", "viability_pct", typed)


def _total(basis: Basis) -> tuple[Asked, ...]:
    density, known = counted(basis)
    return (
        Asked("density", "Density counted", "×10⁶/mL", density, known),
        Asked("volume", "Volume of the suspension", "mL"),
        Asked("dilution", "Dilution factor of the count", "", "1", "1: counted undiluted"),
    )


def _work_total(given: Numbers, _: Basis) -> Iterator[Result]:
    cells = total_cells(given["density"], given["volume"], given["dilution"])
    yield Result("Cells", f"{cells:,.0f}", "", "density × volume × dilution", "", "mnc_count", written(round(cells)))


def _density(of: Quantity | None) -> Asked:
    value = "" if of is None else written(of.value)
    known = "" if of is None else f"recipe, {origin(of)}"
    return Asked("density", "Density", "cells/cm²", value, known)


def _vessels(basis: Basis, density: Quantity | None) -> tuple[Asked, ...]:
    recipe, present = basis.recipe.seeding, basis.batch.groups
    area, known = (
        ("", "") if recipe.vessel_area is None else (written(recipe.vessel_area.value), origin(recipe.vessel_area))
    )
    if not area and present:
        area, known = written(present[0].area_cm2), f"the vessels of {present[0].id}"
    return (
        _density(density),
        Asked("area", "Area of one vessel", "cm²", area, known),
        Asked("wanted", "Vessels, if their number is settled", "", is_needed=False),
        Asked("suspension", "Cells in the suspension", "×10⁶/mL", is_needed=False),
    )


def _seeding(basis: Basis) -> tuple[Asked, ...]:
    isolated = basis.batch.mnc_count
    return (
        Asked("cells", "Cells there are", "", written(isolated), "isolated" if isolated else ""),
        *_vessels(basis, basis.recipe.seeding.density),
    )


def _reseeding(basis: Basis) -> tuple[Asked, ...]:
    density, known = counted(basis)
    return (
        Asked("counted", "Viable density counted", "×10⁶/mL", density, known),
        Asked("volume", "Volume of the suspension", "mL"),
        *_vessels(basis, basis.recipe.passage.reseed_density),
    )


def _plan(given: Numbers, cells: float) -> Iterator[tuple[str, Seeding]]:
    """Return how the cells are spread: over as many vessels as are settled, else over as many as they fill."""
    wanted = given.get("wanted")
    plan = plan_seeding(cells, given["density"], given["area"])
    if wanted is None:
        yield "as many full vessels as there are cells for", plan
        return
    if wanted < 1 or wanted != int(wanted):
        raise ValueError(f"vessels must be a whole number from one up, not {wanted:g}")
    count = int(wanted)
    seeded = min(cells, count * plan.cells_per_vessel)
    each = seeded / count
    yield (
        f"{count} vessels, at no more than the density",
        Seeding(count, each, each / given["area"], seeded, cells - seeded),
    )


def _spread(given: Numbers, cells: float, seeded_field: str) -> Iterator[Result]:
    for how, plan in _plan(given, cells):
        yield Result("Vessels", str(plan.vessels), "", how, "", "n_vessels", str(plan.vessels) if plan.vessels else "")
        each = f"{plan.cells_per_vessel:,.0f}"
        yield Result("Cells per vessel", each, "", f"density × area: {plan.density_per_cm2:,.0f} per cm²")
        seeded, left = math.floor(plan.seeded_cells), math.floor(cells) - math.floor(plan.seeded_cells)
        formula = "vessels × cells per vessel"
        yield Result("Cells seeded", f"{seeded:,}", "", formula, "", seeded_field, str(seeded) if seeded else "")
        yield Result("Cells left over", f"{left:,}", "", "cells − cells seeded", "", "discarded_cells", str(left))
        all_of_them = vessels_needed(cells, given["density"], given["area"]) if cells > 0 else 0
        yield Result("Vessels for all cells", str(all_of_them), "", "rounded up; the last one is thinner")
        if (suspension := given.get("suspension")) is not None and plan.seeded_cells > 0:
            volume = suspension_ml_per_vessel(plan.cells_per_vessel, suspension)
            yield Result("Suspension per vessel", f"{volume:.3g}", "mL", "cells per vessel ÷ cells in the suspension")


def _work_seeding(given: Numbers, _: Basis) -> Iterator[Result]:
    yield from _spread(given, given["cells"], "cells_total")


def _work_reseeding(given: Numbers, _: Basis) -> Iterator[Result]:
    cells = total_cells(given["counted"], given["volume"])
    volume = written(given["volume"])
    yield Result("Viable cells harvested", f"{cells:,.0f}", "", "density × volume", "", "suspension_ml", volume)
    yield from _spread(given, cells, "cells_seeded")


COUNT = Calculator("count", "Count in a counting chamber", _count, _work_count)
TOTAL = Calculator("total", "Cells in a suspension", _total, _work_total)
SEEDING = Calculator("seeding", "Vessels to seed", _seeding, _work_seeding)
RESEEDING = Calculator("reseeding", "Vessels to reseed", _reseeding, _work_reseeding)
