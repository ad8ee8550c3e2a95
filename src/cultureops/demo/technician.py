"""The scripted technician: works through every patient's process, day by day, one lab with one pair of hands.

Sees only instruments, result files and noisy eyes, never the simulator's truth. Every step goes through the same
commands as a person's would.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

from cultureops.clock import DAY_MS, MINUTE_MS, Instant
from cultureops.demo.fleet import Fleet
from cultureops.demo.karussis import frozen_product
from cultureops.demo.patient import FRESH, FROZEN, Patient
from cultureops.demo.people import OPERATOR
from cultureops.demo.stock import put_into_use
from cultureops.demo.tavakol_afshari import fresh_product
from cultureops.demo.work import Work
from cultureops.lab import Lab

__all__ = ["Technician"]

ACKNOWLEDGES_AFTER_MS: Final = 20 * MINUTE_MS
SCRIPTS: Final[Mapping[str, Callable[[Work], AsyncIterator[Instant]]]] = {
    FRESH: fresh_product,
    FROZEN: frozen_product,
}


class _Play:
    """One patient's script, and when it goes on; None: it is over."""

    def __init__(self, script: AsyncIterator[Instant], wake: Instant) -> None:
        self._script = script
        self.wake: Instant | None = wake

    async def go_on(self) -> None:
        """Play until the script waits again."""
        self.wake = await anext(self._script, None)


class Technician:
    """Does what is due, when it is due; ``work`` is called at every step of lab time."""

    def __init__(self, lab: Lab, fleet: Fleet, patients: Sequence[Patient], seed: int) -> None:
        self.batch_ids = tuple(patient.batch_id for patient in patients)
        self._lab, self._fleet, self._patients, self._seed = lab, fleet, patients, seed
        self._start = lab.clock.now()
        self._plays: tuple[_Play, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether every script is over."""
        return bool(self._plays) and all(play.wake is None for play in self._plays)

    @property
    def idle_until(self) -> Instant:
        """When there is something to do next [ms UTC]."""
        return min((play.wake for play in self._plays if play.wake is not None), default=0)

    async def work(self, now: Instant) -> None:
        """Do what is due by ``now``; raises what a refused command says."""
        if not self._plays:
            await self._begin()
        await self._acknowledge_alarms(now)
        for play in self._plays:
            if play.wake is not None and now >= play.wake:
                await play.go_on()

    async def _begin(self) -> None:
        """Give people their accounts, put lab and recipes into use, and begin with every patient."""
        staff = await put_into_use(self._lab, {patient.recipe for patient in self._patients})
        self._plays = tuple(
            _Play(
                SCRIPTS[patient.recipe](Work(self._lab, self._fleet, staff, patient, self._seed)),
                self._start + patient.start_day * DAY_MS,
            )
            for patient in self._patients
        )

    async def _acknowledge_alarms(self, now: Instant) -> None:
        for alarm in self._lab.engine.active():
            if alarm.state.wants_acknowledgement and now - alarm.raised_at >= ACKNOWLEDGES_AFTER_MS:
                await self._lab.acknowledge(alarm.rule.id, OPERATOR.id, "seen; cause looked for at the chamber")
