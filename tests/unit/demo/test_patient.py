"""Patients of a run are tokens with batches of their own, and each stays clear of the others."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from cultureops.clock import MINUTE_MS
from cultureops.demo.lab import INCUBATOR_DEVICES
from cultureops.demo.patient import BOTH, FRESH, FROZEN, expected_days, patients_of, step_ms
from cultureops.errors import ConfigError


@pytest.mark.parametrize("recipe", [FRESH, FROZEN, BOTH])
def test_patients_are_tokens_in_incubators_that_exist(recipe: str) -> None:
    patients = patients_of(recipe)
    assert all(re.fullmatch(r"COI-[0-9A-Z]{5}", patient.token) for patient in patients)
    assert len({patient.token for patient in patients}) == len({patient.batch_id for patient in patients})
    assert len({patient.batch_id for patient in patients}) == len(patients)
    assert all(set(patient.incubators) <= set(INCUBATOR_DEVICES) for patient in patients)


def test_both_play_two_of_each_some_days_apart() -> None:
    patients = patients_of(BOTH)
    assert sorted(patient.recipe for patient in patients) == [FROZEN, FROZEN, FRESH, FRESH]
    starts = [patient.start_day for patient in patients]
    assert starts[0] == 0 and all(later - earlier >= 2 for earlier, later in pairwise(starts))


def test_no_two_frozen_products_are_expected_on_one_day() -> None:
    """One dry-ice logger and one centrifuge serve them all."""
    starts = [patient.start_day for patient in patients_of(BOTH) if patient.recipe == FROZEN]
    assert len(set(starts)) == len(starts)


def test_a_single_patient_is_the_first_of_that_recipe() -> None:
    (fresh,), (frozen,) = patients_of(FRESH), patients_of(FROZEN)
    assert fresh.batch_id == frozen.batch_id == "B-2026-001"
    side_by_side = patients_of(BOTH)
    assert replace(frozen, start_day=0) in side_by_side
    assert fresh.token in {patient.token for patient in side_by_side}


def test_long_runs_take_longer_steps() -> None:
    assert step_ms(FRESH) == MINUTE_MS < step_ms(FROZEN)
    assert expected_days(patients_of(FRESH)) < expected_days(patients_of(FROZEN)) < expected_days(patients_of(BOTH))


def test_an_unknown_recipe_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"nobody_1900.*tavakol_afshari_2021, karussis_2010, both"):
        patients_of("nobody_1900")
