"""What the laboratory of a demo by hand has found, and when."""

from typing import Any

import pytest

from cultureops.batch.batch import Batch
from cultureops.batch.parts import QcReading, QcSample, RecipeRef
from cultureops.batch.recipe import find_recipe
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, HOUR_MS
from cultureops.demo.answers import answers, next_answer_at

RECIPE = find_recipe("tavakol_afshari_2021")
TO_DATE, FINAL = QcReading(0, "negative", False, None, ()), QcReading(0, "negative", True, None, ())


def batch(test: str, stage: str = "passage", readings: tuple[QcReading, ...] = ()) -> Batch:
    sample = QcSample("B-1.S", test, 0, stage, None, 0, readings)
    pinned = RecipeRef(RECIPE.name, RECIPE.version, RECIPE.sha256)
    return Batch("B-1", "COI-7F3K2", pinned, State.CULTURE, 1, 0, 0, qc=(sample,))


@pytest.mark.parametrize(
    ("test", "stage", "readings", "at", "expected"),
    [
        ("mycoplasma", "passage", (), DAY_MS // 2, []),
        ("mycoplasma", "passage", (), DAY_MS, [("negative", True)]),
        ("mycoplasma", "passage", (FINAL,), DAY_MS, []),
        ("sterility", "passage", (), 6 * DAY_MS, []),
        ("sterility", "passage", (), 7 * DAY_MS, [("negative", False)]),
        ("sterility", "passage", (TO_DATE,), 7 * DAY_MS, []),
        ("sterility", "passage", (TO_DATE,), 14 * DAY_MS, [("negative", True)]),
        ("sterility", "passage", (), 14 * DAY_MS, [("negative", True)]),
        ("endotoxin", "product", (), 3 * HOUR_MS, [("measured", True)]),
    ],
)
def test_each_reading_is_there_in_its_time_and_once(
    test: str, stage: str, readings: Any, at: int, expected: list[tuple[str, bool]]
) -> None:
    found = answers(batch(test, stage, readings), RECIPE, at, 7)
    assert [(one.outcome, one.final) for one in found] == expected


def test_the_same_sample_is_found_the_same_each_time_it_is_looked_at() -> None:
    identity = batch("identity", "product")
    (first,), (again,) = (answers(identity, RECIPE, DAY_MS, 7) for _ in range(2))
    assert first == again and {name for name, _, _ in first.figures} == {
        f"panel.{marker}" for marker in (*RECIPE.release.positive_markers.texts, *RECIPE.release.negative_markers.texts)
    }
    (elsewhere,) = answers(identity, RECIPE, DAY_MS, 8)
    assert elsewhere.figures != first.figures


def test_time_can_be_let_pass_until_the_next_reading() -> None:
    culture = batch("sterility")
    assert next_answer_at(culture, RECIPE, DAY_MS) == 7 * DAY_MS
    assert next_answer_at(culture, RECIPE, 7 * DAY_MS) == 14 * DAY_MS
    assert next_answer_at(culture, RECIPE, 14 * DAY_MS) is None
