import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.analysis import cumulative_population_doublings, growth, slowing


def test_worked_examples() -> None:
    published = growth(3e5, 2.5e6, 95)
    assert published.doubling_time_h == pytest.approx(31.06, abs=0.01)
    assert published.population_doublings == pytest.approx(math.log2(25 / 3))
    assert growth(1e6, 8e6, 72).population_doublings == pytest.approx(3.0)
    assert growth(1e6, 8e6, 72).doubling_time_h == pytest.approx(24.0)


def test_what_is_undefined_is_said_not_guessed() -> None:
    shrunk = growth(1e6, 5e5, 72)
    assert shrunk.population_doublings == -1.0 and shrunk.doubling_time_h is None
    assert "no more cells" in shrunk.reason
    same = growth(1e6, 1e6, 72)
    assert same.population_doublings == 0.0 and same.doubling_time_h is None
    dead = growth(1e6, 0, 72)
    assert dead.population_doublings is None and dead.doubling_time_h is None and dead.reason


@pytest.mark.parametrize("wrong", [(0, 1, 1), (1, -1, 1), (1, 1, 0), (math.nan, 1, 1), (1, math.inf, 1)])
def test_nonsense_is_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="growth needs"):
        growth(*wrong)


def test_passages_add_up_and_undefined_ones_add_nothing() -> None:
    assert cumulative_population_doublings([None, 2.5, 3.0]) == 5.5
    assert cumulative_population_doublings([]) == 0.0


@given(st.floats(1e3, 1e9), st.floats(1.001, 1e4), st.floats(1, 1000))
def test_doublings_rebuild_the_harvest(seeded: float, factor: float, hours: float) -> None:
    grown = growth(seeded, seeded * factor, hours)
    assert grown.population_doublings is not None and grown.doubling_time_h is not None
    assert seeded * 2**grown.population_doublings == pytest.approx(seeded * factor, rel=1e-9)
    assert grown.doubling_time_h * grown.population_doublings == pytest.approx(hours)


@given(st.floats(1e3, 1e9), st.lists(st.floats(0.1, 50), min_size=1, max_size=6))
def test_doublings_of_passages_are_the_doublings_of_the_whole(first: float, factors: list[float]) -> None:
    cells, passages = first, []
    for factor in factors:
        passages.append(growth(cells, cells * factor, 72).population_doublings)
        cells *= factor
    assert cumulative_population_doublings(passages) == pytest.approx(
        growth(first, cells, 72).population_doublings, abs=1e-9
    )


@given(st.floats(1.01, 1e3), st.floats(1, 1000), st.floats(1e-3, 1e3))
def test_doubling_time_does_not_depend_on_the_unit_of_the_cells(factor: float, hours: float, scale: float) -> None:
    one, other = growth(1e6, 1e6 * factor, hours), growth(1e6 * scale, 1e6 * scale * factor, hours)
    assert other.doubling_time_h == pytest.approx(one.doubling_time_h, rel=1e-6)


def test_a_passage_that_slows_beyond_the_factor_is_a_warning() -> None:
    assert slowing(45.0, 30.0, 1.5) is None
    assert slowing(20.0, 30.0, 1.5) is None
    assert slowing(45.1, 30.0, 1.5) == (
        "the cells doubled in 45.1 h, 1.50 times the previous passage's 30.0 h; the limit is 1.5 times"
    )
    assert slowing(400.0, None, 1.5) is None
    assert "did not double" in (slowing(None, 30.0, 1.5) or "")
    assert slowing(None, None, 1.5) is None


@pytest.mark.parametrize(
    "wrong", [(0.0, 30.0, 1.5), (30.0, -1.0, 1.5), (30.0, math.nan, 1.5), (30.0, 30.0, 0.9), (30.0, 30.0, math.inf)]
)
def test_slowing_of_nonsense_is_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        slowing(*wrong)
