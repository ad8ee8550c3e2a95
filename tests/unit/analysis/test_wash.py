"""Wash-out of DMSO: worked vectors, the volumes that must follow one another, and what dilution can't do."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.analysis.wash import Residual, Wash, WashVolumesDisagree, pct_after_washes, residual

TWO = (Wash(8.8, 40, 1), Wash(1, 40, 1))


def test_two_washes_give_the_worked_vector() -> None:
    first, second = pct_after_washes(10, 8.8, TWO)
    assert round(first, 3) == 1.803 and round(second, 4) == 0.0440
    left = residual(10, 8.8, TWO, 6)
    assert round(left.pct_v_v, 5) == 0.00733
    assert round(left.mg_per_ml, 4) == 0.0806
    assert round(left.mg_in(2), 3) == 0.161
    assert "no DMSO is held up inside the cells" in left.assumption


def test_a_skipped_second_wash_leaves_forty_one_times_as_much() -> None:
    one, two = residual(10, 8.8, TWO[:1], 6), residual(10, 8.8, TWO, 6)
    assert round(one.mg_in(2), 2) == 6.61
    assert one.mg_in(2) / two.mg_in(2) == pytest.approx(41)


def test_without_a_wash_only_the_resuspension_dilutes() -> None:
    assert residual(10, 3, (), 6).pct_v_v == pytest.approx(5)
    assert pct_after_washes(10, 3, ()) == ()


def test_the_density_is_a_parameter() -> None:
    assert residual(10, 8.8, TWO, 6, density_g_per_ml=2.2).mg_per_ml == pytest.approx(
        2 * residual(10, 8.8, TWO, 6).mg_per_ml
    )


@pytest.mark.parametrize(
    ("thawed", "washes", "message"),
    [
        (9.0, TWO, r"wash 1 begins with 8\.8 mL, but 9 mL were thawed"),
        (8.8, (TWO[0], Wash(2, 40, 1)), r"wash 2 begins with 2 mL, but 1 mL were left by wash 1"),
        (8.8, TWO[1:], r"wash 1 begins with 1 mL, but 8\.8 mL were thawed"),
    ],
)
def test_a_wash_begins_with_what_was_left(thawed: float, washes: tuple[Wash, ...], message: str) -> None:
    with pytest.raises(WashVolumesDisagree, match=message) as refusal:
        pct_after_washes(10, thawed, washes)
    assert isinstance(refusal.value, ValueError)


def test_resuspension_never_takes_away() -> None:
    with pytest.raises(WashVolumesDisagree, match=r"ends with 0\.5 mL, but 1 mL were there"):
        residual(10, 8.8, TWO, 0.5)


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_impossible_volumes_are_refused(wrong: float) -> None:
    for volumes in ((wrong, 40, 1), (8.8, wrong, 1), (8.8, 40, wrong)):
        with pytest.raises(ValueError, match="must be a number above zero"):
            Wash(*volumes)
    with pytest.raises(ValueError):
        residual(10, 8.8, TWO, wrong)
    with pytest.raises(ValueError):
        residual(10, wrong, (), 6)
    with pytest.raises(ValueError):
        residual(10, 8.8, TWO, 6, density_g_per_ml=wrong)
    with pytest.raises(ValueError):
        Residual(1.0, 1.0).mg_in(wrong)


@pytest.mark.parametrize("wrong", [-0.1, 100.1, math.nan])
def test_impossible_percentages_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="0 to 100 %"):
        pct_after_washes(wrong, 8.8, TWO)


def test_a_wash_leaves_no_more_than_there_was() -> None:
    with pytest.raises(ValueError, match="can't leave 50 mL"):
        Wash(8.8, 40, 50)


def test_records_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TWO[0].vol_left_ml = 2  # type: ignore[misc]


volume = st.floats(0.01, 500)


@settings(max_examples=60)
@given(thawed=volume, steps=st.lists(st.tuples(volume, st.floats(0.01, 0.99)), min_size=1, max_size=5))
def test_solute_is_conserved(thawed: float, steps: list[tuple[float, float]]) -> None:
    """What is left is what there was less what each supernatant took with it."""
    washes, there, pct, taken = [], thawed, 10.0, 0.0
    for added, kept in steps:
        left = (there + added) * kept
        washes.append(Wash(there, added, left))
        pct *= there / (there + added)
        taken += pct * (there + added - left)
        there = left
    found = residual(10, thawed, washes, there * 2)
    assert found.pct_v_v * there * 2 + taken == pytest.approx(10 * thawed, rel=1e-9)
    assert 0 < found.pct_v_v < 10
