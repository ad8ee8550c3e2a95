"""The simulated cells of every batch: what hands do to them, and what follows from the record.

What is recorded without anybody's choice is done to them as soon as it is on record: vessels that were seeded stand in
that incubator, medium that was changed is fresh. What one must look at, detach or count is done by hand before it can
be recorded. A group that was split goes on as one culture, where it was placed last.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from cultureops.batch.batch import Batch, batch_of
from cultureops.demo.fleet import Fleet, FleetFailed
from cultureops.demo.lab import BOX_LOGGER, CENTRIFUGE, COUNTER, DRY_ICE_LOGGER, INCUBATOR_DEVICES
from cultureops.demo.logger_trip import begin_trip
from cultureops.demo.patient import FROZEN
from cultureops.demo.referral import ASPIRATES
from cultureops.lab import Lab
from cultureops.ledger.event import Event

__all__ = ["DOOR_OPEN_S", "Cells"]

DOOR_OPEN_S: Final = 45.0


class Cells:
    """Does to the cells of a simulated lab what its people do; ``say`` is told of a batch what can't be followed."""

    def __init__(self, lab: Lab, fleet: Fleet, say: Callable[[str, str], None]) -> None:
        self._lab, self._fleet, self._say = lab, fleet, say
        self._waiting: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._growing: dict[str, str] = {}
        """Cultures in their vessels, and the chamber in which each stands."""
        self._follow: Mapping[str, Callable[[Batch, Any], Awaitable[None]]] = {
            "seeded": self._seeded,
            "passaged": self._passaged,
            "harvested": self._harvested,
            "medium_changed": self._fed,
            "moved": self._placed,
            "corrected": self._placed,
            "vessels_discarded": self._discarded,
            "resuspended": self._resuspended,
            "frozen": self._frozen,
            "thawed": self._thawed,
            "washed": self._washed,
            "shipped": self._shipped,
            "transferred_out": self._transferred_out,
        }
        lab.ledger.on_append.append(self._note)

    async def run(self) -> None:
        """Follow the record until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.catch_up()

    async def catch_up(self) -> None:
        """Do what follows from all that is on record by now."""
        async with self._turn:
            while self._waiting:
                event = self._waiting.popleft()
                batch = self._lab.batches.get(batch_of(event.stream) or "")
                if batch is None:
                    continue
                try:
                    await self._follow[event.type](batch, event.data)
                except FleetFailed as problem:
                    self._say(batch.id, f"the cells can't follow the record: {problem}")

    def is_growing(self, batch: Batch) -> bool:
        """Whether the cells of the present passage are in their vessels."""
        return culture_of(batch) in self._growing

    async def isolate(self, batch: Batch, marrow_ml: float) -> tuple[int, float]:
        """Spin the marrow; returns the mononuclear cells and their viability [%]."""
        aspirate = ASPIRATES.get(batch.recipe.name, "small_aspirate")
        won = await self._fleet.act("isolate", culture=f"{batch.id}-P0", marrow_ml=marrow_ml, aspirate=aspirate)
        return won["cells"], won["viability_pct"]

    async def look(self, batch: Batch, fields: int) -> tuple[int, ...]:
        """Open the door and judge confluence in some fields [%]."""
        culture = culture_of(batch)
        await self._open(self._growing[culture])
        return tuple([(await self._fleet.act("look", culture=culture))["confluence_pct"] for _ in range(fields)])

    async def detach(self, batch: Batch, volume_ml: float) -> None:
        """Detach the present passage into a suspension [mL]."""
        culture = culture_of(batch)
        await self._open(self._growing[culture])
        await self._fleet.act("harvest", culture=culture, volume_ml=volume_ml)
        del self._growing[culture]

    async def count(self, batch: Batch, sample_id: str) -> None:
        """Put a sample of the present suspension on the counter, which hands its result over by itself."""
        await self._fleet.act("count", culture=culture_of(batch), sample_id=sample_id, counter=COUNTER)

    def _note(self, events: Sequence[Event]) -> None:
        self._waiting += (event for event in events if event.type in self._follow and batch_of(event.stream))
        self._wake.set()

    async def _open(self, chamber: str) -> None:
        await self._fleet.act("door", chamber=INCUBATOR_DEVICES[chamber], open_s=DOOR_OPEN_S)

    async def _seeded(self, batch: Batch, data: Any) -> None:
        await self._seed(batch, 0, data, data["cells_total"])

    async def _passaged(self, batch: Batch, data: Any) -> None:
        await self._throw_away(f"{batch.id}-P{data['passage'] - 1}")
        await self._seed(batch, data["passage"], data, data["cells_seeded"])

    async def _seed(self, batch: Batch, passage: int, data: Any, cells: int) -> None:
        if (chamber := data["chamber"]) not in INCUBATOR_DEVICES:
            raise FleetFailed(f"nothing grows in {chamber}; move the vessels into an incubator")
        await self._open(chamber)
        culture = f"{batch.id}-P{passage}"
        await self._fleet.act(
            "seed",
            culture=culture,
            chamber=INCUBATOR_DEVICES[chamber],
            cells=cells,
            n_vessels=data["n_vessels"],
            area_cm2=data["area_cm2"],
            passage=passage,
            medium="dmem_low_glucose" if batch.recipe.name == FROZEN else "mem_alpha",
        )
        self._growing[culture] = chamber

    async def _harvested(self, batch: Batch, data: Any) -> None:
        if self.is_growing(batch):
            await self.detach(batch, data["suspension_ml"])

    async def _fed(self, batch: Batch, data: Any) -> None:
        if self.is_growing(batch):
            await self._open(self._growing[culture_of(batch)])
            await self._fleet.act("feed", culture=culture_of(batch))

    async def _placed(self, batch: Batch, data: Any) -> None:
        culture, chamber = culture_of(batch), batch.chamber
        if chamber in INCUBATOR_DEVICES and self._growing.get(culture, chamber) != chamber:
            await self._fleet.act("move", culture=culture, chamber=INCUBATOR_DEVICES[chamber])
            self._growing[culture] = chamber

    async def _discarded(self, batch: Batch, data: Any) -> None:
        if not batch.groups:
            await self._throw_away(culture_of(batch))

    async def _throw_away(self, culture: str) -> None:
        self._growing.pop(culture, None)
        await self._fleet.act("discard", culture=culture)

    async def _resuspended(self, batch: Batch, data: Any) -> None:
        await self._fleet.act("resuspend", culture=culture_of(batch), volume_ml=data["volume_ml"])

    async def _frozen(self, batch: Batch, data: Any) -> None:
        n_vials, cells = len(data["vials"]), data["cells_per_vial"]
        harvested: Any = next(event.data for event in reversed(batch.history) if event.type == "harvested")
        share = n_vials * cells / (harvested["harvested_viable_cells"] or 1)
        await self._fleet.act(
            "freeze",
            culture=culture_of(batch),
            taken_ml=harvested["suspension_ml"] * min(1.0, share),
            n_vials=n_vials,
            ml_per_vial=data["volume_ml_per_vial"],
        )

    async def _thawed(self, batch: Batch, data: Any) -> None:
        await self._fleet.act("thaw", culture=culture_of(batch), n_vials=len(data["vials"]))

    async def _washed(self, batch: Batch, data: Any) -> None:
        volumes = {"added_ml": data["vol_added_ml"], "left_ml": data["vol_left_ml"]}
        await self._fleet.act("wash", culture=culture_of(batch), **volumes, centrifuge=CENTRIFUGE)

    async def _shipped(self, batch: Batch, data: Any) -> None:
        await begin_trip(self._fleet, BOX_LOGGER)

    async def _transferred_out(self, batch: Batch, data: Any) -> None:
        await begin_trip(self._fleet, DRY_ICE_LOGGER)


def culture_of(batch: Batch) -> str:
    """Return the name under which the simulators know the cells of a batch's present passage."""
    return f"{batch.id}-P{batch.passage or 0}"
