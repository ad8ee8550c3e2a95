"""The checks fire on what the seed papers contradict themselves in, and on nothing that agrees."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.analysis.papers import CONSISTENT, CONTRADICTORY, Statement

from cultureops.analysis.contradiction import CHECKS, Contradiction, Range, percent_reduction, pooled_mean


def found(statement: Statement) -> Contradiction | None:
    _, check, numbers = statement
    return CHECKS[check](**numbers)


@pytest.mark.parametrize(("number", "statement"), CONTRADICTORY, ids=[row[0] for _, row in CONTRADICTORY])
def test_each_contradiction_is_found(number: int, statement: Statement) -> None:
    contradiction = found(statement)
    assert contradiction is not None and contradiction.check == statement[1]
    assert contradiction.text.startswith("said ") and "\n" not in contradiction.text


def test_all_eight_are_there() -> None:
    assert {number for number, _ in CONTRADICTORY} == set(range(1, 9))


@pytest.mark.parametrize("statement", CONSISTENT, ids=[row[0] for row in CONSISTENT])
def test_what_agrees_is_left_alone(statement: Statement) -> None:
    assert found(statement) is None


@pytest.mark.parametrize(
    ("number", "computed"),
    [(1, [58.45]), (2, [31.6, 27.35]), (3, [7]), (4, [85.43, 63.63, 18.37, 13.75]), (5, [19.0]), (6, [51]), (7, [10]),
     (8, [2e6])],
)  # fmt: skip
def test_the_computed_figures(number: int, computed: list[float]) -> None:
    figures = [row.computed for at, statement in CONTRADICTORY if at == number and (row := found(statement))]
    assert figures == pytest.approx(computed, abs=0.006)


def test_the_text_says_both_sides() -> None:
    pooled = pooled_mean([(15, 63.2), (19, 54.7)], 63.2, 0.1)
    assert pooled is not None and pooled.said == 63.2
    assert pooled.text == "said 63.2 (± 0.1), but the groups' means pool to 58.45 over 34 subjects"
    basis = CHECKS["dose_basis"](1e6, False, [1e6, 1e6])
    assert basis is not None and "without a body weight" in basis.text and "2e+06 cells per kg" in basis.text


def test_a_total_per_kg_that_is_wrong_fires_too() -> None:
    assert CHECKS["dose_basis"](1e6, True, [1e6, 1e6]) is not None
    assert CHECKS["dose_basis"](1e6, True, [1e6]) is None


def test_a_borderline_figure_hangs_on_the_tolerance() -> None:
    """CD86 fell by 28.8 %: no 30 to the percent, but 30 to the ten."""
    assert percent_reduction(82.6, 58.8, Range(30, 60), 0.5) is not None
    assert percent_reduction(82.6, 58.8, Range(30, 60), 5) is None


@pytest.mark.parametrize(
    ("check", "numbers"),
    [
        ("dose_concentration", {"cells": 1, "volume_ml": 0, "said": Range(1, 2)}),
        ("dose_concentration", {"cells": math.nan, "volume_ml": 1, "said": Range(1, 2)}),
        ("pooled_mean", {"groups": [], "said": 1, "tolerance": 0}),
        ("pooled_mean", {"groups": [(0, 1.0)], "said": 1, "tolerance": 0}),
        ("weighted_mean", {"rows": [(1, math.nan)], "said": 1, "tolerance": 0}),
        ("weighted_mean", {"rows": [(1, 1.0)], "said": math.nan, "tolerance": 0}),
        ("subgroup_size", {"part": -1, "group": 3}),
        ("percent_reduction", {"before": 0, "after": 1, "said": Range(1, 2), "tolerance": 0}),
        ("table_median", {"values": [], "said": 1}),
        ("inclusion", {"row": "P1", "value": math.nan, "criterion": Range(1, 2)}),
        ("share", {"part": 3, "whole": 2, "said": 0.5, "tolerance": 0.1}),
        ("dose_basis", {"said_cells": 1, "said_per_kg": True, "per_kg_by_route": []}),
        ("share", {"part": 1, "whole": 2, "said": 0.5, "tolerance": -0.1}),
        ("share", {"part": 1, "whole": 2, "said": 0.5, "tolerance": math.nan}),
    ],
)
def test_numbers_that_say_nothing_are_refused(check: str, numbers: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        CHECKS[check](**numbers)


def test_a_range_holds_something() -> None:
    with pytest.raises(ValueError, match="low <= high"):
        Range(2, 1)
    assert [str(Range(1, 2)), str(Range(low=1)), str(Range(high=2))] == ["1 to 2", "at least 1", "at most 2"]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 50), st.floats(-1e3, 1e3)), min_size=1, max_size=6))
def test_a_mean_that_was_computed_never_contradicts(groups: list[tuple[int, float]]) -> None:
    everyone = [mean for n, mean in groups for _ in range(n)]
    said = math.fsum(everyone) / len(everyone)
    assert pooled_mean(groups, said, 1e-9) is None
    assert pooled_mean(groups, said + 1, 0.5) is not None
