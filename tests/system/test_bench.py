"""The hands' side of a demo by hand: cells obey what is recorded and done, and time passes only when it is let."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.batch.field import Details
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.demo.bench import DemoBench
from cultureops.demo.director import Director
from cultureops.demo.fleet import start_fleet
from cultureops.demo.hands import Hands
from cultureops.demo.lab import LAB_DAY_ONE, fleet_devices, folders
from cultureops.demo.pace import HandPace
from cultureops.demo.patient import patients_of
from cultureops.demo.people import OPERATOR, WITNESS
from cultureops.demo.site_file import site_text
from cultureops.demo.stock import FICOLL, MEDIUM, TRYPSIN
from cultureops.demo.trouble import AnyTrouble
from cultureops.device.registry import driver_folder
from cultureops.errors import CultureOpsError
from cultureops.lab import Lab, open_lab
from cultureops.ledger.event import Actor
from cultureops.site import read_site
from cultureops.web.bench import BenchView

TOKEN, BATCH = "COI-7F3K2", "B-1"
STEP_MS = 30 * MINUTE_MS


@dataclass
class AtTheBench:
    """A lab in which nobody works, its bench, and what a person does there."""

    lab: Lab
    bench: DemoBench
    pace: HandPace

    @property
    def now(self) -> int:
        return self.lab.clock.now()

    async def do(self, details: Details, witness: Actor | None = None, reason: str = "") -> None:
        await self.lab.execute(Command(BATCH, details, reason=reason), OPERATOR, witness)

    async def act(self, act: str, **fields: str) -> dict[str, str]:
        """Do something by hand; returns what lies on the bench after it."""
        await self.bench.act(act, BATCH, fields)
        return await self.facts()

    async def facts(self) -> dict[str, str]:
        stands = (await self.bench.view()).stands
        return dict(stands[0].facts) if stands else {}

    async def wait(self, until: str) -> None:
        await self.bench.act("wait", "", {"until": until})
        assert self.pace.passing_until is None, "a test waits no longer than a page does"

    async def view(self) -> BenchView:
        return await self.bench.view()


@pytest.fixture
async def hands(tmp_path: Path) -> AsyncIterator[AtTheBench]:
    for inbox in folders(tmp_path):
        inbox.mkdir()
    patients = patients_of("tavakol_afshari_2021")
    devices = fleet_devices(driver_folder("modbus") / "profiles", tmp_path, thaws=False)
    async with start_fleet(tmp_path / "fleet.json", 1, LAB_DAY_ONE, devices) as fleet:
        (tmp_path / "site.toml").write_text(site_text(fleet.wires, tmp_path, 0, STEP_MS // 1000, 60))
        clock = SteppedClock(parse_iso(LAB_DAY_ONE))
        async with open_lab(read_site(tmp_path / "site.toml"), tmp_path, clock, SeededEntropy(1)) as lab:
            pace = HandPace(clock, 3600.0, clock.now() + STEP_MS)
            bench = DemoBench(lab, fleet, pace, patients, 1)
            worker = Hands(lab, bench, pace, {patient.recipe for patient in patients})
            director = Director(lab, fleet, worker, AnyTrouble(clock.now()), pace, 100, STEP_MS)
            running = asyncio.create_task(director.run(lambda _: None))
            await pace.forward(clock.now() + STEP_MS, 20.0)
            try:
                yield AtTheBench(lab, bench, pace)
            finally:
                running.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await running


async def take_in(hands: AtTheBench) -> None:
    """From the clinic's word to cells in flasks."""
    assert dict((await hands.view()).expected[0])["Patient"] == TOKEN
    await hands.do(do.CreateBatch(patient_token=TOKEN, recipe="tavakol_afshari_2021"))
    await hands.do(do.RecordConsent(form="consent form v3", eligible=True))
    box = await hands.act("open_box")
    await hands.do(
        do.ReceiveMarrow(
            marrow_ml=figure(box["Marrow"]),
            collected_at=hands.now - 2 * HOUR_MS,
            anticoagulant=box["Anticoagulant"],
            receipt_temperature_c=figure(box["Temperature in the box"]),
            donor_markers=box["Donor's markers"],
            scans=(TOKEN, TOKEN),
        ),
        WITNESS,
    )
    began = hands.now
    won = await hands.act("spin")
    assert hands.now - began == 2 * HOUR_MS, "what hands do takes its time"
    cells = int(figure(won["Mononuclear cells"]))
    isolated = do.Isolate(method="Ficoll", reagent_lots=(FICOLL,), mnc_count=cells, viability_pct=97.0)
    await hands.do(isolated)
    await hands.do(seed(cells))


