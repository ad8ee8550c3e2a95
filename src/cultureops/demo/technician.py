"""The scripted technician: works through the process of Tavakol-Afshari 2021, day by day.

Sees only instruments, result files and noisy eyes, never the simulator's truth. Every step goes through the same
commands as a person's would; numbers come from counts and from the recipe. T = Tavakol-Afshari et al. 2021.
"""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator
from typing import Any, Final, Literal

from cultureops.batch import commands as do
from cultureops.batch.batch import Batch
from cultureops.batch.counts import pool
from cultureops.batch.field import Details
from cultureops.batch.recipe_schema import Recipe
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant
from cultureops.demo.fleet import Fleet
from cultureops.demo.lab import COUNTER, INCUBATORS
from cultureops.errors import CultureOpsError
from cultureops.lab import Lab
from cultureops.ledger.event import Actor

__all__ = ["Technician"]

OPERATOR: Final = Actor("operator-1", "OP")
WITNESS: Final = Actor("operator-2", "OP")
LABORATORY: Final = Actor("quality-control-1", "QC")
REVIEWER: Final = Actor("reviewer-1", "RV")
QUALIFIED_PERSON: Final = Actor("qualified-person-1", "QP")
LOGISTICS: Final = Actor("logistics-1", "ST")
CLINIC: Final = Actor("clinic-1", "CL")
CLINIC_WITNESS: Final = Actor("clinic-2", "CL")
QUALITY_ASSURANCE: Final = Actor("quality-assurance-1", "QA")

BATCH_ID: Final = "B-2026-001"
PATIENT_TOKEN: Final = "COI-7F3K2"
FLASK: Final = "T175 flask"
FLASK_CM2: Final = 175.0
CHAMBERS: Final = ("incubator_1", "incubator_2", "incubator_4", "incubator_3")
DEVICES_OF: Final = dict(zip(("incubator_1", "incubator_2", "incubator_3", "incubator_4"), INCUBATORS, strict=True))
FLASKS_OF_PASSAGE: Final = (12, 6, 36, 48)
WEIGHT_KG: Final = 68.0
MORNING_H: Final = 9
LOOKS: Final = 3
RETAINED_CELLS: Final = 2_000_000
COUNT_WITHIN_MS: Final = 30 * MINUTE_MS
ACKNOWLEDGES_AFTER_MS: Final = 20 * MINUTE_MS


