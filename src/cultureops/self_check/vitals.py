"""Signs of life of a running lab: that it ticks, hears its devices, keeps its record and meets no fault of its own.

Seconds are those of a clock that nobody sets, so that a leap of the wall clock is no silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from cultureops.alarms.text import duration

__all__ = ["Vitals"]

log = structlog.get_logger(__name__)

NO_TICK_S: Final = 30.0
"""A lab that ticks once a second and has not for so long stands still [OWN]."""
NO_READING_S: Final = 120.0
PERIODS_WITHOUT_READING: Final = 5
"""Somebody is always heard from within so many of the longest periods, and so long at least [OWN]."""
FAULT_STANDS_S: Final = 60.0
"""A fault of ours that has not come again for so long counts as over [OWN]."""


class Vitals:
    """When a lab last did what it does all the time.

    ``longest_period_s`` is that of the device that is asked most seldom, None where none is asked: a reading without a
    value is heard too, since it is the alarms of devices that tell of it.
    """

    def __init__(self, seconds: Callable[[], float], longest_period_s: float | None) -> None:
        self._seconds = seconds
        self._patience_s = (
            None if longest_period_s is None else max(NO_READING_S, PERIODS_WITHOUT_READING * longest_period_s)
        )
        self._recording_since: float | None = None
        self._faults: dict[str, tuple[str, float]] = {}
        self.fault_count = 0
        """Faults met since the start."""
        self.begin()

    def begin(self) -> None:
        """Count from now on: the lab begins to run."""
        self._ticked_at = self._heard_at = self._seconds()

    def tick(self) -> None:
        """Note that the lab ticked."""
        self._ticked_at = self._seconds()

    def hear(self) -> None:
        """Note that readings of a device were taken."""
        self._heard_at = self._seconds()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Count how long one attempt at the record takes; one that hangs shows in ``recording_s``."""
        self._recording_since = self._seconds()
        try:
            yield
        finally:
            self._recording_since = None

    @property
    def recording_s(self) -> float:
        """How long the present attempt at the record has taken [s]."""
        return 0.0 if self._recording_since is None else self._seconds() - self._recording_since

    @contextmanager
    def apart(self, where: str) -> Iterator[None]:
        """Keep a fault of ours in one part from ending the others; it is counted, logged once a minute, and told."""
        try:
            yield
        except Exception as error:
            self.fault_count += 1
            now, said = self._seconds(), f"{where}: {type(error).__name__}: {error}"
            before = self._faults.get(where)
            if before is None or before[0] != said or now - before[1] >= FAULT_STANDS_S:
                log.exception("cultureops met what it was not made for; it goes on", where=where)
            self._faults[where] = said, now

    @property
    def fault(self) -> str | None:
        """What fault was met within the last minute; None when none was."""
        now = self._seconds()
        return next((said for said, at in self._faults.values() if now - at < FAULT_STANDS_S), None)

    @property
    def still_s(self) -> float:
        """How long ago the lab ticked last [s]."""
        return self._seconds() - self._ticked_at

    @property
    def stands_still(self) -> bool:
        """Whether it has not ticked for so long that only a restart helps."""
        return self.still_s > NO_TICK_S

    def wrong(self) -> str | None:
        """Say in one line which sign of life is missing, None while all are there."""
        now = self._seconds()
        if (fault := self.fault) is not None:
            return f"a fault in {fault}"
        if self.stands_still:
            return f"alarms have stood still for {duration(self.still_s)}"
        if self._patience_s is not None and (unheard_s := now - self._heard_at) > self._patience_s:
            return f"no reading of any device was taken for {duration(unheard_s)}"
        return None
