"""What a step is judged by: the case before a decision, the plan that a step makes of it, a gate's verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cultureops.batch.batch import Batch
from cultureops.batch.commands import Identified
from cultureops.batch.events import Recorded
from cultureops.batch.facts import Facts
from cultureops.batch.field import Details
from cultureops.clock import Instant

__all__ = ["Case", "Gate", "Plan", "Verdict"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a step would record: the event's class, what it adds to the details, and remarks that stop nothing.

    ``devices`` are the chambers and devices the step uses, ``lots`` the material, ``passage`` is the passage it leads
    to. ``also`` are events that follow from it. ``claims`` are names that the ledger lets one event hold at a time
    (a vial, its place), ``releases`` those that it gives up. ``doubt`` says what of an entry by hand a second person
    has to confirm.
    """

    event: type[Recorded]
    derived: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    lots: tuple[str, ...] = ()
    passage: int = 0
    also: tuple[Recorded, ...] = ()
    claims: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One step asked of one batch: ``at`` is when it happened, ``reason`` what the person said.

    ``identified`` is what was scanned before it, None where nothing was.
    """

    batch: Batch
    details: Details
    facts: Facts
    at: Instant
    reason: str = ""
    identified: Identified | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """``problem`` is empty when the gate is open; ``used`` are the facts it looked at, JSON-ready.

    A problem that ``is_absolute`` stays one even where an exceptional release names its gate.
    """

    problem: str
    used: Mapping[str, Any]
    is_absolute: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: what must hold in one sentence, where that comes from, and the function that tells.

    A gate that ``may_be_excepted`` can be named by an exceptional release; the others hold for every product.
    """

    id: str
    sentence: str
    source: str
    judge: Callable[[Case, Plan], Verdict]
    may_be_excepted: bool = False
