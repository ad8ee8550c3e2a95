"""One composed lab on real files: the join between chambers and batches, and what survives a restart."""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.people import act
from tests.stock import put_on_shelf
from tests.system.conftest import START, OpenLab

from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.batch.field import Details
from cultureops.clock import HOUR_MS, MINUTE_MS, SteppedClock
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import CultureOpsError, GateFailed
from cultureops.lab import Lab
from cultureops.lab_health import health_of
from cultureops.ledger.event import Actor

OPERATOR, WITNESS = Actor("operator-1", "OP"), Actor("operator-2", "OP")
TOKEN = "COI-7F3K2"


def co2(value: float, at: int) -> Reading:
    return Reading("incubator_1/co2", value, Quality.GOOD, Reason.NONE, at, at)


async def seed_batch(lab: Lab, clock: SteppedClock, chamber: str = "incubator_1") -> None:
    async def step(details: Details, witness: Actor | None = None) -> None:
        await act(lab, Command("B-1", details), OPERATOR, witness)
        clock.advance(MINUTE_MS)

    await put_on_shelf(lab.ledger, clock.now(), "L1", "M1")
    await step(do.CreateBatch(patient_token=TOKEN, recipe="tavakol_afshari_2021"))
    await step(do.RecordConsent(form="form", eligible=True))
    marrow = do.ReceiveMarrow(
        marrow_ml=12.0,
        collected_at=clock.now() - HOUR_MS,
        anticoagulant="heparin",
        receipt_temperature_c=20.0,
        donor_markers="negative",
        scans=(TOKEN, TOKEN),
    )
    await step(marrow, WITNESS)
    await step(do.Isolate(method="Ficoll", reagent_lots=("L1",), mnc_count=40_000_000, viability_pct=97.0))
    await step(
        do.Seed(
            vessels="B-1-P0", vessel_type="T175", n_vessels=12, area_cm2=175.0, medium_lot="M1", chamber=chamber,
            cells_total=36_000_000, discarded_cells=4_000_000,
        )
    )  # fmt: skip


