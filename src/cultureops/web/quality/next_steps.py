"""What can be decided on a batch now, and what would hold each decision up: said before anybody signs.

Each step is rehearsed in the role of whoever looks, by the very rules and gates that decide it; nothing is recorded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cultureops.access import Identity
from cultureops.batch.batch import Batch
from cultureops.batch.commands import (
    Close,
    Command,
    Hold,
    Recall,
    Reject,
    Release,
    ReleaseConditionally,
    Resume,
    Review,
)
from cultureops.batch.field import Details
from cultureops.batch.rules import RULES
from cultureops.errors import BatchError
from cultureops.ledger.event import Actor
from cultureops.web.context import WebContext
from cultureops.web.quality.signing import STEPS, roles_for, words_of

__all__ = ["ForBatch", "NextStep", "decisions", "problems_in"]

_OF_DEVIATIONS: Final = frozenset({"InvestigateDeviation", "PlanAction", "CheckEffectiveness", "CloseDeviation"})
_SAID: Final = "what is written in the form"
"""Stands in a rehearsal for words that a person has yet to write; no gate looks at them."""
_SOMEBODY: Final = "somebody-else"
"""Stands in a rehearsal for a person who has had no hand in the batch."""
_EACH_GATE: Final = re.compile(r"; (?=G\d+: )")
_ABOUT: Final[Mapping[str, str]] = {
    "ReleaseExceptionally": "names the gates that the product fails; two people sign, QP and QA",
    "AuthoriseThaw": "names the vials and the appointment",
}
_GRAVE: Final = frozenset({"Reject", "Recall", "Destroy", "Hold"})
"""Steps that stop or end a batch: offered, never urged."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """A decision that the batch's state allows: who may sign it, and what would hold it up now, line by line.

    ``is_mine`` where whoever looks holds the role; ``is_judged`` is False where only the filled form can be judged.
    """

    step: str
    words: str
    roles: tuple[str, ...]
    second_roles: tuple[str, ...]
    problems: tuple[str, ...]
    is_mine: bool
    is_judged: bool
    about: str = ""

    @property
    def is_grave(self) -> bool:
        """Whether it stops or ends the batch."""
        return self.step in _GRAVE


@dataclass(frozen=True, slots=True)
class ForBatch:
    """The decisions of a batch: those that take it on, and those that stop or end it."""

    onward: tuple[NextStep, ...]
    grave: tuple[NextStep, ...]


async def decisions(context: WebContext, batch: Batch, person: Identity) -> ForBatch:
    """Return what can be decided now; deviations are decided on pages of their own."""
    names = [n for n in STEPS if n not in _OF_DEVIATIONS and batch.state in RULES[STEPS[n]].states]
    found = [await _step(context, batch, person, name) for name in names]
    found.sort(key=lambda one: (not one.is_mine, bool(one.problems)))
    return ForBatch(
        tuple(one for one in found if not one.is_grave),
        tuple(one for one in found if one.is_grave and one.is_mine),
    )


async def _step(context: WebContext, batch: Batch, person: Identity, name: str) -> NextStep:
    rule, roles = RULES[STEPS[name]], roles_for(person, name)
    details = _rehearsed(batch, name)
    problems: tuple[str, ...] = ()
    if details is not None:
        command = Command(batch.id, details, None, _SAID)
        actor = person.acting(roles[0]) if roles else Actor(_SOMEBODY, min(rule.roles))
        problems = await problems_in(context, command, actor)
    return NextStep(
        step=name,
        words=words_of(name),
        roles=tuple(sorted(rule.roles)),
        second_roles=tuple(sorted(rule.witnesses)),
        problems=problems,
        is_mine=bool(roles),
        is_judged=details is not None,
        about=_ABOUT.get(name, ""),
    )


def _rehearsed(batch: Batch, name: str) -> Details | None:
    """Return a step filled in as far as no gate looks at its words; None where the form decides."""
    match name:
        case "Review":
            return Review(audit_trail_read=True, version=batch.version)
        case "Release":
            return Release()
        case "ReleaseConditionally":
            return ReleaseConditionally(clinician=_SAID, notification_plan=_SAID, notify_within_h=1.0)
        case "Reject":
            return Reject()
        case "Hold":
            return Hold()
        case "Resume":
            return Resume()
        case "Recall":
            return Recall(notified=_SAID)
        case "Close":
            return Close()
        case _:
            return None


async def problems_in(context: WebContext, command: Command, actor: Actor) -> tuple[str, ...]:
    """Return what would refuse a command, a line for each gate; empty where nothing would."""
    try:
        await context.rehearse(command, actor)
    except BatchError as refusal:
        return tuple(_EACH_GATE.split(str(refusal).removeprefix(f"batch {command.batch_id}: ")))
    return ()
