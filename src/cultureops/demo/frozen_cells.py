"""Moves of the frozen cells: into vials and their places, looked at while they are stored, brought on dry ice."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Final

from cultureops.batch import commands as do
from cultureops.batch.recipe_schema import Freezing, Transfer
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant
from cultureops.demo.cultivation import Cultivation
from cultureops.demo.lab import CRYOSTORE, CRYOSTORE_TEMPERATURE, DRY_ICE_LOGGER
from cultureops.demo.laboratory import Laboratory
from cultureops.demo.logger_trip import begin_trip, end_trip
from cultureops.demo.people import LOGISTICS, QUALITY_ASSURANCE, STORES, WITNESS
from cultureops.demo.stock import CRYO_MEDIUM
from cultureops.demo.work import Work

__all__ = ["ML_PER_VIAL", "FrozenCells"]

CELLS_PER_VIAL: Final = 20_000_000
ML_PER_VIAL: Final = 1.0
FILLED_SHARE: Final = 0.97
"""Of the harvested cells; the rest is lost between tube and vial, and said to be."""
WANTED_CELLS: Final = 90_000_000
"""Viable cells in both doses; Karussis 2010 gave 24.5 to 63.2 million by each route."""
LEFT_OF_FROZEN: Final = 0.65
"""What this laboratory plans to find of frozen cells after thaw and washes."""
FREEZING_MS: Final = 2 * HOUR_MS
"""From the harvest into the store, most of it in the freezer at 1 K a minute."""
STORED_D: Final = 4
TANK: Final = "mve_1"


class FrozenCells:
    """One patient's vials."""

    def __init__(
        self, work: Work, cultivation: Cultivation, laboratory: Laboratory, freezing: Freezing, transfer: Transfer
    ) -> None:
        self._work = work
        self._cultivation = cultivation
        self._laboratory = laboratory
        self._freezing = freezing
        self._transfer = transfer

    async def freeze(self) -> AsyncIterator[Instant]:
        """10 % dimethyl sulfoxide, into liquid nitrogen: named vials at named places."""
        work, harvested = self._work, self._cultivation.cells_for_product()
        yield work.now + FREEZING_MS
        n_vials = math.floor(harvested * FILLED_SHARE / CELLS_PER_VIAL)
        taken_ml = self._cultivation.suspension_ml * n_vials * CELLS_PER_VIAL / harvested
        await work.act("freeze", taken_ml=taken_ml, n_vials=n_vials, ml_per_vial=ML_PER_VIAL)
        await work.handle("lid", device=TANK, open_s=60.0)
        await work.do(
            do.Freeze(
                vials=tuple(self._vial(number) for number in range(1, n_vials + 1)),
                cells_per_vial=CELLS_PER_VIAL,
                volume_ml_per_vial=ML_PER_VIAL,
                cryo_medium=self._freezing.medium.text,
                cryo_medium_lot=CRYO_MEDIUM,
                dmso_pct=self._freezing.dmso.value,
                rate_profile="slow freezing 1",
                cooling_c_per_min=self._freezing.cooling_rate.value,
                store_temperature_c=work.shown(CRYOSTORE_TEMPERATURE),
                discarded_cells=harvested - n_vials * CELLS_PER_VIAL,
            ),
            witness=WITNESS,
        )

    def _vial(self, number: int) -> do.Vial:
        """Name a vial and its place: each batch has a box of its own, filled row by row."""
        box = f"BX-{self._work.patient.batch_id[-3:]}"
        place = do.Place(store=CRYOSTORE, rack="R1", box=box, position=f"{'ABCDEFGHIJ'[(number - 1) // 10]}{number}")
        return do.Vial(vial=self._work.sample(f"V{number:02d}"), place=place)

    async def keep(self) -> AsyncIterator[Instant]:
        """Stored until the patient's appointment; somebody looks at the store now and then."""
        work = self._work
        for _ in range(STORED_D):
            yield work.next_morning()
            await self._laboratory.read_due()
            await work.do(do.CheckStorage(store=CRYOSTORE, temperature_c=work.shown(CRYOSTORE_TEMPERATURE)), STORES)
        wanted = math.ceil(WANTED_CELLS / (CELLS_PER_VIAL * LEFT_OF_FROZEN))
        vials = tuple(vial.id for vial in work.batch.vials_in("stored")[:wanted])
        await self._laboratory.review()
        await work.do(do.AuthoriseThaw(vials=vials, scheduled_for=work.now + DAY_MS + 6 * HOUR_MS), QUALITY_ASSURANCE)

    async def bring(self) -> AsyncIterator[Instant]:
        """To the laboratory on dry ice, with a logger."""
        work, limit = self._work, self._transfer.temperature_max.value
        yield work.next_morning(7.0)
        await begin_trip(work.fleet, DRY_ICE_LOGGER)
        yield work.now + 10 * MINUTE_MS
        packed = await end_trip(work.lab, work.fleet, DRY_ICE_LOGGER, None, limit)
        probe_c = packed.max_c  # its first readings say that it is cold
        await begin_trip(work.fleet, DRY_ICE_LOGGER)
        await work.handle("lid", device=TANK, open_s=90.0)
        out = do.TransferOut(shipper="DRY-3", logger=DRY_ICE_LOGGER, probe_temperature_c=probe_c, scans=work.scans)
        await work.do(out, LOGISTICS)
        yield work.now + 90 * MINUTE_MS
        trip = await end_trip(work.lab, work.fleet, DRY_ICE_LOGGER, None, limit)
        await work.do(
            do.TransferIn(
                logger=DRY_ICE_LOGGER,
                temperature_min_c=trip.min_c,
                temperature_max_c=trip.max_c,
                out_of_range_min=trip.out_of_range_min,
                trace_sha256=trip.sha256,
                scans=work.scans,
            ),
            STORES,
        )