async def test_an_alarm_names_the_batch_and_the_batch_remembers_the_alarm(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        await seed_batch(lab, clock)
        for _ in range(12):
            lab.recorder.accept([co2(3.0, clock.advance(MINUTE_MS))])
        await lab.settle()
        raised = lab.ledger.read("alarm:incubator_1/co2/low")
        assert [event.type for event in raised] == ["alarm_raised"]
        assert raised[0].data["batch_ids"] == ["B-1"]
        assert "B-1" in str(raised[0].data["text"])
        batch = lab.batches.get("B-1")
        assert batch is not None and [e.rule_id for e in batch.exposures] == ["incubator_1/co2/low"]
    async with opened() as lab:
        assert [view.rule.id for view in lab.engine.active()] == ["incubator_1/co2/low"]
        lab.recorder.accept([co2(5.0, clock.advance(MINUTE_MS))])
        await lab.settle()
        assert await lab.acknowledge("incubator_1/co2/low", "operator-1", "gas changed") is None
        with pytest.raises(CultureOpsError, match="nothing to acknowledge"):
            await lab.acknowledge("incubator_1/co2/low", "operator-1", "again")
        batch = lab.batches.get("B-1")
        assert batch is not None and batch.exposures[0].cleared_at == clock.now()


@pytest.mark.parametrize(
    ("name", "reason"), [("operator\n1", "gas"), ("operator-1", "half \ud800"), ("", "gas"), ("x" * 300, "y")]
)
async def test_an_acknowledgement_that_the_ledger_would_refuse_changes_nothing(
    opened: OpenLab, clock: SteppedClock, name: str, reason: str
) -> None:
    async with opened() as lab:
        for _ in range(12):
            lab.recorder.accept([co2(3.0, clock.advance(MINUTE_MS))])
        with pytest.raises(CultureOpsError):
            await lab.acknowledge("incubator_1/co2/low", name, reason)
        assert [view.acknowledged_by for view in lab.engine.active()] == [None]
        lab.recorder.accept([co2(5.0, clock.advance(MINUTE_MS))])
        await lab.settle()
        assert [event.type for event in lab.ledger.read("alarm:incubator_1/co2/low")] == [
            "alarm_raised",
            "alarm_returned",
        ]


async def test_a_delay_that_a_restart_cuts_off_goes_on_by_source_time(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        for _ in range(6):
            lab.recorder.accept([co2(3.0, clock.advance(MINUTE_MS))])
    async with opened() as lab:
        for _ in range(6):
            lab.recorder.accept([co2(3.0, clock.advance(MINUTE_MS))])
            if lab.engine.active():
                break
        assert lab.engine.active()[0].since == START + MINUTE_MS
        assert clock.now() == START + 11 * MINUTE_MS  # ten minutes after the first low value, restart or not


async def test_culture_facts_are_readings_of_the_batch_also_after_a_stop_in_between(
    opened: OpenLab, clock: SteppedClock, tmp_path: Path
) -> None:
    look = do.ObserveConfluence(vessels="B-1-P0", confluence_pct=42.0, method="visual", n_fields=3)
    async with opened() as lab:
        await seed_batch(lab, clock)
        await act(lab, Command("B-1", look), OPERATOR)
        await lab.store.flush()
        assert lab.store.latest()["batch:B-1/confluence"].value == 42.0
    shutil.rmtree(tmp_path / "telemetry")  # as if the store had kept none of it
    async with opened() as lab:
        await lab.store.flush()
        series = await lab.store.series("batch:B-1/confluence", START, clock.now() + 1)
        assert series.value.tolist() == [42.0]


async def test_a_chamber_without_calibration_takes_no_batch(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        with pytest.raises(GateFailed, match="G3: incubator_2 has no calibration on record"):
            await seed_batch(lab, clock, "incubator_2")
        assert lab.ledger.read("batch:B-1")[-1].type == "command_refused"


async def test_a_bad_result_file_is_moved_aside_and_recorded(
    opened: OpenLab, clock: SteppedClock, tmp_path: Path
) -> None:
    (tmp_path / "counts" / "export.csv").write_text("this is no export\n")
    async with opened() as lab:
        for device, result in await lab.acquisition.collect(clock.now()):
            await lab.take(device, result)
        (record,) = lab.ledger.read("results")
        assert record.type == "result_not_attributed"
        assert record.data["source_file"] == "export.csv"
    assert (tmp_path / "counts" / "rejected" / "export.csv").read_text() == "this is no export\n"


async def test_a_dead_device_is_recorded_once_and_stored_as_bad(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        for _ in range(5):
            await lab.recorder.accept(await lab.acquisition.poll_once(clock.advance(MINUTE_MS)))
            await lab.settle()
        assert [event.type for event in lab.ledger.read("device:incubator_1")] == ["device_lost"]
        gaps = await lab.store.gaps(START, clock.now() + 1)
        assert {gap.reason for gap in gaps} == {Reason.NOT_CONNECTED}
        assert len(gaps) == 8
        link = health_of(lab)["devices"]["incubator_1"]  # type: ignore[index]
        assert (link["misses"], link["reason"]) == (5, Reason.NOT_CONNECTED.text) and link["detail"]


async def test_a_store_that_fails_is_an_alarm_and_alarms_go_on_from_memory(
    opened: OpenLab, clock: SteppedClock, tmp_path: Path
) -> None:
    def low(at: int) -> Reading:
        return Reading("incubator_1/co2", 3.0, Quality.GOOD, Reason.NONE, at, at)

    async with opened() as lab:
        await lab.store.flush()
        db = sqlite3.connect(tmp_path / "telemetry" / "journal.sqlite", isolation_level=None)
        db.execute("CREATE TRIGGER full BEFORE INSERT ON frames BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        for minute in range(12):
            lab._accept([low(clock.now())])
            await lab.store.flush()
            await asyncio.sleep(0)
            assert lab.store.failure is not None and lab.store.count() == 0
            active = [view.rule.id for view in lab.engine.active()]
            assert "cultureops/readings_not_kept" in active
            assert len(active) == (2 if minute > 10 else 1) or minute == 10
            clock.advance(MINUTE_MS)
        db.execute("DROP TRIGGER full")
        db.close()
        await lab.recorder.accept([low(clock.now())])
        lab._watch_store()
        assert lab.store.count() == 13  # nothing that was accepted is lost
        views = {view.rule.id: view for view in lab.engine.active()}
        assert not views["cultureops/readings_not_kept"].state.is_active
        await lab.settle()
        raised = [event for event in lab.ledger.read_all() if event.stream == "alarm:cultureops/readings_not_kept"]
        assert len(raised) == 2


async def test_hours_without_any_reading_are_a_gap_of_the_batch(opened: OpenLab, clock: SteppedClock) -> None:
    """A program that did not run has stored no BAD reading either: nobody knows what the chamber did."""
    async with opened() as lab:
        await seed_batch(lab, clock)
        seeded_at = clock.now()
        for minute in range(180):
            now = clock.advance(MINUTE_MS)
            if not 60 <= minute < 120:
                await lab.recorder.accept([co2(5.0, now)])
        batch = lab.batches.get("B-1")
        assert batch is not None
        seen = {gap.channel: gap for gap in await lab.gaps_seen_by(batch)}
        gap = seen["incubator_1/co2"]
        assert (gap.start, gap.end) == (seeded_at + 60 * MINUTE_MS, seeded_at + 121 * MINUTE_MS)
        assert gap.reason == "no reading" and gap.chamber == "incubator_1"
        never = seen["incubator_1/temperature"]
        assert never.end - never.start >= 180 * MINUTE_MS, "a channel that never spoke is unknown all the time"
