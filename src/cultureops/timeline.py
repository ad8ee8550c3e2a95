"""What held at any time, of something whose events are entered in any order."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cultureops.clock import Instant
from cultureops.field import Details

__all__ = ["Happening", "Timeline"]

S = TypeVar("S")


@dataclass(frozen=True, slots=True, order=True)
class Happening:
    """An event with the time it takes effect [ms UTC], ordered by that and then by its position in the ledger."""

    at: Instant
    position: int
    details: Details = field(compare=False)
    reason: str = field(compare=False)


class Timeline(Generic[S]):
    """States by time: each is what ``step`` makes of the one before and a happening; asking costs a look-up."""

    def __init__(self, first: S, step: Callable[[S, Happening], S]) -> None:
        self._step = step
        self._happenings: list[Happening] = []
        self._states = [first]

    def add(self, happening: Happening) -> None:
        """Take in one more happening; a late one changes what held from its own time on."""
        insort(self._happenings, happening)
        since = self._happenings.index(happening)
        del self._states[since + 1 :]
        for happened in self._happenings[since:]:
            self._states.append(self._step(self._states[-1], happened))

    def at(self, instant: Instant) -> S:
        """Return what held at an instant [ms UTC], whatever happened then included."""
        return self._states[bisect_right(self._happenings, instant, key=_time)]


def _time(happening: Happening) -> Instant:
    return happening.at
