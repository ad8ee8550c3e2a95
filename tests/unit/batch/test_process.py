"""The whole process of Tavakol-Afshari 2021, from marrow to a closed record, over a real ledger."""

import math
from pathlib import Path

import pytest
from tests.unit.batch.conftest import BATCH_ID, SEEDED, Lab

from cultureops.batch.batch import stream_of
from cultureops.batch.evolve import fold
from cultureops.batch.state import State
from cultureops.batch.views import summary
from cultureops.clock import DAY_MS, HOUR_MS
from cultureops.ledger import SqlLedger


async def test_marrow_to_closed_record(lab: Lab) -> None:
    batch = await lab.play("end")
    assert batch is not None
    assert batch.state is State.CLOSED
    assert batch.recipe.label == "tavakol_afshari_2021 v2"
    assert [stay.chamber for stay in batch.occupancies] == ["incubator_1", "incubator_2", "incubator_3", "fridge_1"]
    assert all(stay.taken is not None for stay in batch.occupancies)
    assert batch.occupancies[0].taken == batch.occupancies[1].placed
    assert [dose.given_at is not None for dose in batch.doses] == [True, True]
    assert batch.released_by == "qp-1" and batch.released_by not in batch.operators | batch.reviewers
    assert {"operator-1", "operator-2", "qc-1", "clinic-1"} <= batch.operators
    assert batch.chamber is None and not batch.refusals
    assert batch.version == len(batch.history) == lab.ledger.version(stream_of(BATCH_ID))


async def test_growth_follows_from_the_counts(lab: Lab) -> None:
    batch = await lab.play("resuspend")
    assert batch is not None
    primary, first, second = batch.passages
    harvested = 1.215e6 * 50
    assert primary.harvested_viable_cells == harvested
    assert primary.population_doublings is None and primary.doubling_time_h is None
    assert first.seeded_cells == 12 * SEEDED
    doublings = math.log2(harvested / (12 * SEEDED))
    assert first.population_doublings == pytest.approx(doublings)
    hours = (first.detached_at - first.seeded_at) / HOUR_MS
    assert first.doubling_time_h == pytest.approx(hours / doublings)
    assert second.population_doublings is not None
    assert batch.cumulative_population_doublings == pytest.approx(doublings + second.population_doublings)


async def test_the_ledger_alone_gives_the_same_batch_again(lab: Lab) -> None:
    batch = await lab.play("end")
    path = Path(lab.ledger._name)  # the file a second program would open
    again = SqlLedger.open(path, lab.clock, lab.ledger._entropy)
    try:
        assert fold(again.read(stream_of(BATCH_ID))) == batch == lab.batch()
    finally:
        await again.close()


async def test_summary_names_what_the_demo_prints(lab: Lab) -> None:
    batch = await lab.play("end")
    assert batch is not None
    made = summary(batch)
    assert list(made) == [
        "batch_id",
        "recipe",
        "state",
        "days",
        "passages",
        "counts",
        "viability_pct",
        "cumulative_population_doublings",
        "doses",
    ]
    assert made["state"] == "CLOSED" and made["passages"] == 2
    assert made["viability_pct"] == pytest.approx((96.1 + 96.7) / 2)
    assert made["doses"] == [
        {"route": "IT", "viable_cells": 70_000_000, "volume_ml": 2.0},
        {"route": "IV", "viable_cells": 70_000_000, "volume_ml": 55.0},
    ]
    assert made["counts"][0]["sample_id"] == "B-2026-001.P0-harvest-1"
    lab.clock.advance(100 * DAY_MS)
    assert summary(batch, lab.clock.now())["days"] == made["days"], "a closed batch grows no older"
