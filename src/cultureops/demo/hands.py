"""A demo by hand: the lab is put into use, then whoever opens the pages works."""

from __future__ import annotations

from collections.abc import Collection

from cultureops.clock import Instant
from cultureops.demo.bench import DemoBench
from cultureops.demo.pace import HandPace
from cultureops.demo.stock import put_into_use
from cultureops.lab import Lab

__all__ = ["Hands"]


class Hands:
    """Stands where the scripted technician does, and does nothing: alarms are told to the bench, and that is all."""

    def __init__(self, lab: Lab, bench: DemoBench, pace: HandPace, recipes: Collection[str]) -> None:
        self._lab, self._bench, self._pace, self._recipes = lab, bench, pace, recipes
        self._is_open = False

    @property
    def is_done(self) -> bool:
        """Whether people are done, which only they know."""
        return False

    @property
    def idle_until(self) -> Instant:
        """How far lab time may pass at once."""
        return self._pace.next_stop

    async def work(self, now: Instant) -> None:
        """Open the lab once, then follow the record and listen for alarms."""
        if not self._is_open:
            self._is_open = True
            await put_into_use(self._lab, self._recipes)
        await self._bench.cells.catch_up()
        ringing = (alarm.rule.id for alarm in self._lab.engine.active() if alarm.state.wants_acknowledgement)
        self._bench.ring(frozenset(ringing))
