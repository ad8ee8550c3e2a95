"""The script of a frozen product, as Karussis et al. 2010 (K) made it; numbers come from counts and the recipe.

What K leaves open is this laboratory's own: 8 flasks, then at most 40 at 4,000 cells/cm2, trypsin, vials of 20 million.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from cultureops.batch import commands as do
from cultureops.batch.recipe_schema import Resuspension
from cultureops.clock import DAY_MS, MINUTE_MS, Instant
from cultureops.demo.close import close
from cultureops.demo.cultivation import Cultivation, Habits
from cultureops.demo.delivery import deliver
from cultureops.demo.frozen_cells import ML_PER_VIAL, FrozenCells
from cultureops.demo.intake import intake
from cultureops.demo.lab import BATH, BATH_TEMPERATURE, COLD_ROOM
from cultureops.demo.laboratory import Laboratory
from cultureops.demo.people import WITNESS
from cultureops.demo.stock import FICOLL, LOW_GLUCOSE_MEDIUM, SALINE
from cultureops.demo.washing import WashVolume, wash
from cultureops.demo.work import Work

__all__ = ["frozen_product"]

FLASKS: Final = (8, 40)
CELLS_PER_FLASK: Final = 24_000_000
RESEED_CELLS_PER_CM2: Final = 4_000.0
RETAINED_SHARE: Final = 0.04
WASHES: Final = (WashVolume(added_ml=190.0, left_ml=5.0), WashVolume(added_ml=195.0, left_ml=5.0))
FROZEN_TESTS: Final = ("mycoplasma", "identity")
PRODUCT_TESTS: Final[dict[str, do.Route | None]] = {"endotoxin-IT": "IT", "endotoxin-IV": "IV"}


def frozen_product(work: Work) -> AsyncIterator[Instant]:
    """Return the script; each yielded instant is when the technician comes back to it."""
    return _FrozenProduct(work).play()


class _FrozenProduct:
    def __init__(self, work: Work) -> None:
        recipe = work.recipe
        assert recipe.freezing is not None and recipe.transfer is not None
        assert recipe.washing is not None and recipe.resuspension is not None
        self._work = work
        self._diluent = recipe.washing.diluent.text
        self._resuspension: Resuspension = recipe.resuspension
        self._laboratory = Laboratory(work)
        habits = Habits(FLASKS, "dmem_low_glucose", LOW_GLUCOSE_MEDIUM, "trypsin-EDTA", 0.25, RESEED_CELLS_PER_CM2)
        self._cultivation = Cultivation(work, habits)
        self._frozen = FrozenCells(work, self._cultivation, self._laboratory, recipe.freezing, recipe.transfer)

    async def play(self) -> AsyncIterator[Instant]:
        """Go through the whole process."""
        for part in (
            self._start,
            self._culture,
            self._frozen.freeze,
            self._frozen.keep,
            self._frozen.bring,
            self._thaw_and_wash,
            self._make_product,
            self._deliver,
        ):
            async for wake in part():
                yield wake
        async for wake in close(self._work, self._laboratory):
            yield wake

    async def _start(self) -> AsyncIterator[Instant]:
        """Bone Marrow Aspiration: about 200 mL."""
        async for wake in intake(self._work, (190.0, 215.0), "large_aspirate", FICOLL):
            yield wake
        await self._cultivation.seed_primary(FLASKS[0] * CELLS_PER_FLASK)

    async def _culture(self) -> AsyncIterator[Instant]:
        """MSC Preparation and Culture: 40 to 60 days, a sterility sample at two weeks."""
        work, cultivation = self._work, self._cultivation
        while True:
            yield work.next_morning()
            await self._sample_sterility()
            await self._laboratory.read_due()
            if await cultivation.look() < work.recipe.passage.confluence.value or not self._may_detach():
                await cultivation.feed_if_due()
                continue
            is_last = work.passage == len(FLASKS) - 1
            if is_last:
                await self._laboratory.sample_passage(*FROZEN_TESTS)
            async for wake in cultivation.detach_and_count():
                yield wake
            if is_last:
                await cultivation.harvest()
                return
            await cultivation.passage()

    def _may_detach(self) -> bool:
        """Whether the last passage has grown for as long as the process has it, at least."""
        batch, shortest = self._work.batch, self._work.recipe.culture.duration_min
        if self._work.passage < len(FLASKS) - 1 or shortest is None:
            return True
        return self._work.now - (batch.culture_started_at or 0) >= shortest.value * DAY_MS

    async def _sample_sterility(self) -> None:
        """Draw the one sterility sample when the recipe says."""
        work, due = self._work, self._work.recipe.qc.sample_due
        assert due is not None
        is_drawn = any(sample.test == "sterility" for sample in work.batch.qc)
        if not is_drawn and work.now - (work.batch.culture_started_at or 0) >= due.value * DAY_MS:
            await self._laboratory.sample_passage("sterility")

    async def _thaw_and_wash(self) -> AsyncIterator[Instant]:
        """37 °C water bath, then washed in normal saline, and counted."""
        work = self._work
        yield work.now + 15 * MINUTE_MS
        began, n_vials = work.now, len(work.batch.vials_in("received"))
        yield began + 3 * MINUTE_MS
        await work.act("thaw", n_vials=n_vials)
        volume_ml = n_vials * ML_PER_VIAL
        await work.do(
            do.Thaw(
                bath=BATH,
                bath_temperature_c=round(work.shown(BATH_TEMPERATURE), 2),
                started_at=began,
                ended_at=work.now,
                volume_ml=volume_ml,
            ),
            witness=WITNESS,
        )
        async for wake in wash(work, volume_ml, WASHES, self._diluent):
            yield wake
        async for wake in self._cultivation.count("washed"):
            yield wake

    async def _make_product(self) -> AsyncIterator[Instant]:
        """10 to 15 million cells per mL; two thirds intrathecal, one third intravenous."""
        work, cultivation, left_ml = self._work, self._cultivation, WASHES[-1].left_ml
        counted = cultivation.pooled(work.batch.counts_of("washed", None, work.batch.washes[-1].at))
        density = (self._resuspension.density_min.value + self._resuspension.density_max.value) / 2
        volume_ml = max(left_ml, round(counted.viable_density_1e6_per_ml * left_ml * 0.97 / density, 2))
        await work.act("resuspend", volume_ml=volume_ml)
        await work.do(
            do.Resuspend(
                diluent=self._diluent, diluent_lot=SALINE, volume_ml=volume_ml, viable_density_1e6_per_ml=density
            )
        )
        async for wake in cultivation.count("product"):
            yield wake
        await self._formulate(density)
        await self._laboratory.sample_product(PRODUCT_TESTS)
        yield work.now + 45 * MINUTE_MS
        await self._laboratory.read_product(PRODUCT_TESTS)
        await self._laboratory.review()
        await self._laboratory.release()

    async def _formulate(self, density_1e6_per_ml: float) -> None:
        work, made = self._work, self._work.batch.resuspension
        assert made is not None
        for_doses = made.viable_cells * (1 - RETAINED_SHARE)
        doses = []
        routes: tuple[do.Route, ...] = ("IT", "IV")
        for name in routes:
            fraction = work.recipe.dose.routes[name].fraction
            assert fraction is not None
            cells = int(for_doses * fraction.value)
            volume_ml = round(cells / 1e6 / density_1e6_per_ml, 2)
            doses.append(do.Dose(route=name, viable_cells=cells, volume_ml=volume_ml, container=work.sample(name)))
        await work.do(
            do.Formulate(
                weight_kg=work.patient.weight_kg,
                weighed_at=work.now - DAY_MS,
                doses=tuple(doses),
                retained_cells=made.viable_cells - sum(dose.viable_cells for dose in doses),
                stored_in=COLD_ROOM,
            ),
            witness=WITNESS,
        )

    async def _deliver(self) -> AsyncIterator[Instant]:
        """Both doses in one session."""
        yield self._work.now + 15 * MINUTE_MS
        async for wake in deliver(self._work, transit_min=30, before_dose_min=15):
            yield wake
