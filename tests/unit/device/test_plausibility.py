"""What can't be true of a count."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from cultureops.device.driver import CountResult
from cultureops.device.plausibility import flagged

SOUND = CountResult("B1", "2026-01-05T10:00:00", 96.9, 0.75, 0.78, 2123, 2191, 18.51, "a.csv", "00")

NO_CELLS: dict[str, object] = {"viable_cells": None, "total_cells": None}


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        ({}, ()),
        ({"total_density_1e6_per_ml": None, "viable_cells": None, "total_cells": None}, ()),
        (NO_CELLS | {"viability_pct": 98.35, "viable_density_1e6_per_ml": 0.53, "total_density_1e6_per_ml": 0.54}, ()),
        (NO_CELLS | {"viability_pct": 68.2, "viable_density_1e6_per_ml": 2.45, "total_density_1e6_per_ml": 3.58}, ()),
        # 9.28E+05 of 1.12E+06, three digits each, so that the total is not known to a thousandth
        (NO_CELLS | {"viability_pct": 83.0, "viable_density_1e6_per_ml": 0.928, "total_density_1e6_per_ml": 1.12}, ()),
        (
            NO_CELLS | {"viability_pct": 84.0, "viable_density_1e6_per_ml": 0.928, "total_density_1e6_per_ml": 1.12},
            ("viability_disagrees_with_densities",),
        ),
        ({"viability_pct": 0.0, "viable_density_1e6_per_ml": 0.0, "viable_cells": 0}, ()),
        (NO_CELLS | {"viability_pct": 60.0}, ("viability_disagrees_with_densities",)),
        ({"viability_pct": 60.0}, ("viability_disagrees_with_cells", "viability_disagrees_with_densities")),
        ({"viable_cells": 2100}, ("viability_disagrees_with_cells",)),
        ({"viable_cells": 4133, "total_cells": 4263, "viability_pct": 97.0}, ()),  # 96.95 in full, from a real export
        (NO_CELLS | {"viability_pct": 101.0}, ("viability_above_100", "viability_disagrees_with_densities")),
        ({"viable_cells": -1}, ("viable_cells_negative", "viability_disagrees_with_cells")),
        ({"viable_cells": -5, "total_cells": -3}, ("viable_cells_negative", "total_cells_negative")),
        ({"viable_cells": 0, "total_cells": 0}, ("viability_disagrees_with_cells",)),
        (NO_CELLS | {"total_density_1e6_per_ml": -1.0}, ("total_density_negative", "viable_density_exceeds_total")),
        (NO_CELLS | {"viability_pct": -3.0}, ("viability_negative", "viability_disagrees_with_densities")),
        (NO_CELLS | {"viability_pct": -0.0, "viable_density_1e6_per_ml": 0.0}, ("viability_negative_zero",)),
        ({"viability_pct": None}, ("viability_missing",)),
        ({"viable_density_1e6_per_ml": 0.79}, ("viable_density_exceeds_total",)),
        ({"viable_cells": 2192}, ("viable_cells_exceed_total",)),
        ({"average_diameter_um": -1.0}, ("diameter_negative",)),
        (
            {"viable_density_1e6_per_ml": -0.0},
            ("viable_density_negative_zero", "viability_disagrees_with_densities"),
        ),
        ({"counted_at_local": "1970-01-01T00:00:00"}, ("no_time",)),
    ],
)
def test_flags(change: dict[str, object], flags: tuple[str, ...]) -> None:
    assert flagged(replace(SOUND, **change)).flags == flags  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_number(number: float) -> None:
    result = flagged(replace(SOUND, viable_density_1e6_per_ml=number, viability_pct=number))
    assert result.viable_density_1e6_per_ml is None and result.viability_pct is None
    assert {"viability_not_finite", "viable_density_not_finite"} <= set(result.flags)


def test_what_the_instrument_reports_is_kept() -> None:
    assert flagged(SOUND, ("viable_cell_density",)).flags == ("instrument_error:viable_cell_density",)
