"""What somebody can do with a batch now: what is due first, what else is open, and what is closed and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.access import Identity
from cultureops.batch.batch import Batch
from cultureops.batch.due import Due
from cultureops.batch.rules import RULES
from cultureops.batch.shelf import due_by
from cultureops.batch.views import TimelineRow, history_rows
from cultureops.web.board.due_list import DueItem, end_of_day, judged
from cultureops.web.context import WebContext
from cultureops.web.step.hindrance import hindrance, waits_for
from cultureops.web.step.table import DOABLE, about_of, closed_because, is_signed, roles_for, words_of

__all__ = ["StepList", "StepRow", "recorded_at", "steps_now"]

_DUE: Final[Mapping[str, Sequence[str]]] = {
    "consent and marrow intake": ("RecordConsent", "ReceiveMarrow"),
    "isolation": ("Isolate",),
    "seeding": ("Seed",),
    "first medium change": ("ChangeMedium",),
    "medium change": ("ChangeMedium",),
    "passage": ("Passage",),
    "harvest": ("Harvest",),
    "freezing": ("Freeze",),
    "resuspension": ("Resuspend",),
    "count and resuspend": ("Resuspend",),
    "authorise the thaw": ("AuthoriseThaw",),
    "pack the vials": ("TransferOut",),
    "receive the vials": ("TransferIn",),
    "thaw": ("Thaw",),
    "first wash": ("Wash",),
    "wash": ("Wash",),
    "end the labelling": ("EndLabelling",),
    "formulation": ("Formulate",),
    "review": ("Review",),
    "release decision": ("Release", "ReleaseConditionally"),
    "shipment": ("Ship",),
    "receipt at the site": ("ReceiveAtSite",),
    "administration": ("Administer",),
    "give container": ("Administer",),
    "close the record": ("Close",),
    "decide on the hold": ("Resume",),
    "destroy what is left": ("Destroy",),
    "draw the sterility sample": ("SampleQc",),
    "read": ("RecordQcResult",),
    "decide on held count": ("AcceptCount",),
    "check that action": ("CheckEffectiveness",),
    "investigate deviation": ("InvestigateDeviation",),
    "close deviation": ("CloseDeviation",),
}
"""Which steps are meant by what is due, by how its text begins; longer beginnings go first."""
_BEGINNINGS: Final = sorted(_DUE, key=len, reverse=True)
_SELDOM: Final = frozenset({"Note", "Correct", "OpenDeviation", "HandOver", "Discard", "Split", "Pool", "DiscardVials"})
_GRAVE: Final = frozenset({"Reject", "Recall", "Hold", "Destroy", "ReleaseExceptionally"})


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step on the list.

    ``due`` is what is due and meant by it, ``waits`` what is missing still, ``closed`` why it can't be done, empty
    where it can. What ``is_done`` once for all is seldom done again.
    """

    step: str
    words: str
    about: str
    due: DueItem | None
    waits: str
    closed: str
    is_signed: bool
    is_done: bool = False

    @property
    def rank(self) -> tuple[int, int]:
        """Its place in the list: what is due first, grave and seldom things last."""
        if self.due is not None:
            return 0, self.due.due.at
        return (3 if self.step in _GRAVE else 2 if self.step in _SELDOM or self.is_done else 1), 0


@dataclass(frozen=True, slots=True)
class StepList:
    """The steps that are due, others that are open, and those that are closed."""

    due: tuple[StepRow, ...]
    open: tuple[StepRow, ...]
    closed: tuple[StepRow, ...]


def steps_now(context: WebContext, batch: Batch, person: Identity) -> StepList:
    """Return what somebody can do with a batch now, most likely first."""
    now, due = context.clock.now(), due_by(context.recipes, batch)
    midnight, recipe = end_of_day(now, context.zone), context.recipes.of(batch)
    rows = []
    for name, details in DOABLE.items():
        is_done = name == "RecordConsent" and batch.is_eligible
        wanted = None if is_done else next((item for item in due if name in _meant_by(item)), None)
        roles = ", ".join(sorted(RULES[details].roles))
        closed = closed_because(batch, name) or hindrance(batch, recipe, name)
        if not closed and not roles_for(person, name):
            closed = f"this is for {roles}"
        rows.append(
            StepRow(
                name,
                words_of(name),
                about_of(details),
                None if wanted is None else judged(batch, wanted, now, midnight),
                waits_for(batch, recipe, name, now),
                closed,
                is_signed(name),
                is_done,
            )
        )
    rows.sort(key=lambda row: row.rank)
    return StepList(
        due=tuple(row for row in rows if not row.closed and row.due is not None),
        open=tuple(row for row in rows if not row.closed and row.due is None),
        closed=tuple(row for row in rows if row.closed),
    )


def _meant_by(due: Due) -> Sequence[str]:
    text = f"{due.text} ".replace(",", " ")
    return next((_DUE[start] for start in _BEGINNINGS if text.startswith(f"{start} ")), ())


def recorded_at(batch: Batch, position: int) -> TimelineRow | None:
    """Return the event of a batch at a position of the ledger as people read it; None where it has none there."""
    event = next((event for event in batch.history if event.position == position), None)
    return None if event is None else next(iter(history_rows([event])), None)
