"""What pages and channels show of a batch."""

import json

import pytest
from tests.unit.batch.conftest import BATCH_ID, Lab, Step, look

from cultureops.batch import commands as do
from cultureops.batch.events import EVENTS
from cultureops.batch.handler import execute
from cultureops.batch.narrative import _TEXTS
from cultureops.batch.recipe import find_recipe
from cultureops.batch.state import State
from cultureops.batch.views import batch_channels, channel_rows, due, growth_points, summary, timeline, view
from cultureops.clock import DAY_MS, HOUR_MS
from cultureops.device.channel import Kind
from cultureops.device.reading import Quality


async def test_the_timeline_tells_every_event(lab: Lab) -> None:
    batch = await lab.play("end")
    assert batch is not None
    rows = timeline(batch)
    assert len(rows) == len(batch.history)
    assert [row.at for row in rows] == sorted(row.at for row in rows)
    assert all(row.text and "\n" not in row.text for row in rows)
    texts = {row.kind: row.text for row in rows}
    assert texts["seeded"] == "P0 seeded: 36 × 10⁶ cells in 12 × T175 (17,143/cm²), into incubator_1"
    assert texts["harvested"].startswith("Harvested from P2: 182 × 10⁶ viable cells, viability 96.4 %, 2.8")
    assert next(row for row in rows if row.kind == "marrow_received").witness_id == "operator-2"


def test_every_kind_of_event_has_its_words() -> None:
    assert set(_TEXTS) == set(EVENTS.values())


async def test_late_entries_stand_where_they_happened(lab: Lab) -> None:
    await lab.play("P0 look again")
    seen_at = lab.batch().since + HOUR_MS
    late = do.Command(BATCH_ID, look(0, 36.0), seen_at, "found on paper")
    batch = await execute(lab.ledger, find_recipe, late, lab.facts())
    row = next(row for row in timeline(batch) if row.reason == "found on paper")
    assert row.at == seen_at < row.recorded_at and row is not timeline(batch)[-1]


async def test_growth_points_in_order_of_time(lab: Lab) -> None:
    batch = await lab.play("resuspend")
    assert batch is not None
    points = growth_points(batch)
    assert [point.at for point in points] == sorted(point.at for point in points)
    assert [point.confluence_pct for point in points if point.confluence_pct is not None] == [35.0, 82.5] * 3
    assert sum(point.viable_density_1e6_per_ml is not None for point in points) == 6
    shown = view(batch, lab.recipe, lab.clock.now())
    assert shown.growth == points and shown.days == pytest.approx(batch.days(lab.clock.now()))
    assert shown.occupancies == batch.occupancies and shown.passages == batch.passages


DUE = [
    ("consent", "consent and marrow intake", "OP"),
    ("P0 first medium", "first medium change", "OP"),
    ("P0 look", "medium change", "OP"),
    ("P0 read endotoxin", "passage", "OP"),
    ("P2 read endotoxin", "harvest", "OP"),
    ("resuspend", "resuspension", "OP"),
    ("review", "review", "RV"),
    ("release", "release decision", "QP"),
    ("give IV", "give container IV-1", "CL"),
    ("late P0", "close the record", "QA"),
]


@pytest.mark.parametrize(("step", "text", "role"), DUE)
async def test_what_is_due_next(lab: Lab, step: str, text: str, role: str) -> None:
    batch = await lab.play(step)
    assert batch is not None
    assert (text, role) in {(item.text, item.role) for item in due(batch, lab.recipe)}


async def test_when_it_is_due(lab: Lab) -> None:
    batch = await lab.play("P0 look")
    assert batch is not None and batch.medium_changed_at is not None
    by_text = {item.text: item.at for item in due(batch, lab.recipe)}
    assert by_text["medium change"] == batch.medium_changed_at + 3 * DAY_MS
    taken = next(sample.taken_at for sample in batch.qc if sample.test == "sterility")
    assert by_text[f"read sterility {BATCH_ID}.P0-sterility"] == taken + 7 * DAY_MS


async def test_nothing_is_due_for_a_closed_batch(lab: Lab) -> None:
    batch = await lab.play("end")
    assert batch is not None
    assert due(batch, lab.recipe) == ()


async def test_culture_facts_as_channels(lab: Lab) -> None:
    batch = await lab.play("end")
    assert batch is not None
    rows = channel_rows(BATCH_ID)
    assert {f"batch:{BATCH_ID}/{name}" for name in (
        *("confluence", "viability", "viable_density", "passage", "cumulative_population_doublings"),
        *("residual_dmso", "step"))
    } == set(rows)  # fmt: skip
    assert rows[f"batch:{BATCH_ID}/viable_density"].unit == "10*6/mL"
    assert rows[f"batch:{BATCH_ID}/step"].kind is Kind.STATE
    readings = [reading for event in batch.history for reading in batch_channels(event)]
    thawed_only = {f"batch:{BATCH_ID}/residual_dmso"}
    assert {reading.channel for reading in readings} == set(rows) - thawed_only
    assert all(reading.quality is Quality.GOOD for reading in readings)
    by_event = {event.event_id: batch_channels(event) for event in batch.history}
    for event in batch.history:
        assert all(reading.source_time == event.occurred_at for reading in by_event[event.event_id])
    passages = [reading.value for reading in readings if reading.channel.endswith("/passage")]
    assert passages == [0, 1, 2]
    steps = [reading.value for reading in readings if reading.channel.endswith("/step")]
    assert steps == sorted(steps) and steps[-1] == State.CLOSED.step  # type: ignore[type-var]
    doublings = [reading.value for reading in readings if reading.channel.endswith("doublings")]
    assert doublings[-1] == batch.cumulative_population_doublings


async def test_a_correction_repeats_the_reading_at_its_own_time(lab: Lab) -> None:
    batch = await lab.play("P0 medium")
    assert batch is not None
    seen = batch.history[-1]
    slip = do.Correct(event_id=seen.event_id, field="confluence_pct", value=38.0)
    batch = await lab.do(Step(slip, reason="wrong line"))
    (reading,) = batch_channels(batch.history[-1])
    assert (reading.channel, reading.value) == (f"batch:{BATCH_ID}/confluence", 38.0)
    assert reading.source_time == seen.occurred_at < reading.received_time


async def test_a_batch_without_a_product_shows_what_it_has(lab: Lab) -> None:
    batch = await lab.play("P0 look")
    assert batch is not None
    made = summary(batch, lab.clock.now())
    assert made["viability_pct"] is None and made["counts"] == [] and made["doses"] == []
    assert json.loads(json.dumps(made)) == made
