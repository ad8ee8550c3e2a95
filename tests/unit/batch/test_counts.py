"""Counters' results: attributed by their sample id, held when they can't be true, never guessed."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.batch.conftest import BATCH_ID, COUNTER, OP, WITNESS, Lab, Step

from cultureops.batch import commands as do
from cultureops.batch.counts import CountsUnusable, SampleId, count_command, parse_sample_id, pool
from cultureops.batch.parts import CountRecord
from cultureops.batch.recipe import Recipe
from cultureops.device.driver import CountResult
from cultureops.errors import BatchError, TransitionRefused

RESULT = CountResult(
    sample_id=f"{BATCH_ID}.P0-harvest-3",
    counted_at_local="2026-01-14T10:05:00",
    viability_pct=96.43,
    viable_density_1e6_per_ml=1.21,
    total_density_1e6_per_ml=1.25,
    viable_cells=482,
    total_cells=500,
    average_diameter_um=17.2,
    source_file="x.csv",
    source_sha256="ab" * 32,
)


def test_sample_ids() -> None:
    assert parse_sample_id("B-2026-001.P1-harvest-1") == SampleId("B-2026-001", 1, "harvest", 1)
    assert parse_sample_id("b1.product-12") == SampleId("b1", None, "product", 12)


@pytest.mark.parametrize(
    "text",
    ["", "B1", "B1.", "B1.P1", "B1.P1-harvest", "B1.harvest", "B1.P1-harvest-1 ", "B 1.product-1", "B1.P1_harvest-1",
     "B1.x.product-1", "B1.P1-HARVEST-1", "B1.P-1-harvest-1", "B1.product-1\n", "../B1.product-1"],
)  # fmt: skip
def test_a_sample_id_is_never_guessed(text: str) -> None:
    with pytest.raises(BatchError, match="names no sample of a batch; expected"):
        parse_sample_id(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        sample = parse_sample_id(text)
    except BatchError:
        return
    passage = "" if sample.passage is None else f"P{sample.passage}-"
    assert parse_sample_id(f"{sample.batch_id}.{passage}{sample.stage}-{sample.replicate}") == sample


def test_a_plausible_result_counts() -> None:
    details = count_command(RESULT, "counter_1")
    assert isinstance(details, do.Count)
    assert details.viability_pct == 96.43 and details.device == "counter_1"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"viable_density_1e6_per_ml": 1.3}, "above total density"),
        ({"viability_pct": 50.0}, "disagrees"),
        ({"viability_pct": math.nan}, "viability is nan"),
        ({"viable_density_1e6_per_ml": -0.0}, "viable density is -0.0"),
        ({"viability_pct": None}, "viability or viable density is missing"),
        ({"viable_cells": -3, "total_cells": 500}, "cell count is negative"),
        ({"average_diameter_um": math.inf}, "average_diameter_um"),
        ({"flags": ("bubbles in every image",)}, "bubbles in every image"),
        ({"viable_density_1e6_per_ml": 1.2e5, "total_density_1e6_per_ml": None}, "viable_density_1e6_per_ml"),
    ],
)
def test_an_implausible_result_is_held(changes: dict[str, Any], reason: str) -> None:
    details = count_command(replace(RESULT, **changes), "counter_1")
    assert isinstance(details, do.HoldCount)
    assert any(reason in said for said in details.reasons), details.reasons
    name, value = next(iter(changes.items()))
    if name in details.raw:
        assert details.raw[name] == str(value)


def test_a_result_without_a_sample_of_ours_is_reported() -> None:
    with pytest.raises(BatchError, match="names no sample"):
        count_command(replace(RESULT, sample_id="QC beads"), "counter_1")


def record(density: float, viability: float = 96.0) -> CountRecord:
    return CountRecord("B.P0-harvest-1", 0, 0, "harvest", 1, viability, density, "counter_1")


def test_replicates_are_pooled(recipe: Recipe) -> None:
    pooled = pool([record(1.0, 95.0), record(1.2, 97.0)], recipe.counting)
    assert pooled.viable_density_1e6_per_ml == pytest.approx(1.1) and pooled.viability_pct == pytest.approx(96.0)
    assert pooled.n == 2 and pooled.cv_pct == pytest.approx(12.856, abs=0.001)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([], "0 found, at least 2 replicates"),
        ([record(1.0)], "1 found, at least 2 replicates"),
        ([record(1.0), record(1.3)], r"differ by 18.4 % \(CV\), allowed are 15 %"),
        ([record(0.0, 0.0), record(0.0, 0.0)], "no viable cell"),
    ],
)
def test_counts_that_are_of_no_use(recipe: Recipe, counts: list[CountRecord], said: str) -> None:
    with pytest.raises(CountsUnusable, match=said):
        pool(counts, recipe.counting)


async def test_a_held_count_waits_for_a_person(lab: Lab) -> None:
    await lab.play("passage 1")
    details = count_command(replace(RESULT, viability_pct=50.0), "counter_1")
    batch = await lab.do(Step(details, COUNTER))
    assert [held.sample_id for held in batch.held_counts] == [RESULT.sample_id]
    assert len(batch.counts) == 2, "held is not counted"
    with pytest.raises(TransitionRefused, match="is on record already"):
        await lab.do(Step(details, COUNTER))
    accept = do.AcceptCount(sample_id=RESULT.sample_id, viability_pct=96.4, viable_density_1e6_per_ml=1.21)
    with pytest.raises(TransitionRefused, match="needs its reason"):
        await lab.do(Step(accept, OP, WITNESS))
    with pytest.raises(TransitionRefused, match="not for role DEV"):
        await lab.do(Step(accept, COUNTER, WITNESS, reason="looks fine"))
    batch = await lab.do(Step(accept, OP, WITNESS, reason="typing error in the export, image counted by hand"))
    assert not batch.held_counts and batch.counts[-1].sample_id == RESULT.sample_id
    assert (batch.counts[-1].passage, batch.counts[-1].stage, batch.counts[-1].replicate) == (0, "harvest", 3)


async def test_a_record_is_not_closed_over_a_held_count(lab: Lab) -> None:
    await lab.play("formulate")
    odd = replace(RESULT, sample_id=f"{BATCH_ID}.product-3", viability_pct=50.0)
    await lab.do(Step(count_command(odd, "counter_1"), COUNTER))
    names = list(lab.steps)
    for name in names[names.index("formulate") : names.index("close")]:
        await lab.do(name)
    with pytest.raises(TransitionRefused, match=r"count B-2026-001\.product-3 is still on hold"):
        await lab.do("close")


async def test_a_result_of_another_batch_is_refused(lab: Lab) -> None:
    await lab.play("passage 1")
    other = count_command(replace(RESULT, sample_id="B-2026-002.P0-harvest-3"), "counter_1")
    with pytest.raises(TransitionRefused, match="belongs to batch B-2026-002"):
        await lab.do(Step(other, COUNTER))