class Technician:
    """Does what is due, when it is due; ``work`` is called at every step of lab time."""

    def __init__(self, lab: Lab, fleet: Fleet, recipe: Recipe, seed: int) -> None:
        self.batch_id = BATCH_ID
        self.is_done = False
        self._lab = lab
        self._fleet = fleet
        self._recipe = recipe
        self._random = random.Random(f"technician {seed}")
        self._script = self._whole_process()
        self._wake: Instant = 0

    async def work(self, now: Instant) -> None:
        """Do what is due by ``now``; raises what a refused command says."""
        await self._acknowledge_alarms(now)
        if self.is_done or now < self._wake:
            return
        try:
            self._wake = await anext(self._script)
        except StopAsyncIteration:
            self.is_done = True

    async def _acknowledge_alarms(self, now: Instant) -> None:
        for alarm in self._lab.engine.active():
            if alarm.state.wants_acknowledgement and now - alarm.raised_at >= ACKNOWLEDGES_AFTER_MS:
                await self._lab.acknowledge(alarm.rule.id, OPERATOR.id, "seen; cause looked for at the chamber")

    async def _whole_process(self) -> AsyncIterator[Instant]:
        """The script: each yielded instant is when the technician comes back to it."""
        for part in (self._receive, self._culture, self._make_product, self._deliver, self._close):
            async for wake in part():
                yield wake

    async def _receive(self) -> AsyncIterator[Instant]:
        """T 2.3 and 2.4: marrow, density gradient, primary culture."""
        await self._do(do.CreateBatch(patient_token=PATIENT_TOKEN, recipe=self._recipe.name))
        await self._do(do.RecordConsent(form="consent form v3", eligible=True))
        yield self._now + 30 * MINUTE_MS
        await self._do(
            do.ReceiveMarrow(
                marrow_ml=round(self._random.uniform(11.5, 13.0), 1),
                collected_at=self._now - 2 * HOUR_MS,
                anticoagulant="heparin",
                receipt_temperature_c=round(self._random.uniform(18.0, 22.0), 1),
                donor_markers="HIV, HBV, HCV, syphilis negative",
                scans=(PATIENT_TOKEN, PATIENT_TOKEN),
            ),
            witness=WITNESS,
        )
        yield self._now + 3 * HOUR_MS
        mononuclear_cells = round(self._random.uniform(3.8e7, 4.4e7), -5)
        await self._do(
            do.Isolate(
                method=self._recipe.isolation.method.text,
                reagent_lots=("FICOLL-2025-11",),
                mnc_count=int(mononuclear_cells),
                viability_pct=round(self._random.uniform(95.0, 98.5), 1),
            )
        )
        yield self._now + 30 * MINUTE_MS
        flasks = FLASKS_OF_PASSAGE[0]
        cells = int(flasks * self._recipe.seeding.cells_per_vessel.value)
        await self._seed(0, flasks, cells)
        await self._do(
            do.Seed(
                vessels=self._vessels(0),
                vessel_type=FLASK,
                n_vessels=flasks,
                area_cm2=FLASK_CM2,
                medium_lot="MEDIUM-2026-01",
                chamber=CHAMBERS[0],
                cells_total=cells,
            )
        )
        await self._sample_passage()

    async def _culture(self) -> AsyncIterator[Instant]:
        """T 2.4: medium twice a week, passage at 80 % confluence, harvest at the second or third passage."""
        while True:
            yield self._next_morning()
            await self._read_due_tests()
            confluence_pct = await self._look()
            if confluence_pct < self._recipe.passage.confluence.value:
                await self._feed_if_due()
                continue
            async for wake in self._detach_and_count():
                yield wake
            if self._is_enough():
                await self._do(do.Harvest(**self._detachment()))
                return
            await self._passage()

    async def _make_product(self) -> AsyncIterator[Instant]:
        """T 2.5: 1e6 cells per kg by each route, intrathecal in 2 mL and intravenous in 50 to 60 mL of saline."""
        per_kg = self._recipe.dose.routes["IT"].cells_per_kg.value
        dose_cells = int(per_kg * WEIGHT_KG)
        density = dose_cells / 2.0 / 1e6
        passage = self._batch.passage or 0
        yield self._now + 40 * MINUTE_MS
        harvested = self._harvest_cells()
        volume_ml = round(harvested * 0.97 / 1e6 / density, 2)
        await self._fleet.act("resuspend", culture=self._vessels(passage), volume_ml=volume_ml)
        await self._do(
            do.Resuspend(
                diluent="0.9 % saline",
                diluent_lot="SALINE-2026-02",
                volume_ml=volume_ml,
                viable_density_1e6_per_ml=round(density, 2),
            )
        )
        async for wake in self._count("product"):
            yield wake
        await self._do(
            do.Formulate(
                weight_kg=WEIGHT_KG,
                weighed_at=self._now - DAY_MS,
                doses=(
                    do.Dose(route="IT", viable_cells=dose_cells, volume_ml=2.0, container=f"{BATCH_ID}.IT"),
                    do.Dose(route="IV", viable_cells=dose_cells, volume_ml=55.0, container=f"{BATCH_ID}.IV"),
                ),
                retained_cells=self._resuspended_cells() - 2 * dose_cells,
            ),
            witness=WITNESS,
        )
        async for wake in self._test_product():
            yield wake
        await self._review_and_release()

    async def _deliver(self) -> AsyncIterator[Instant]:
        """T 2.4 and 2.5: transport at 2-8 degC, both doses in one session."""
        scans = (PATIENT_TOKEN, PATIENT_TOKEN)
        yield self._now + 20 * MINUTE_MS
        await self._do(do.Ship(shipper="SHIPPER-4", logger="LOGGER-17", temperature_c=4.6, scans=scans), LOGISTICS)
        yield self._now + 100 * MINUTE_MS
        arrival = do.ReceiveAtSite(temperature_min_c=3.4, temperature_max_c=5.9, out_of_range_min=0.0, scans=scans)
        await self._do(arrival, CLINIC)
        for dose in self._batch.doses:
            name: Any = dose.route
            route = self._recipe.dose.routes[dose.route]
            yield self._now + 20 * MINUTE_MS
            rate = None if route.rate is None else route.rate.value
            lasts_ms = 2 * MINUTE_MS if rate is None else round(dose.volume_ml / rate * HOUR_MS)
            began = self._now
            yield began + lasts_ms
            await self._do(
                do.Administer(
                    route=name,
                    container=dose.container,
                    started_at=began,
                    ended_at=self._now,
                    volume_ml=dose.volume_ml,
                    rate_ml_per_h=rate,
                    level="L3-L4" if dose.route == "IT" else None,
                    scans=scans,
                ),
                CLINIC,
                CLINIC_WITNESS,
            )

    async def _close(self) -> AsyncIterator[Instant]:
        """The record stays open until the last sterility test has been read for the last time."""
        while self._tests_to_come():
            yield self._next_morning()
            await self._read_due_tests()
        await self._do(do.Close(), QUALITY_ASSURANCE)

    async def _seed(self, passage: int, flasks: int, cells: int) -> None:
        await self._open_door(CHAMBERS[passage])
        await self._fleet.act(
            "seed",
            culture=self._vessels(passage),
            chamber=DEVICES_OF[CHAMBERS[passage]],
            cells=cells,
            n_vessels=flasks,
            area_cm2=FLASK_CM2,
            passage=passage,
        )

    async def _open_door(self, chamber: str, open_s: float = 45.0) -> None:
        await self._fleet.act("door", chamber=DEVICES_OF[chamber], open_s=open_s)

    async def _look(self) -> float:
        """Judge confluence by eye in some fields; never less than the day before within a passage."""
        batch, vessels = self._batch, self._vessels()
        await self._open_door(self._chamber)
        looks = [await self._fleet.act("look", culture=vessels) for _ in range(LOOKS)]
        seen = float(sum(look["confluence_pct"] for look in looks)) / LOOKS
        before = batch.confluence()
        confluence_pct = round(max(seen, before.pct if before else 0.0), 1)
        await self._do(
            do.ObserveConfluence(vessels=vessels, confluence_pct=confluence_pct, method="visual", n_fields=LOOKS)
        )
        return confluence_pct

    async def _feed_if_due(self) -> None:
        batch, culture = self._batch, self._recipe.culture
        changed_at = batch.medium_changed_at
        started_at = batch.passage_started_at or 0
        is_first = batch.passage == 0 and (changed_at is None or changed_at <= started_at)
        hours = (self._now - max(changed_at or 0, started_at)) / HOUR_MS
        due_h = culture.first_medium_change_min.value if is_first else culture.medium_interval_min.value * 24
        if hours < due_h:
            return
        vessels = self._vessels()
        await self._open_door(self._chamber)
        await self._fleet.act("feed", culture=vessels)
        flasks = batch.vessels.n_vessels if batch.vessels else 1
        await self._do(
            do.ChangeMedium(
                vessels=vessels, volume_ml=25.0 * flasks, medium_lot="MEDIUM-2026-01", removed_nonadherent=is_first
            )
        )

    async def _detach_and_count(self) -> AsyncIterator[Instant]:
        await self._open_door(self._chamber)
        await self._fleet.act("harvest", culture=self._vessels(), volume_ml=self._suspension_ml)
        async for wake in self._count(f"P{self._batch.passage}-harvest"):
            yield wake

    async def _count(self, sample: str) -> AsyncIterator[Instant]:
        """Count replicates and wait until the instrument's results have reached the batch."""
        wanted = {f"{BATCH_ID}.{sample}-{replicate}" for replicate in (1, 2)}
        culture = self._vessels(self._batch.passage or 0)
        for sample_id in sorted(wanted):
            await self._fleet.act("count", culture=culture, sample_id=sample_id, counter=COUNTER)
        give_up = self._now + COUNT_WITHIN_MS
        while not wanted <= {count.sample_id for count in self._batch.counts}:
            if self._now > give_up:
                raise CultureOpsError(f"{COUNTER} handed over no results for {', '.join(sorted(wanted))} in 30 min")
            yield self._now + MINUTE_MS

    def _is_enough(self) -> bool:
        """Whether the suspension holds both doses and the retained sample, at a passage that may be used."""
        if (self._batch.passage or 0) < self._recipe.passage.harvest_min.value:
            return False
        per_kg = sum(route.cells_per_kg.value for route in self._recipe.dose.routes.values())
        return self._harvest_cells() * 0.9 >= per_kg * WEIGHT_KG + RETAINED_CELLS

    def _harvest_cells(self) -> float:
        batch = self._batch
        counts = batch.counts_of("harvest", batch.passage)
        density = pool(counts, self._recipe.counting).viable_density_1e6_per_ml
        return density * 1e6 * self._suspension_ml

    def _resuspended_cells(self) -> int:
        made = self._batch.resuspension
        assert made is not None
        return made.viable_cells

    def _detachment(self) -> dict[str, Any]:
        return {
            "vessels": self._vessels(),
            "enzyme": self._recipe.passage.enzyme.text,
            "enzyme_pct": self._recipe.passage.enzyme_concentration.value,
            "exposure_min": 4.0,
            "suspension_ml": self._suspension_ml,
        }

    async def _passage(self) -> None:
        passage = (self._batch.passage or 0) + 1
        per_flask = self._recipe.passage.reseed_density.value * FLASK_CM2
        flasks = min(FLASKS_OF_PASSAGE[passage], math.floor(self._harvest_cells() * 0.95 / per_flask))
        cells = int(flasks * per_flask)
        detachment = self._detachment()
        await self._fleet.act("discard", culture=self._vessels())
        await self._seed(passage, flasks, cells)
        await self._do(
            do.Passage(
                **detachment,
                new_vessels=self._vessels(passage),
                vessel_type=FLASK,
                n_vessels=flasks,
                area_cm2=FLASK_CM2,
                medium_lot="MEDIUM-2026-01",
                chamber=CHAMBERS[passage],
                cells_seeded=cells,
            )
        )
        await self._sample_passage()

    async def _sample_passage(self) -> None:
        """T 3.1: sterility tests after each passage."""
        for test in self._recipe.qc.per_passage.texts:
            await self._sample(test, f"P{self._batch.passage}-{test}", "passage", None)

    async def _sample(self, test: Any, name: str, stage: Literal["passage", "product"], route: do.Route | None) -> None:
        methods = {
            "endotoxin": "LAL",
            "mycoplasma": "RT-PCR",
            "sterility": "culture, 14 d",
            "identity": "flow cytometry",
        }
        await self._do(
            do.SampleQc(sample_id=f"{BATCH_ID}.{name}", test=test, method=methods[test], stage=stage, route=route)
        )

    async def _read_due_tests(self) -> None:
        """Enter the results that the laboratory has by now; culture tests are read twice."""
        qc = self._recipe.qc
        for sample in self._batch.qc:
            if sample.stage != "passage":
                continue
            days = (self._now - sample.taken_at) / DAY_MS
            if sample.test != "sterility":
                if not sample.readings and days >= 0.9:
                    await self._result(sample.sample_id, sample.test, final=True)
            elif not sample.readings and days >= qc.sterility_release_read.value:
                await self._result(sample.sample_id, sample.test, final=False)
            elif len(sample.readings) == 1 and days >= qc.sterility_final_read.value:
                await self._result(sample.sample_id, sample.test, final=True)

    def _tests_to_come(self) -> bool:
        return any(not any(reading.final for reading in sample.readings) for sample in self._batch.qc)

    async def _result(self, sample_id: str, test: str, *, final: bool) -> None:
        measured: dict[str, Any] = {"outcome": "negative"}
        if test == "endotoxin" and ".P" not in sample_id:
            measured = {"outcome": "measured", "value_eu_per_ml": round(self._random.uniform(0.01, 0.05), 3)}
        elif test == "identity":
            release = self._recipe.release
            panel = {marker: round(self._random.uniform(97.5, 99.6), 1) for marker in release.positive_markers.texts}
            panel |= {marker: round(self._random.uniform(0.1, 0.9), 1) for marker in release.negative_markers.texts}
            measured = {"outcome": "measured", "panel": panel}
        result = do.RecordQcResult(sample_id=sample_id, final=final, lab="house laboratory", **measured)
        await self._do(result, LABORATORY)

    async def _test_product(self) -> AsyncIterator[Instant]:
        samples: dict[str, do.Route | None] = {"endotoxin-IT": "IT", "endotoxin-IV": "IV", "identity": None}
        for name, route in samples.items():
            await self._sample(name.partition("-")[0], name, "product", route)
        yield self._now + 3 * HOUR_MS
        for name in samples:
            await self._result(f"{BATCH_ID}.{name}", name.partition("-")[0], final=True)

    async def _review_and_release(self) -> None:
        batch = self._batch
        assessments = tuple(
            do.Assessment(subject=exposure.id, impact="short; growth and viability stayed as expected")
            for exposure in batch.exposures
            if exposure.gmp_critical
        )
        gaps = tuple(
            do.Assessment(subject=gap.id, impact="instrument's display and neighbours showed no excursion")
            for gap in await self._lab.gaps_seen_by(batch)
            if gap.end - gap.start > self._recipe.culture.max_gap.value * MINUTE_MS
        )
        await self._do(do.Review(audit_trail_read=True, assessments=assessments + gaps), REVIEWER)
        await self._do(do.Release(), QUALIFIED_PERSON)

    async def _do(self, details: Details, actor: Actor = OPERATOR, witness: Actor | None = None) -> None:
        await self._lab.execute(do.Command(BATCH_ID, details), actor, witness)

    @property
    def _now(self) -> Instant:
        return self._lab.clock.now()

    @property
    def _batch(self) -> Batch:
        batch = self._lab.batches.get(BATCH_ID)
        assert batch is not None
        return batch

    @property
    def _chamber(self) -> str:
        return self._batch.chamber or CHAMBERS[0]

    @property
    def _suspension_ml(self) -> float:
        flasks = self._batch.vessels.n_vessels if self._batch.vessels else FLASKS_OF_PASSAGE[self._batch.passage or 0]
        return 5.0 * flasks

    def _vessels(self, passage: int | None = None) -> str:
        return f"{BATCH_ID}-P{self._batch.passage if passage is None else passage}"

    def _next_morning(self) -> Instant:
        today = self._now // DAY_MS * DAY_MS + MORNING_H * HOUR_MS
        return today if today > self._now else today + DAY_MS
