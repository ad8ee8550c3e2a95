"""Stretches of time that are over, found by what they overlap without looking at all of them."""

from __future__ import annotations

from bisect import bisect_right
from typing import Generic, Protocol, TypeVar

from cultureops.clock import Instant

__all__ = ["Ended"]


class _Lasted(Protocol):
    @property
    def since(self) -> Instant: ...

    def until(self, now: Instant) -> Instant: ...


Lasted = TypeVar("Lasted", bound=_Lasted)


class Ended(Generic[Lasted]):
    """Stretches by their begin; ``_reach`` is the latest end of all up to each."""

    def __init__(self) -> None:
        self._rows: list[Lasted] = []
        self._reach: list[Instant] = []

    def add(self, one: Lasted) -> None:
        """Take one more, in any order."""
        row = bisect_right(self._rows, one.since, key=lambda other: other.since)
        self._rows.insert(row, one)
        del self._reach[row:]

    def overlapping(self, start: Instant, end: Instant) -> list[Lasted]:
        """Return those that began before ``end`` and ended at ``start`` or later [ms UTC], the last begun first."""
        for one in self._rows[len(self._reach) :]:
            ended_at = one.until(0)
            self._reach.append(max(ended_at, self._reach[-1]) if self._reach else ended_at)
        found = []
        for row in reversed(range(bisect_right(self._rows, end - 1, key=lambda one: one.since))):
            if self._reach[row] < start:
                break
            if self._rows[row].until(0) >= start:
                found.append(self._rows[row])
        return found
