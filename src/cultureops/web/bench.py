"""What the bench of a demo by hand shows: what one sees with one's eyes, and what one may do with one's hands.

No record knows any of it until somebody enters it on the pages of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cultureops.clock import Instant

__all__ = ["Act", "ActField", "Answer", "Bench", "BenchView", "Seen", "Stand"]


@dataclass(frozen=True, slots=True)
class ActField:
    """What an act asks for; one of ``choices`` where there are any, else a text or a number in ``unit`` (UCUM)."""

    name: str
    label: str
    value: str = ""
    unit: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Act:
    """Something to do with one's hands; it takes ``takes_min`` minutes of lab time."""

    id: str
    text: str
    fields: tuple[ActField, ...] = ()
    takes_min: int = 0


@dataclass(frozen=True, slots=True)
class Stand:
    """What lies on the bench for one patient: facts as (what, value), and what can be done."""

    batch_id: str
    token: str
    stage: str
    facts: tuple[tuple[str, str], ...] = ()
    acts: tuple[Act, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A result that the laboratory has and nobody has entered; ``figures`` are (field, value, unit)."""

    batch_id: str
    sample_id: str
    test: str
    outcome: str
    final: bool
    figures: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that was seen or done on the bench."""

    at: Instant
    text: str
    batch_id: str = ""


@dataclass(frozen=True, slots=True)
class BenchView:
    """The whole bench; ``passing_until`` is set while lab time passes by itself."""

    expected: tuple[tuple[tuple[str, str], ...], ...]
    """Patients whom a clinic has announced and nobody has opened a batch for, each as facts (what, value)."""
    stands: tuple[Stand, ...]
    answers: tuple[Answer, ...]
    room: tuple[Act, ...]
    """What can be done to instruments, whatever stands in them."""
    waits: tuple[Act, ...]
    """How far lab time can be let pass."""
    seen: tuple[Seen, ...]
    people: tuple[tuple[str, str], ...]
    """Who works here: user name and role."""
    passing_until: Instant | None = None


class Bench(Protocol):
    """The hands' side of a simulated lab."""

    async def view(self) -> BenchView:
        """Return what one sees now."""
        ...

    async def act(self, act: str, batch_id: str, fields: Mapping[str, str]) -> None:
        """Do something with one's hands, and let the time pass that it takes.

        Raises CultureOpsError, one line, when it can't be done.
        """
        ...
