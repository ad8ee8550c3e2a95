import math
from collections.abc import Callable

import pytest

from cultureops.analysis import (
    cells_for_weight,
    deviation_pct,
    endotoxin_eu_per_kg,
    infusion_min,
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
