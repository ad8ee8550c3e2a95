"""The script of a fresh product, as Tavakol-Afshari et al. 2021 (T) made it.

Numbers come from counts and from the recipe; how many flasks of each passage is this laboratory's own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from cultureops.batch import commands as do
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant
from cultureops.demo.close import close
from cultureops.demo.cultivation import Cultivation, Habits
from cultureops.demo.delivery import deliver
from cultureops.demo.intake import intake
from cultureops.demo.lab import COLD_ROOM
from cultureops.demo.laboratory import Laboratory
from cultureops.demo.people import WITNESS
from cultureops.demo.stock import FICOLL, MEDIUM, SALINE
from cultureops.demo.work import Work

__all__ = ["fresh_product"]

FLASKS: Final = (12, 6, 36, 48)
RETAINED_CELLS: Final = 2_000_000
IT_ML, IV_ML = 2.0, 55.0
PRODUCT_TESTS: Final[dict[str, do.Route | None]] = {"endotoxin-IT": "IT", "endotoxin-IV": "IV", "identity": None}


def fresh_product(work: Work) -> AsyncIterator[Instant]:
    """Return the script; each yielded instant is when the technician comes back to it."""
    return _FreshProduct(work).play()


class _FreshProduct:
    def __init__(self, work: Work) -> None:
        seeding, passage = work.recipe.seeding, work.recipe.passage
        assert seeding.cells_per_vessel is not None and passage.reseed_density is not None
        assert passage.enzyme is not None and passage.enzyme_concentration is not None
        self._work = work
        self._cells_per_flask = seeding.cells_per_vessel.value
        self._laboratory = Laboratory(work)
        self._cultivation = Cultivation(
            work,
            Habits(
                flasks=FLASKS,
                medium="mem_alpha",
                medium_lot=MEDIUM,
                enzyme=passage.enzyme.text,
                enzyme_pct=passage.enzyme_concentration.value,
                reseed_cells_per_cm2=passage.reseed_density.value,
            ),
        )
        per_kg = {name: route.cells_per_kg for name, route in work.recipe.dose.routes.items()}
        self._doses = {name: int(cells.value * work.patient.weight_kg) for name, cells in per_kg.items() if cells}

    async def play(self) -> AsyncIterator[Instant]:
        """Go through the whole process."""
        for part in (self._start, self._culture, self._make_product, self._deliver):
            async for wake in part():
                yield wake
        async for wake in close(self._work, self._laboratory):
            yield wake

    async def _start(self) -> AsyncIterator[Instant]:
        """T 2.3 and 2.4: marrow, density gradient, primary culture."""
        async for wake in intake(self._work, (11.5, 13.0), "small_aspirate", FICOLL):
            yield wake
        await self._cultivation.seed_primary(int(FLASKS[0] * self._cells_per_flask))
        await self._laboratory.sample_passage(*self._work.recipe.qc.passage_tests)

    async def _culture(self) -> AsyncIterator[Instant]:
        """T 2.4: medium twice a week, passage at 80 % confluence, harvest at the second or third passage."""
        work, cultivation = self._work, self._cultivation
        while True:
            yield work.next_morning()
            await self._laboratory.read_due()
            if await cultivation.look() < work.recipe.passage.confluence.value:
                await cultivation.feed_if_due()
                continue
            async for wake in cultivation.detach_and_count():
                yield wake
            if self._is_enough():
                await cultivation.harvest()
                return
            await cultivation.passage()
            await self._laboratory.sample_passage(*work.recipe.qc.passage_tests)

    def _is_enough(self) -> bool:
        """Whether the suspension holds both doses and the retained sample, at a passage that may be used."""
        if self._work.passage < self._work.recipe.passage.harvest_min.value:
            return False
        return self._cultivation.harvested_cells() * 0.9 >= sum(self._doses.values()) + RETAINED_CELLS

    async def _make_product(self) -> AsyncIterator[Instant]:
        """T 2.5: 1e6 cells per kg by each route, intrathecal in 2 mL and intravenous in 50 to 60 mL of saline."""
        work, doses = self._work, self._doses
        density = round(doses["IT"] / IT_ML / 1e6, 2)
        yield work.now + 40 * MINUTE_MS
        volume_ml = round(self._cultivation.harvested_cells() * 0.97 / 1e6 / density, 2)
        await work.act("resuspend", volume_ml=volume_ml)
        await work.do(
            do.Resuspend(
                diluent="0.9 % saline", diluent_lot=SALINE, volume_ml=volume_ml, viable_density_1e6_per_ml=density
            )
        )
        async for wake in self._cultivation.count("product"):
            yield wake
        made = work.batch.resuspension
        assert made is not None
        await work.do(
            do.Formulate(
                weight_kg=work.patient.weight_kg,
                weighed_at=work.now - DAY_MS,
                doses=(
                    do.Dose(route="IT", viable_cells=doses["IT"], volume_ml=IT_ML, container=work.sample("IT")),
                    do.Dose(route="IV", viable_cells=doses["IV"], volume_ml=IV_ML, container=work.sample("IV")),
                ),
                retained_cells=made.viable_cells - sum(doses.values()),
                stored_in=COLD_ROOM,
            ),
            witness=WITNESS,
        )
        await self._laboratory.sample_product(PRODUCT_TESTS)
        yield work.now + 3 * HOUR_MS
        await self._laboratory.read_product(PRODUCT_TESTS)

    async def _deliver(self) -> AsyncIterator[Instant]:
        """T 2.4 and 2.5: transport at 2-8 °C, both doses in one session."""
        await self._laboratory.review()
        await self._laboratory.release()
        yield self._work.now + 20 * MINUTE_MS
        async for wake in deliver(self._work, transit_min=100, before_dose_min=6):
            yield wake
