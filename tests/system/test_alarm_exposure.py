"""Alarms, stays and releases in one lab: who was endangered, also when it turns out late, also after a stop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.people import act
from tests.stock import put_on_shelf
from tests.unit.batch.bench import before, transplant
from tests.unit.batch.conftest import QA, QP

from cultureops.alarms import Act
from cultureops.batch import commands as do
from cultureops.batch.batch import Batch
from cultureops.batch.commands import Command
from cultureops.batch.field import Details
from cultureops.batch.handler import execute
from cultureops.clock import HOUR_MS, MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.device.reading import Quality, Reading, Reason, bad_reading
from cultureops.errors import GateFailed, TransitionRefused
from cultureops.gathering import open_alarms
from cultureops.lab import Lab, open_lab
from cultureops.ledger.event import Actor, Event, NewEvent, Source
from cultureops.ledger.store import SqlLedger
from cultureops.recording import LEDGER_FILE
from cultureops.site import read_site

START = parse_iso("2026-01-05T08:00:00Z")
OPERATOR, WITNESS = Actor("operator-1", "OP"), Actor("operator-2", "OP")
TOKEN = "COI-7F3K2"
SITE = """
[site]
name = "lab"
[[chamber]]
id = "incubator_1"
class = "incubator"
calibrated_until = "2026-12-31T00:00:00Z"
[[chamber]]
id = "incubator_2"
class = "incubator"
calibrated_until = "2026-12-31T00:00:00Z"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:1"
options = { profile = "cultureops_virtual_incubator" }
[[device]]
id = "incubator_2"
chamber = "incubator_2"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:2"
options = { profile = "cultureops_virtual_incubator" }
"""
ALARM = """
[[alarm]]
chamber = "{chamber}"
channel = "co2"
kind = "low"
limit = 4.0
on_delay_s = 600
off_delay_s = 60
priority = "high"
gmp_critical = true
consequence = "The medium turns alkaline."
response = "Check the gas."
[[alarm]]
chamber = "{chamber}"
kind = "communication"
misses = 3
priority = "high"
gmp_critical = true
consequence = "Nobody sees the chamber."
response = "Check the cable."
"""
LOW = "alarm:incubator_1/co2/low"
HALVES = (do.Share(vessels="left", n_vessels=6), do.Share(vessels="right", n_vessels=6))
OpenLab = Callable[[], AbstractAsyncContextManager[Lab]]


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
def opened(tmp_path: Path, clock: SteppedClock) -> OpenLab:
    alarms = "".join(ALARM.format(chamber=chamber) for chamber in ("incubator_1", "incubator_2"))
    (tmp_path / "site.toml").write_text(SITE + alarms)
    site = read_site(tmp_path / "site.toml")
    return lambda: open_lab(site, tmp_path, clock, SeededEntropy(1))


@asynccontextmanager
async def beside(path: Path, clock: SteppedClock) -> Any:
    """Open the ledger as another process does, with no lab that follows it."""
    ledger = SqlLedger.open(path / LEDGER_FILE, clock, SeededEntropy(2))
    try:
        yield ledger
    finally:
        await ledger.close()


async def seed_batch(lab: Lab, clock: SteppedClock, batch_id: str = "B-1", chamber: str = "incubator_1") -> None:
    async def step(details: Details, witness: Actor | None = None) -> None:
        await act(lab, Command(batch_id, details), OPERATOR, witness)

    await put_on_shelf(lab.ledger, clock.now(), f"L-{batch_id}", f"M-{batch_id}")
    await step(do.CreateBatch(patient_token=TOKEN, recipe="tavakol_afshari_2021"))
    await step(do.RecordConsent(form="form", eligible=True))
    marrow = do.ReceiveMarrow(
        marrow_ml=12.0, collected_at=clock.now() - HOUR_MS, anticoagulant="heparin", receipt_temperature_c=20.0,
        donor_markers="negative", scans=(TOKEN, TOKEN),
    )  # fmt: skip
    await step(marrow, WITNESS)
    await step(do.Isolate(method="Ficoll", reagent_lots=(f"L-{batch_id}",), mnc_count=40_000_000, viability_pct=97.0))
    await step(
        do.Seed(
            vessels=f"{batch_id}-P0", vessel_type="T175", n_vessels=12, area_cm2=175.0, medium_lot=f"M-{batch_id}",
            chamber=chamber, cells_total=36_000_000, discarded_cells=4_000_000,
        )
    )  # fmt: skip


async def breathe(lab: Lab, clock: SteppedClock, co2: float, minutes: int, chamber: str = "incubator_1") -> None:
    """Let the chamber show a value, once a minute, and the others that nothing is wrong there."""
    for _ in range(minutes):
        now = clock.advance(MINUTE_MS)
        values = {device: 5.0 for device in lab.acquisition.pollers} | {chamber: co2}
        await lab.recorder.accept(
            [Reading(f"{device}/co2", value, Quality.GOOD, Reason.NONE, now, now) for device, value in values.items()]
        )
        lab.recorder.tick(now)
    await lab.settle()


def batch_of(lab: Lab, batch_id: str = "B-1") -> Batch:
    batch = lab.batches.get(batch_id)
    assert batch is not None
    return batch


def revisions(lab: Lab, stream: str = LOW) -> list[Event]:
    return [event for event in lab.ledger.read(stream) if event.type == "alarm_exposure_revised"]


def moved_late(batch_id: str, to_chamber: str, at: int) -> Command:
    return Command(batch_id, do.Move(vessels=f"{batch_id}-P0", to_chamber=to_chamber), at, "found in the notebook")


async def test_an_alarm_lists_batches_with_figures_and_drafts_a_deviation(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        await seed_batch(lab, clock)
        await breathe(lab, clock, 3.0, 11)
        (raised,) = lab.ledger.read(LOW)
        (row,) = raised.data["exposures"]  # type: ignore[misc, union-attr]
        assert row == {
            "batch_id": "B-1", "minutes": 10.0, "degree_minutes": 10.0, "unknown_minutes": 0.0,
            "degree_unit": "% x min", "reason": "",
        }  # fmt: skip
        (draft,) = batch_of(lab).open_deviations
        assert draft.drafted and "so far 10.0 min, 10 % x min" in draft.description
        (exposed, opened_) = lab.ledger.read("batch:B-1")[-2:]
        assert (exposed.type, opened_.type) == ("alarm_exposed", "deviation_opened")
        assert exposed.position + 1 == opened_.position == raised.position + 2, "one transaction"
        await breathe(lab, clock, 3.0, 9)
        (view,) = lab.engine.active()
        (live,) = await lab.alarming.endangered.of(view, clock.now())
        assert (live.minutes, live.degree_minutes) == (19.0, 19.0)
        await breathe(lab, clock, 5.0, 3)
        ended = lab.ledger.read(LOW)[-1]
        (row,) = ended.data["exposures"]  # type: ignore[misc, union-attr]
        assert (ended.type, row["minutes"], row["degree_minutes"]) == ("alarm_returned", 19.5, 19.25)  # type: ignore[index, call-overload]
        (exposure,) = batch_of(lab).exposures
        assert (exposure.minutes, exposure.degree_minutes, exposure.unknown_minutes) == (19.5, 19.25, 0)
        assert exposure.cleared_at == ended.occurred_at and len(batch_of(lab).deviations) == 1


async def test_a_lost_chamber_is_minutes_without_sight(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        await seed_batch(lab, clock)
        for _ in range(5):
            now = clock.advance(MINUTE_MS)
            await lab.recorder.accept([bad_reading("incubator_1/co2", Reason.TIMEOUT, now, now)])
        await lab.settle()
        (exposure,) = batch_of(lab).exposures
        assert exposure.rule_id == "incubator_1/communication" and exposure.degree_minutes is None
        assert exposure.minutes == exposure.unknown_minutes == 2.0
        assert [draft.kind for draft in batch_of(lab).open_deviations] == ["alarm"]


async def test_a_shelved_alarm_that_comes_tells_the_batch_all_the_same(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        await seed_batch(lab, clock)
        act = Act("operator-1", "cylinder is changed", "operator-2")
        lab._on_transitions([lab.engine.shelve("incubator_1/co2/low", clock.now(), act, clock.now() + 15 * MINUTE_MS)])
        await breathe(lab, clock, 3.0, 11)
        assert lab.engine.active() == ()
        (exposure,) = batch_of(lab).exposures
        assert exposure.suppressed == "SHELVED" and len(batch_of(lab).open_deviations) == 1
        (open_alarm,) = open_alarms(lab.engine)
        assert open_alarm.gmp_critical and open_alarm.raised_at == exposure.raised_at - 10 * MINUTE_MS
        masked = lab.ledger.read(LOW)[-1]
        assert masked.type == "alarm_condition" and masked.data["batch_ids"] == ["B-1"]
        await breathe(lab, clock, 3.0, 6)
        assert [view.rule.id for view in lab.engine.active()] == ["incubator_1/co2/low"]
        assert len(batch_of(lab).deviations) == len(batch_of(lab).exposures) == 1, "the condition is one"


async def test_a_stay_that_is_entered_late_appends_a_revision(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        await seed_batch(lab, clock, "B-1", "incubator_2")
        await breathe(lab, clock, 3.0, 20)
        await breathe(lab, clock, 5.0, 30)
        assert batch_of(lab).exposures == ()
        moved = await act(lab, moved_late("B-1", "incubator_1", START + 15 * MINUTE_MS), OPERATOR)
        cause = moved.history[-1]
        await lab.settle()
        (revision,) = revisions(lab)
        (added,) = revision.data["added"]  # type: ignore[misc, union-attr]
        assert added["batch_id"] == "B-1" and added["minutes"] == pytest.approx(5.5)  # type: ignore[index, call-overload]
        assert revision.data["caused_by"] == {
            "stream": "batch:B-1", "position": cause.position, "event_id": cause.event_id, "type": "moved",
        }  # fmt: skip
        (exposure,) = batch_of(lab).exposures
        assert exposure.cleared_at is not None and len(batch_of(lab).open_deviations) == 1
        told = lab.ledger.read("batch:B-1")[-2]
        assert told.type == "alarm_exposed" and str(told.data["because"]).startswith("moved of 2026-01-05T08:15")


async def test_a_batch_that_had_left_before_is_withdrawn(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        await seed_batch(lab, clock)
        await breathe(lab, clock, 5.0, 10)
        await breathe(lab, clock, 3.0, 15)
        (exposure,) = batch_of(lab).exposures
        assert exposure.wants_assessment
        await act(lab, moved_late("B-1", "incubator_2", START + 5 * MINUTE_MS), OPERATOR)
        await lab.settle()
        (revision,) = revisions(lab)
        assert revision.data["removed"] == ["B-1"] and revision.data["added"] == []
        (exposure,) = batch_of(lab).exposures
        assert exposure.withdrawn_at == clock.now() and not exposure.wants_assessment
        assert [event.data["phase"] for event in lab.ledger.read("batch:B-1") if event.type == "alarm_exposed"] == [
            "raised",
            "withdrawn",
        ]
        await breathe(lab, clock, 5.0, 3)
        assert lab.ledger.read(LOW)[-1].data["batch_ids"] == []
        assert batch_of(lab).exposures == (exposure,)


async def test_a_corrected_stay_appends_a_revision(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        await seed_batch(lab, clock)
        await breathe(lab, clock, 3.0, 15)
        seeded = next(event for event in lab.ledger.read("batch:B-1") if event.type == "seeded")
        data = {
            "event_id": seeded.event_id, "event_type": "seeded", "field": "chamber", "old_value": "incubator_1",
            "value": "incubator_2", "data": dict(seeded.data) | {"chamber": "incubator_2"},
            "occurred_at": "2026-01-05T08:00:00.000Z",
        }  # fmt: skip
        corrected = NewEvent("corrected", data, OPERATOR, Source.HUMAN, reason="wrong label scanned")
        (cause,) = await lab.ledger.append("batch:B-1", [corrected], None)
        await lab.settle()
        (revision,) = revisions(lab)
        assert revision.data["removed"] == ["B-1"]
        assert revision.data["caused_by"]["position"] == cause.position  # type: ignore[index, call-overload]
        assert batch_of(lab).exposures[0].withdrawn_at is not None


async def correct(lab: Lab, event_type: str, field: str, value: str) -> Batch:
    target = next(event for event in reversed(lab.ledger.read("batch:B-1")) if event.type == event_type)
    slip = do.Correct(event_id=target.event_id, field=field, value=value)
    batch = await act(lab, Command("B-1", slip, reason="wrong label scanned"), OPERATOR)
    await lab.settle()
    return batch


async def test_a_person_corrects_the_first_chamber_and_back(opened: OpenLab, clock: SteppedClock) -> None:
    """There and back again: the alarm is withdrawn, then told anew, and quality assurance judges each correction."""
    async with opened() as lab:
        await seed_batch(lab, clock)
        await breathe(lab, clock, 3.0, 15)
        (told,) = batch_of(lab).exposures
        cause = (await correct(lab, "seeded", "chamber", "incubator_2")).history[-2]
        assert cause.type == "corrected"
        (revision,) = revisions(lab)
        assert revision.data["removed"] == ["B-1"] and revision.data["added"] == []
        assert revision.data["caused_by"]["position"] == cause.position  # type: ignore[index, call-overload]
        assert lab.batches.exposed("incubator_1", START, clock.now()) == ()
        assert lab.batches.exposed("incubator_2", START, clock.now()) == ("B-1",)
        (exposure,) = batch_of(lab).exposures
        assert exposure.id == told.id and exposure.withdrawn_at is not None
        assert [one.subject for one in batch_of(lab).open_deviations] == [told.id, "correction"]
        await correct(lab, "seeded", "chamber", "incubator_1")
        assert revisions(lab)[-1].data["added"] != []
        assert [one.withdrawn_at is None for one in batch_of(lab).exposures if one.id == told.id][-1]
        assert [one.subject for one in batch_of(lab).open_deviations].count("correction") == 2
        assert lab.batches.exposed("incubator_1", START, clock.now()) == ("B-1",)


async def test_a_person_corrects_where_vessels_were_carried(opened: OpenLab, clock: SteppedClock) -> None:
    """They are found to have been carried into the chamber whose gas ran low."""
    async with opened() as lab:
        await seed_batch(lab, clock, "B-1", "incubator_1")
        await act(lab, Command("B-1", do.Move(vessels="B-1-P0", to_chamber="incubator_2")), OPERATOR)
        await act(lab, Command("B-1", do.Split(vessels="B-1-P0", into=HALVES)), OPERATOR)
        await breathe(lab, clock, 3.0, 20)
        assert batch_of(lab).exposures == ()
        await correct(lab, "moved", "to_chamber", "incubator_1")
        (revision,) = revisions(lab)
        (added,) = revision.data["added"]  # type: ignore[misc, union-attr]
        assert added["batch_id"] == "B-1" and added["minutes"] == 19.0  # type: ignore[index, call-overload]
        (exposure,) = batch_of(lab).exposures
        assert exposure.wants_assessment and exposure.cleared_at is None
        assert {one.subject for one in batch_of(lab).open_deviations} == {exposure.id, "correction"}
        told = next(event for event in lab.ledger.read("batch:B-1") if event.type == "alarm_exposed")
        assert str(told.data["because"]).startswith("corrected of 2026-01-05T08:")


async def test_a_chamber_that_nobody_knows_is_no_correction(opened: OpenLab, clock: SteppedClock) -> None:
    async with opened() as lab:
        await seed_batch(lab, clock)
        await breathe(lab, clock, 3.0, 15)
        before = lab.ledger.read("batch:B-1")
        with pytest.raises(TransitionRefused, match="nothing is on record about 'incubator_7'; name a chamber"):
            await correct(lab, "seeded", "chamber", "incubator_7")
        await lab.settle()
        assert revisions(lab) == [] and batch_of(lab).exposures[0].withdrawn_at is None
        assert [event.type for event in lab.ledger.read("batch:B-1")[len(before) :]] in ([], ["command_refused"])


async def test_what_was_entered_while_nothing_ran_is_made_good_at_start_and_once(
    opened: OpenLab, clock: SteppedClock, tmp_path: Path
) -> None:
    async with opened() as lab:
        await seed_batch(lab, clock, "B-1", "incubator_2")
        await breathe(lab, clock, 3.0, 20)
        facts = await lab.desk.facts("B-1", OPERATOR, None)
        lookup = lab.recipes.lookup
    async with beside(tmp_path, clock) as ledger:
        await execute(ledger, lookup, moved_late("B-1", "incubator_1", START + 12 * MINUTE_MS), facts)
    for _ in range(2):
        async with opened() as lab:
            await lab.settle()
            assert len(revisions(lab)) == 1
            (exposure,) = batch_of(lab).exposures
            assert exposure.minutes == pytest.approx(8.0) and len(batch_of(lab).deviations) == 1
            head = lab.ledger.head()
    async with opened() as lab:
        await breathe(lab, clock, 5.0, 3)
        assert lab.ledger.head().position == head.position + 2, "the return, and what the batch is told of it"
        assert batch_of(lab).exposures[0].cleared_at == clock.now() - MINUTE_MS


async def test_what_is_entered_and_asked_for_at_once_is_revised_before_a_gate_looks(
    opened: OpenLab, clock: SteppedClock, tmp_path: Path
) -> None:
    """Another process enters a stay; a release that is asked for in the same second already sees its alarm."""
    bench = before("release")
    clock.advance(bench.now - clock.now())
    async with opened() as lab:
        await transplant(lab.ledger, bench, "R-1")
        began = clock.now()
        await breathe(lab, clock, 3.0, 11)
        chamber_of = {stay.chamber for stay in batch_of(lab, "R-1").occupancies if stay.taken is None}
        assert "incubator_1" not in chamber_of
        formulated = next(event for event in lab.ledger.read("batch:R-1") if event.type == "formulated")
        data = {
            "event_id": formulated.event_id, "event_type": "formulated", "field": "stored_in",
            "old_value": str(formulated.data["stored_in"]), "value": "incubator_1",
            "data": dict(formulated.data) | {"stored_in": "incubator_1"},
            "occurred_at": "2026-01-05T08:00:00.000Z",
        }  # fmt: skip
        corrected = NewEvent("corrected", data, OPERATOR, Source.HUMAN, reason="wrong label scanned")
        await lab.ledger.append("batch:R-1", [corrected], None)
        with pytest.raises(GateFailed, match=r"major deviation R-1\.ALM-\w+ drafted by alarm incubator_1/co2/low@"):
            await act(lab, Command("R-1", do.Release()), QP)
        (draft,) = [one for one in batch_of(lab, "R-1").open_deviations if one.drafted]
        found = do.InvestigateDeviation(deviation_id=draft.id, root_cause="cylinder empty", impact="none")
        await act(lab, Command("R-1", found), QA)
        await act(lab, Command("R-1", do.CloseDeviation(deviation_id=draft.id, conclusion="none")), QA)
        with pytest.raises(GateFailed) as failed:
            await act(lab, Command("R-1", do.Release()), QP)
        assert draft.id not in str(failed.value) and "is not assessed" in str(failed.value)
        assert began < clock.now()
