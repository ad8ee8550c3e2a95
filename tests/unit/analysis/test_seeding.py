import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.analysis import (
    cells_per_vessel,
    density_per_cm2,
    plan_seeding,
    suspension_ml_per_vessel,
    vessels_needed,
    viable_cells,
)


def test_the_papers_flask() -> None:
    """3e6 mononuclear cells on 175 cm2."""
    assert density_per_cm2(3e6, 175) == pytest.approx(17_143, abs=0.5)
    assert cells_per_vessel(density_per_cm2(3e6, 175), 175) == pytest.approx(3e6)
    plan = plan_seeding(40e6, density_per_cm2(3e6, 175), 175)
    assert plan.vessels == 13
    assert plan.seeded_cells == pytest.approx(39e6) and plan.leftover_cells == pytest.approx(1e6)
    assert vessels_needed(40e6, density_per_cm2(3e6, 175), 175) == 14


def test_only_viable_cells_are_seeded() -> None:
    assert viable_cells(10e6, 90) == pytest.approx(9e6)
    plan = plan_seeding(10e6, 1e4, 300, viability_pct=90)
    assert plan.vessels == 3 and plan.leftover_cells == pytest.approx(0, abs=1)
    assert suspension_ml_per_vessel(3e6, 2.0, 75) == pytest.approx(2.0)


def test_too_few_cells_fill_no_vessel() -> None:
    plan = plan_seeding(2e6, 1e4, 300)
    assert (plan.vessels, plan.seeded_cells, plan.leftover_cells) == (0, 0.0, 2e6)
    assert plan_seeding(0, 1e4, 300).vessels == 0


@given(st.floats(1, 1e10), st.floats(100, 1e5), st.floats(1, 1000), st.floats(0, 100))
def test_no_cell_is_made_or_lost(cells: float, density: float, area: float, viability: float) -> None:
    plan = plan_seeding(cells, density, area, viability_pct=viability)
    assert plan.seeded_cells + plan.leftover_cells == pytest.approx(viable_cells(cells, viability))
    assert 0 <= plan.leftover_cells <= plan.cells_per_vessel * (1 + 1e-9)


@given(st.integers(1, 5000), st.floats(100, 1e5), st.floats(1, 1000))
def test_full_vessels_are_counted_without_rounding_errors(vessels: int, density: float, area: float) -> None:
    cells = vessels * cells_per_vessel(density, area)
    assert plan_seeding(cells, density, area).vessels == vessels == vessels_needed(cells, density, area)


def test_nonsense_is_refused() -> None:
    calls: list[Callable[[], object]] = [
        lambda: density_per_cm2(0, 175),
        lambda: density_per_cm2(1e6, 175, 0),
        lambda: cells_per_vessel(1e4, math.nan),
        lambda: vessels_needed(1e6, 1e4, -1),
        lambda: vessels_needed(math.inf, 1e4, 1),
        lambda: plan_seeding(-1, 1e4, 175),
        lambda: plan_seeding(math.nan, 1e4, 175),
        lambda: plan_seeding(1e6, 1e4, 175, viability_pct=101),
        lambda: viable_cells(1e6, math.nan),
        lambda: suspension_ml_per_vessel(1e6, 1.0, 0),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="must be"):
            call()
