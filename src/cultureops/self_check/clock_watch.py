"""The wall clock against the monotonic one: a leap between them is a fact that the record must hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cultureops.clock import SECOND_MS, Instant, iso
from cultureops.ledger.event import Actor, JsonValue, NewEvent, Source

__all__ = ["CLOCK_STREAM", "ClockJump", "ClockWatch"]

CLOCK_STREAM: Final = "clock"
"""The ledger's stream of what happened to the machine's clock."""
LEAST_JUMP_MS: Final = SECOND_MS
"""A clock that is steered gently moves by half a millisecond a second; more than this was a leap."""


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The wall clock said ``observed`` when, by the monotonic clock, it should have said ``expected`` [ms UTC]."""

    expected: Instant
    observed: Instant

    @property
    def leap_s(self) -> float:
        """How far it leapt [s]; negative when it was set back."""
        return (self.observed - self.expected) / SECOND_MS

    @property
    def event(self) -> NewEvent:
        """The fact for the ledger, with both times."""
        data: dict[str, JsonValue] = {
            "expected": iso(self.expected),
            "observed": iso(self.observed),
            "leap_s": self.leap_s,
        }
        return NewEvent("clock_jumped", data, Actor("cultureops", "system"), Source.SYSTEM, self.observed)


class ClockWatch:
    """Compares how far both clocks went since the look before; a machine that slept looks like a leap forward."""

    def __init__(self) -> None:
        self._before: tuple[Instant, float] | None = None

    def look(self, wall: Instant, monotonic_s: float) -> ClockJump | None:
        """Take both clocks, read at one moment, and return the leap of more than a second since the last look."""
        before, self._before = self._before, (wall, monotonic_s)
        if before is None:
            return None
        expected = before[0] + round((monotonic_s - before[1]) * SECOND_MS)
        return ClockJump(expected, wall) if abs(wall - expected) > LEAST_JUMP_MS else None
