"""What every move of the technician needs: the lab, the simulated instruments, one patient, and the hour."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any, Final

from cultureops.access import Signature
from cultureops.batch.batch import Batch
from cultureops.batch.commands import Command
from cultureops.batch.field import Details
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.rules import RULES
from cultureops.batch.signed import shown_of
from cultureops.clock import DAY_MS, HOUR_MS, Instant
from cultureops.demo.fleet import Fleet
from cultureops.demo.lab import INCUBATOR_DEVICES
from cultureops.demo.patient import Patient
from cultureops.demo.people import OPERATOR
from cultureops.demo.staff import Staff
from cultureops.device.reading import Quality
from cultureops.errors import CultureOpsError
from cultureops.lab import Lab
from cultureops.ledger.event import Actor

__all__ = ["Work"]

MORNING_H: Final = 9


class Work:
    """One patient's batch in hand: commands on it, acts on its cells, values off the instruments."""

    def __init__(self, lab: Lab, fleet: Fleet, staff: Staff, patient: Patient, seed: int) -> None:
        self.lab = lab
        self._staff = staff
        self.patient = patient
        self.recipe: Recipe = lab.recipes.lookup(patient.recipe, None)
        self.random = random.Random(f"technician {seed} {patient.batch_id}")
        self.fleet = fleet

    @property
    def now(self) -> Instant:
        """Lab time."""
        return self.lab.clock.now()

    @property
    def batch(self) -> Batch:
        """The batch as it stands."""
        batch = self.lab.batches.get(self.patient.batch_id)
        assert batch is not None, "the script creates it first"
        return batch

    @property
    def passage(self) -> int:
        """The present passage."""
        return self.batch.passage or 0

    @property
    def scans(self) -> tuple[str, str]:
        """What two scans of the patient's labels read."""
        return (self.patient.token, self.patient.token)

    def vessels(self, passage: int | None = None) -> str:
        """Name the vessels of a passage, by default of the present one."""
        return f"{self.patient.batch_id}-P{self.passage if passage is None else passage}"

    def sample(self, name: str) -> str:
        """Name a sample of this batch."""
        return f"{self.patient.batch_id}.{name}"

    async def do(
        self, details: Details, actor: Actor = OPERATOR, witness: Actor | None = None, reason: str = ""
    ) -> None:
        """Carry out one step, signed where it must be; raises what the refusal says."""
        command = Command(self.patient.batch_id, details, reason=reason)
        await self.lab.execute(command, actor, witness, await self._signed(command, actor, witness))

    async def _signed(self, command: Command, actor: Actor, witness: Actor | None) -> tuple[Signature, ...]:
        rule = RULES.get(type(command.details))
        if rule is None or rule.signed is None:
            return ()
        wanted = [(actor, rule.signed)]
        if witness is not None and rule.countersigned is not None:
            wanted.append((witness, rule.countersigned))
        return await self._staff.sign(shown_of(self.batch, command), wanted)

    async def act(self, act: str, **details: object) -> dict[str, Any]:
        """Do something with one's hands to the present culture, or to what it became."""
        return await self.fleet.act(act, **{"culture": self.vessels(), **details})

    async def handle(self, act: str, **details: object) -> dict[str, Any]:
        """Do something with one's hands to an instrument."""
        return await self.fleet.act(act, **details)

    async def open_door(self, chamber: str, open_s: float = 45.0) -> None:
        """Open an incubator's door for a while."""
        await self.handle("door", chamber=INCUBATOR_DEVICES[chamber], open_s=open_s)

    def shown(self, channel: str) -> float:
        """Return what an instrument showed last; raises CultureOpsError for no value or one that is not good."""
        reading = self.lab.store.latest().get(channel)
        if reading is None or reading.value is None or reading.quality is not Quality.GOOD:
            why = "nothing" if reading is None else reading.reason.text
            raise CultureOpsError(f"{channel} shows no good value ({why}); the step can't be recorded")
        return reading.value

    def has_counted(self, samples: Collection[str]) -> bool:
        """Whether the counter's results of these samples have reached the batch."""
        return set(samples) <= {count.sample_id for count in self.batch.counts}

    def next_morning(self, hour: float = MORNING_H) -> Instant:
        """Return when it is that hour [UTC] next."""
        today = self.now // DAY_MS * DAY_MS + round(hour * HOUR_MS)
        return today if today > self.now else today + DAY_MS
