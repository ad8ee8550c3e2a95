import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.analysis import (
    density_before_dilution,
    density_from_count,
    implausibilities,
    live_dead,
    replicates,
    total_cells,
    viability_pct,
)


def test_viability_by_hand() -> None:
    assert viability_pct(96, 100) == 96.0
    assert viability_pct(0, 5) == 0.0
    assert viability_pct(1.2, 1.25) == pytest.approx(96.0)


@pytest.mark.parametrize(("viable", "total"), [(5, 4), (0, 0), (-1, 4), (math.nan, 4), (1, math.inf)])
def test_viability_of_nonsense_is_refused(viable: float, total: float) -> None:
    with pytest.raises(ValueError, match="viability needs"):
        viability_pct(viable, total)


def test_replicates_by_hand() -> None:
    three = replicates([1.0, 1.2, 1.4])
    assert three.n == 3 and three.mean == pytest.approx(1.2)
    assert three.cv_pct == pytest.approx(100 * 0.2 / 1.2)
    assert replicates([2.0]).cv_pct is None
    assert replicates([0.0, 0.0]).cv_pct is None


@pytest.mark.parametrize("values", [[], [1.0, -0.1], [math.nan], [1.0, math.inf]])
def test_replicates_of_nonsense_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="replicates need"):
        replicates(values)


@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=6), st.floats(0.1, 50))
def test_cv_does_not_depend_on_the_unit(values: list[float], factor: float) -> None:
    cv, scaled = replicates(values).cv_pct, replicates([value * factor for value in values]).cv_pct
    assert cv is not None and scaled is not None
    assert scaled == pytest.approx(cv, rel=1e-6, abs=1e-6)


def test_total_is_density_times_volume_times_dilution() -> None:
    assert total_cells(1.215, 50.0) == pytest.approx(60_750_000)
    assert total_cells(0.5, 10.0, dilution=2.0) == pytest.approx(10_000_000)
    for wrong in ((-1, 1, 1), (1, 0, 1), (1, 1, 0.5), (math.nan, 1, 1)):
        with pytest.raises(ValueError, match="a total needs"):
            total_cells(*wrong)


def test_figures_that_agree_are_plausible() -> None:
    assert implausibilities(96.43, 1.21, 1.25, 482, 500) == ()
    assert implausibilities(96.4, 1.2, None) == ()
    assert implausibilities(95.0, 0.95, 1.0) == ()


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ((96.0, 1.3, 1.25), "viable density 1.3 is above total density 1.25"),
        ((99.0, 1.0, 1.25), "viability 99 % disagrees with 1 of 1.25 (80.0 %)"),
        ((96.0, 1.2, 1.25, 300, 500), "viability 96 % disagrees with 300 of 500 (60.0 %)"),
        ((96.0, 1.2, 1.25, 501, 500), "viable cell count 501 is above total cell count 500"),
        ((96.0, 1.2, 1.25, 48, -50), "cell count is negative"),
        ((100.5, 1.2, None), "viability 100.5 % is above 100 %"),
        ((math.nan, 1.2, 1.25), "viability is nan"),
        ((96.0, math.inf, 1.25), "viable density is inf"),
        ((96.0, -0.0, 1.25), "viable density is -0.0"),
        ((-1.0, 1.2, 1.25), "viability is -1.0"),
        ((0.0, 0.0, 0.0), "total density is zero, so that there is no viability"),
    ],
)
def test_figures_that_cannot_all_be_true(figures: tuple[float, ...], said: str) -> None:
    found = implausibilities(*figures)  # type: ignore[arg-type]
    assert said in found


@given(st.integers(1, 5000), st.integers(0, 5000), st.floats(0.05, 20))
def test_an_honest_counter_is_never_suspected(total: int, viable: int, density: float) -> None:
    """Figures rounded as a Vi-CELL BLU prints them: viability to 0.01 %, densities to 0.01 x 10^6/mL."""
    viable = min(viable, total)
    percent = round(100 * viable / total, 2)
    printed = round(density * (viable / total), 2), round(density, 2)
    assert implausibilities(percent, *printed, viable, total) == ()


def test_a_count_leads_back_to_the_suspension() -> None:
    """A chamber's square of 1e-4 mL with 80 cells, counted 1:2 in trypan blue, was 1.6e6 cells/mL."""
    assert density_from_count(80, 1e-4, 2) == pytest.approx(1.6e6)
    assert density_before_dilution(0.4, 10) == pytest.approx(4.0)
    assert density_from_count(0, 1e-4) == 0.0


@pytest.mark.parametrize("wrong", [(-1.0, 2.0), (1.0, 0.5), (math.nan, 2.0), (1.0, math.inf)])
def test_a_dilution_that_concentrates_is_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="density before dilution needs"):
        density_before_dilution(*wrong)


@pytest.mark.parametrize("wrong", [(-1.0, 1e-4), (80.0, 0.0), (math.inf, 1e-4), (80.0, math.nan)])
def test_a_count_without_volume_is_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="density needs cells"):
        density_from_count(*wrong)


@given(st.floats(0, 1e9), st.floats(1, 1e4))
def test_diluting_and_going_back_changes_nothing(density: float, dilution: float) -> None:
    assert density_before_dilution(density / dilution, dilution) == pytest.approx(density)


def test_live_and_dead_make_a_total() -> None:
    both = live_dead(2.45, 1.14)
    assert both.total == pytest.approx(3.59) and both.viability_pct == pytest.approx(100 * 2.45 / 3.59)
    none = live_dead(0, 0)
    assert none.total == 0 and none.viability_pct is None


@pytest.mark.parametrize("wrong", [(-1.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (1.0, math.inf)])
def test_no_total_of_nonsense(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="live and dead"):
        live_dead(*wrong)
