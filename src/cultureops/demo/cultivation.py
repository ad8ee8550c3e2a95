"""Moves of the culture: seed, look, feed, detach, count, passage, harvest."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from cultureops.batch import commands as do
from cultureops.batch.counts import PooledCount, pool
from cultureops.batch.parts import CountRecord
from cultureops.clock import HOUR_MS, MINUTE_MS, Instant
from cultureops.demo.lab import COUNTER, INCUBATOR_DEVICES
from cultureops.demo.stock import TRYPSIN
from cultureops.demo.work import Work
from cultureops.errors import CultureOpsError

__all__ = ["FLASK", "FLASK_CM2", "Cultivation", "Habits"]

FLASK: Final = "T175 flask"
FLASK_CM2: Final = 175.0
LOOKS: Final = 3
ML_PER_FLASK: Final = 25.0
SUSPENSION_ML_PER_FLASK: Final = 5.0
COUNT_WITHIN_MS: Final = 30 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Habits:
    """What a laboratory does its own way where the process leaves it open; ``flasks`` are the most of each passage."""

    flasks: tuple[int, ...]
    medium: str
    medium_lot: str
    enzyme: str
    enzyme_pct: float
    reseed_cells_per_cm2: float


class Cultivation:
    """One patient's cells in flasks."""

    def __init__(self, work: Work, habits: Habits) -> None:
        self._work = work
        self._habits = habits
        self.suspension_ml = 0.0
        """What the vessels were detached into last."""

    async def seed_primary(self, cells: int) -> None:
        """Seed mononuclear cells as P0; what goes into no flask is stated as discarded."""
        work, flasks = self._work, self._habits.flasks[0]
        chamber = await self._place(0, flasks, cells)
        await work.do(
            do.Seed(
                vessels=work.vessels(0),
                vessel_type=FLASK,
                n_vessels=flasks,
                area_cm2=FLASK_CM2,
                medium_lot=self._habits.medium_lot,
                chamber=chamber,
                cells_total=cells,
                discarded_cells=(work.batch.mnc_count or 0) - cells,
            )
        )

    async def look(self) -> float:
        """Judge confluence by eye in some fields; never less than the day before within a passage."""
        work = self._work
        await self._open()
        looks = [await work.act("look") for _ in range(LOOKS)]
        seen = float(sum(look["confluence_pct"] for look in looks)) / LOOKS
        before = work.batch.confluence()
        confluence_pct = round(max(seen, before.pct if before else 0.0), 1)
        await work.do(
            do.ObserveConfluence(vessels=work.vessels(), confluence_pct=confluence_pct, method="visual", n_fields=LOOKS)
        )
        return confluence_pct

    async def feed_if_due(self) -> None:
        """Change the medium as often as the recipe says."""
        work = self._work
        batch, culture = work.batch, work.recipe.culture
        changed_at, started_at = batch.medium_changed_at, batch.passage_started_at or 0
        is_first = batch.passage == 0 and (changed_at is None or changed_at <= started_at)
        hours = (work.now - max(changed_at or 0, started_at)) / HOUR_MS
        due_h = culture.first_medium_change_min.value if is_first else culture.medium_interval_min.value * 24
        if hours < due_h:
            return
        await self._open()
        await work.act("feed")
        flasks = batch.vessels.n_vessels if batch.vessels else 1
        await work.do(
            do.ChangeMedium(
                vessels=work.vessels(),
                volume_ml=ML_PER_FLASK * flasks,
                medium_lot=self._habits.medium_lot,
                removed_nonadherent=is_first,
            )
        )

    async def detach_and_count(self) -> AsyncIterator[Instant]:
        """Detach the cells and wait for their counts."""
        await self._open()
        group = self._work.batch.vessels
        self.suspension_ml = SUSPENSION_ML_PER_FLASK * (group.n_vessels if group is not None else 1)
        await self._work.act("harvest", volume_ml=self.suspension_ml)
        async for wake in self.count(f"P{self._work.passage}-harvest"):
            yield wake

    async def count(self, stage: str) -> AsyncIterator[Instant]:
        """Count two replicates and wait until the instrument's results have reached the batch."""
        work = self._work
        wanted = [work.sample(f"{stage}-{replicate}") for replicate in (1, 2)]
        for sample_id in wanted:
            await work.act("count", sample_id=sample_id, counter=COUNTER)
        give_up = work.now + COUNT_WITHIN_MS
        while not work.has_counted(wanted):
            if work.now > give_up:
                raise CultureOpsError(f"{COUNTER} handed over no results for {', '.join(wanted)} in 30 min")
            yield work.now + MINUTE_MS

    def pooled(self, counts: tuple[CountRecord, ...]) -> PooledCount:
        """Take replicates together as the recipe does."""
        return pool(counts, self._work.recipe.counting)

    def harvested_cells(self) -> int:
        """The viable cells of the present passage, by their counts."""
        counted = self.pooled(self._work.batch.counts_of("harvest", self._work.batch.passage))
        return round(counted.viable_density_1e6_per_ml * 1e6 * self.suspension_ml)

    async def passage(self) -> None:
        """Seed what was detached into new flasks; what does not fit is stated as discarded."""
        work, habits = self._work, self._habits
        following, harvested = work.passage + 1, self.harvested_cells()
        per_flask = habits.reseed_cells_per_cm2 * FLASK_CM2
        flasks = min(habits.flasks[following], math.floor(harvested * 0.95 / per_flask))
        cells = int(flasks * per_flask)
        detachment = self._detachment()
        await work.act("discard")
        chamber = await self._place(following, flasks, cells)
        await work.do(
            do.Passage(
                **detachment,
                new_vessels=work.vessels(following),
                vessel_type=FLASK,
                n_vessels=flasks,
                area_cm2=FLASK_CM2,
                medium_lot=habits.medium_lot,
                chamber=chamber,
                cells_seeded=cells,
                discarded_cells=harvested - cells,
            )
        )

    async def harvest(self) -> None:
        """Take what was detached for the product."""
        await self._work.do(do.Harvest(**self._detachment()))

    def cells_for_product(self) -> int:
        """What the harvest brought, by the record."""
        harvested = self._work.batch.harvest
        return 0 if harvested is None else harvested.harvested_viable_cells

    async def _place(self, passage: int, flasks: int, cells: int) -> str:
        """Put cells into flasks and the flasks into the incubator of that passage; returns its name."""
        work = self._work
        chamber = work.patient.incubators[passage]
        await work.open_door(chamber)
        await work.act(
            "seed",
            culture=work.vessels(passage),
            chamber=INCUBATOR_DEVICES[chamber],
            cells=cells,
            n_vessels=flasks,
            area_cm2=FLASK_CM2,
            passage=passage,
            medium=self._habits.medium,
        )
        return chamber

    async def _open(self) -> None:
        batch = self._work.batch
        await self._work.open_door(batch.chamber or self._work.patient.incubators[0])

    def _detachment(self) -> dict[str, Any]:
        return {
            "vessels": self._work.vessels(),
            "enzyme": self._habits.enzyme,
            "enzyme_pct": self._habits.enzyme_pct,
            "exposure_min": 4.0,
            "suspension_ml": self.suspension_ml,
            "enzyme_lot": TRYPSIN,
        }
