from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cultureops_simulators.culture import CONFLUENT_CELLS_PER_CM2, Culture, draw_donor, feed, grow, harvest, seed
from cultureops_simulators.lab import child_rng
from cultureops_simulators.vicell_blu.model import count

SEEDS = range(20)
FLASK_CM2, FLASKS = 175.0, 12


def plate(donor_seed: int, passage: int) -> Culture:
    cells = 3e6 * FLASKS if passage == 0 else 4000.0 * FLASK_CM2 * FLASKS
    return seed(draw_donor(child_rng(donor_seed, "donor", "B1")), passage, cells, FLASKS, FLASK_CM2)


def grow_to(culture: Culture, confluence_pct: float, dt_h: float = 0.5) -> Culture:
    while culture.confluence_pct < confluence_pct:
        culture = grow(culture, 37.0, 5.0, dt_h)
        if culture.since_feed_h >= 84.0:
            culture = feed(culture)
        assert culture.age_h < 30 * 24
    return culture


@pytest.mark.parametrize("donor_seed", SEEDS)
def test_primary_culture_reaches_80_pct_in_9_5_to_11_5_days(donor_seed: int) -> None:
    assert 9.5 <= grow_to(plate(donor_seed, 0), 80.0).age_h / 24.0 <= 11.5


@pytest.mark.parametrize("donor_seed", SEEDS)
def test_later_passages_reach_80_pct_in_6_5_to_9_days_and_slow_down(donor_seed: int) -> None:
    days = [grow_to(plate(donor_seed, passage), 80.0).age_h / 24.0 for passage in (1, 2, 3)]
    assert 6.5 <= days[0] < days[1] < days[2] <= 9.0


@pytest.mark.parametrize("donor_seed", SEEDS)
def test_a_flask_at_80_pct_yields_about_5e6_viable_cells(donor_seed: int) -> None:
    suspension = harvest(grow_to(plate(donor_seed, 1), 80.0), 60.0, np.random.default_rng(donor_seed))
    assert suspension.viable_cells_per_ml * 60.0 / FLASKS == pytest.approx(5e6, rel=0.06)
    assert 0.95 <= suspension.viable_cells_per_ml / suspension.total_cells_per_ml <= 0.98


def test_growth_waits_then_doubles_then_stops_at_the_confluent_density() -> None:
    culture = plate(1, 1)
    first_day = grow(culture, 37.0, 5.0, 24.0).cells_per_cm2 / culture.cells_per_cm2
    assert 1.0 < first_day < 1.5
    by_day = [culture := grow(feed(culture), 37.0, 5.0, 24.0) for _ in range(25)]
    assert max(b.cells_per_cm2 / a.cells_per_cm2 for a, b in pairwise(by_day)) > 1.35
    assert 0.99 * CONFLUENT_CELLS_PER_CM2 < by_day[-1].cells_per_cm2 <= CONFLUENT_CELLS_PER_CM2


def test_the_length_of_a_step_does_not_matter() -> None:
    minutes = hours = plate(2, 1)
    for _ in range(96 * 60):
        minutes = grow(minutes, 37.0, 5.0, 1 / 60)
    for _ in range(16):
        hours = grow(hours, 37.0, 5.0, 6.0)
    assert minutes.cells_per_cm2 == pytest.approx(hours.cells_per_cm2, rel=1e-9)


@pytest.mark.parametrize(
    ("temperature_c", "co2_pct"), [(33.0, 5.0), (39.0, 5.0), (37.0, 1.0), (37.0, 12.0), (37.0, 0.04)]
)
def test_wrong_air_slows_growth_and_costs_viability(temperature_c: float, co2_pct: float) -> None:
    start = grow(plate(3, 1), 37.0, 5.0, 24.0)
    good, bad = start, start
    for _ in range(48):
        good, bad = grow(good, 37.0, 5.0, 1.0), grow(bad, temperature_c, co2_pct, 1.0)
    assert bad.cells_per_cm2 < 0.75 * good.cells_per_cm2
    assert bad.viability_pct < good.viability_pct


def test_five_hours_without_gas_delay_a_culture_by_hours_not_days() -> None:
    culture = plate(3, 0)
    for _ in range(5 * 24):
        culture = feed(grow(culture, 37.0, 5.0, 1.0))
    for hour in range(5):
        culture = grow(culture, 37.0, 5.0 * np.exp(-hour / 1.5), 1.0)
    assert culture.viability_pct > 95.0
    delay_h = grow_to(culture, 80.0).age_h - grow_to(plate(3, 0), 80.0).age_h
    assert 1.0 < delay_h < 12.0


def test_old_medium_starves_a_culture() -> None:
    fed = unfed = plate(4, 1)
    for _ in range(7):
        fed, unfed = feed(grow(fed, 37.0, 5.0, 24.0)), grow(unfed, 37.0, 5.0, 24.0)
    assert unfed.cells_per_cm2 < 0.95 * fed.cells_per_cm2


def test_the_first_feed_takes_the_loose_cells() -> None:
    culture = plate(5, 0)
    assert culture.loose_cells > 0.9 * 3.6e7 and feed(culture).loose_cells == 0.0


def test_counts_scatter_by_pipetting_and_by_the_number_of_cells() -> None:
    suspension = harvest(grow_to(plate(6, 1), 80.0), 60.0, np.random.default_rng(0))
    rng = np.random.default_rng(8)
    counts = np.array([count(suspension, rng).viable_per_ml for _ in range(3000)])
    expected = suspension.viable_cells_per_ml
    poisson_cv = 1.0 / np.sqrt(expected * 0.0028)
    assert counts.mean() == pytest.approx(expected, rel=0.01)
    assert counts.std() / expected == pytest.approx(np.hypot(0.04, poisson_cv), rel=0.1)