def seed(cells: int) -> do.Seed:
    return do.Seed(
        vessels="B-1-P0",
        vessel_type="T175 flask",
        n_vessels=12,
        area_cm2=175.0,
        medium_lot=MEDIUM,
        chamber="incubator_1",
        cells_total=36_000_000,
        discarded_cells=cells - 36_000_000,
    )


def figure(text: str) -> float:
    return float(text.split()[0].replace(",", ""))


async def test_cells_grow_where_the_record_puts_them_and_are_counted_by_the_real_counter(hands: AtTheBench) -> None:
    await take_in(hands)
    await hands.wait("next morning")
    young = await hands.act("look")
    assert young["Vessels"] == "B-1-P0: 12 × T175 flask, incubator_1" and figure(young["Confluence"]) < 30
    feed = do.ChangeMedium(vessels="B-1-P0", volume_ml=300.0, medium_lot=MEDIUM, removed_nonadherent=True)
    await hands.do(feed)
    for _ in range(3):
        await hands.wait("next morning")
    await hands.do(do.Move(vessels="B-1-P0", to_chamber="incubator_2"))
    grown = figure((await hands.act("look"))["Confluence"])
    assert grown > figure(young["Confluence"])
    with pytest.raises(CultureOpsError, match="'count' of batch 'B-1' can't be done"):
        await hands.act("count", sample_id="B-1.P0-harvest-1")
    assert (await hands.act("detach", volume_ml="60"))["In suspension"] == "60 mL"
    for number in (1, 2):
        await hands.act("count", sample_id=f"B-1.P0-harvest-{number}")
    batch = hands.lab.batches.get(BATCH)
    assert batch is not None and [one.sample_id for one in batch.counts] == [f"B-1.P0-harvest-{n}" for n in (1, 2)]
    sample = do.SampleQc(sample_id="B-1.P0-sterility", test="sterility", method="culture", stage="passage")
    await hands.do(sample)
    await hands.do(
        do.Passage(
            vessels="B-1-P0",
            enzyme="trypsin-EDTA",
            enzyme_pct=0.125,
            exposure_min=4.0,
            suspension_ml=60.0,
            enzyme_lot=TRYPSIN,
            new_vessels="B-1-P1",
            vessel_type="T175 flask",
            n_vessels=2,
            area_cm2=175.0,
            medium_lot=MEDIUM,
            chamber="incubator_3",
            cells_seeded=1_000_000,
            discarded_cells=round(batch.counts[0].viable_density_1e6_per_ml * 60e6) - 1_000_000,
        ),
        reason="passaged early",
    )
    assert (await hands.act("look"))["Vessels"] == "B-1-P1: 2 × T175 flask, incubator_3"
    assert not any("can't follow" in one.text for one in (await hands.view()).seen)


async def test_time_stops_for_an_alarm_and_what_can_not_be_done_is_said(hands: AtTheBench) -> None:
    await take_in(hands)
    began = hands.now
    await asyncio.sleep(0)
    assert hands.now == began and hands.pace.paused, "lab time stands still by itself"
    await hands.bench.act("empty_co2", "", {"chamber": "incubator_2"})
    await hands.bench.act("wait", "", {"until": "next morning"})
    assert began < hands.now < began + DAY_MS // 2
    assert "an alarm rings: incubator_2/co2/low" in (await hands.view()).seen[0].text
    (ringing,) = hands.lab.engine.active()
    assert ringing.rule.id == "incubator_2/co2/low"
    await hands.bench.act("mend", "", {"chamber": "incubator_2"})
    wrong: Any
    for act, wrong in (
        ("wait", {"until": "the end"}),
        ("door", {"chamber": "<script>"}),
        ("spin", {}),
        ("juggle", {}),
    ):
        with pytest.raises(CultureOpsError):
            await hands.bench.act(act, BATCH, wrong)
    await hands.do(do.Move(vessels="B-1-P0", to_chamber="clean_room_1"))
    assert (await hands.act("look"))["Vessels"].endswith("clean_room_1")
    with pytest.raises(CultureOpsError, match="volume"):
        await hands.act("detach", volume_ml="half a litre")
