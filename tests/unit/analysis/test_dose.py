import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.analysis import (
    cells_for_weight,
    cells_per_kg,
    concentration_1e6_per_ml,
    deviation_pct,
    endotoxin_eu_per_kg,
    infusion_min,
    reconciles,
    reconciliation_difference,
    shares,
    split,
    volume_ml_for_density,
)


def test_doses_of_the_paper() -> None:
    assert cells_for_weight(1e6, 70) == 70e6
    assert volume_ml_for_density(70e6, 35) == pytest.approx(2.0)
    assert infusion_min(50, 120) == pytest.approx(25.0)
    assert infusion_min(60, 120) == pytest.approx(30.0)


def test_endotoxin_by_weight() -> None:
    assert endotoxin_eu_per_kg(7.0, 2.0, 70) == pytest.approx(0.2)
    assert endotoxin_eu_per_kg(0.0, 55.0, 70) == 0.0


def test_deviation_is_signed() -> None:
    assert deviation_pct(110, 100) == pytest.approx(10)
    assert deviation_pct(90, 100) == pytest.approx(-10)


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_nonsense_is_refused(wrong: float) -> None:
    calls: list[Callable[[], float]] = [
        lambda: cells_for_weight(wrong, 70),
        lambda: cells_for_weight(1e6, wrong),
        lambda: volume_ml_for_density(1e6, wrong),
        lambda: infusion_min(wrong, 120),
        lambda: deviation_pct(1, wrong),
        lambda: endotoxin_eu_per_kg(1, wrong, 70),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="must be a number"):
            call()
    with pytest.raises(ValueError, match="endotoxin must be"):
        endotoxin_eu_per_kg(-1, 2, 70)


def test_the_papers_mean_doses_are_split_two_thirds_to_one_third() -> None:
    for intrathecal, intravenous in ((63.2e6, 24.5e6), (54.7e6, 23.4e6)):
        assert shares((intrathecal, intravenous))[0] == pytest.approx(2 / 3, abs=0.08)
    assert split(90e6, (2 / 3, 1 / 3)) == pytest.approx((60e6, 30e6))


def test_concentration_and_cells_by_weight() -> None:
    assert concentration_1e6_per_ml(70e6, 2.0) == pytest.approx(35.0)
    assert concentration_1e6_per_ml(0.0, 2.0) == 0.0
    assert cells_per_kg(63e6, 70) == pytest.approx(0.9e6)


def test_reconciliation_is_signed_and_its_tolerance_belongs_to_it() -> None:
    assert reconciliation_difference((60e6, 30e6), 5e6, 100e6) == pytest.approx(-0.05)
    assert reconciliation_difference((60e6, 50e6), 0.0, 100e6) == pytest.approx(0.1)
    assert reconciles((60e6, 50e6), 0.0, 100e6, 0.1)
    assert reconciles((60e6, 30e6), 0.0, 100e6, 0.1)
    assert not reconciles((60e6, 51e6), 0.0, 100e6, 0.1)
    assert not reconciles((60e6, 29e6), 0.0, 100e6, 0.1)
    assert reconciles((), 100e6, 100e6, 0.0)


@given(st.floats(1, 1e12), st.lists(st.floats(0.01, 1), min_size=1, max_size=5))
def test_a_split_loses_and_makes_nothing(cells: float, parts: list[float]) -> None:
    fractions = [part / math.fsum(parts) for part in parts]
    given_out = split(cells, fractions)
    assert reconciliation_difference(given_out, 0.0, cells) == pytest.approx(0, abs=1e-9)
    assert shares(given_out) == pytest.approx(fractions)


def test_nonsense_is_no_dose() -> None:
    calls: list[Callable[[], object]] = [
        lambda: split(90e6, (2 / 3, 2 / 3)),
        lambda: split(90e6, ()),
        lambda: split(90e6, (1.5, -0.5)),
        lambda: split(0, (1.0,)),
        lambda: shares(()),
        lambda: shares((0.0, 0.0)),
        lambda: shares((1.0, -1.0)),
        lambda: reconciliation_difference((1.0,), 0.0, 0.0),
        lambda: reconciliation_difference((math.nan,), 0.0, 1.0),
        lambda: reconciliation_difference((1.0,), -1.0, 1.0),
        lambda: reconciles((1.0,), 0.0, 1.0, -0.1),
        lambda: concentration_1e6_per_ml(1.0, 0.0),
        lambda: concentration_1e6_per_ml(-1.0, 1.0),
        lambda: cells_per_kg(1.0, 0.0),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="must"):
            call()
