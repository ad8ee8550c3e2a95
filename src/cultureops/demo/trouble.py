"""The troubles that the director plants: what, where and when in the batch's life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant

__all__ = ["TROUBLES", "AnyTrouble", "Trouble", "Troubles"]

SETTLING_MS: Final = 15 * MINUTE_MS
"""After a fault is cleared a backed-off device may still be waiting for its next try."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of one device, from ``begins`` for ``lasts``, counted in ms from the start of the run."""

    device: str
    fault: str
    begins: int
    lasts: int
    silences: bool
    """Whether polls are expected to miss."""


TROUBLES: Final = (
    Trouble("incubator_1", "co2_supply", 5 * DAY_MS + 14 * HOUR_MS, 5 * HOUR_MS, silences=False),
    Trouble("incubator_1", "cut", 8 * DAY_MS + 3 * HOUR_MS, 45 * MINUTE_MS, silences=True),
)


class Troubles:
    """Says which faults begin and end now, and which misses were planted."""

    def __init__(self, start: Instant, troubles: tuple[Trouble, ...] = TROUBLES) -> None:
        self._start = start
        self._waiting = sorted(troubles, key=lambda trouble: trouble.begins)
        self._present: list[Trouble] = []
        self._settling_until: dict[str, Instant] = {}

    def begin(self, now: Instant) -> tuple[Trouble, ...]:
        """Return the troubles that begin now, once each."""
        begun = tuple(trouble for trouble in self._waiting if self._start + trouble.begins <= now)
        self._waiting = [trouble for trouble in self._waiting if trouble not in begun]
        self._present += begun
        return begun

    def end(self, now: Instant) -> tuple[Trouble, ...]:
        """Return the troubles that end now, once each."""
        ended = tuple(t for t in self._present if self._start + t.begins + t.lasts <= now)
        self._present = [trouble for trouble in self._present if trouble not in ended]
        for trouble in ended:
            self._settling_until[trouble.device] = now + SETTLING_MS
        return ended

    def explain_miss(self, device: str, now: Instant) -> bool:
        """Whether a missed poll of the device was planted."""
        planted = any(trouble.device == device and trouble.silences for trouble in self._present)
        return planted or now <= self._settling_until.get(device, 0)


class AnyTrouble(Troubles):
    """Nothing is planted by plan, and whatever goes wrong is for people to deal with."""

    def __init__(self, start: Instant) -> None:
        super().__init__(start, ())

    def explain_miss(self, device: str, now: Instant) -> bool:
        """Any device may be missed."""
        return True
