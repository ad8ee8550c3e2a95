"""The batches as the board lists them: what calls for somebody first, and only what somebody looks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from cultureops.batch.batch import Batch
from cultureops.batch.shelf import RecipeShelf, due_by
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, Instant
from cultureops.errors import ConfigError
from cultureops.web.board.due_list import DueItem, Urgency, end_of_day, judged
from cultureops.web.context import WebContext

__all__ = ["SHOWS", "BatchList", "BatchRow", "Sought", "batch_list"]

ENDED_SHOWN_MS: Final = 30 * DAY_MS
LONGEST_TEXT: Final = 100
MOST_AT_ONCE: Final = 20
"""Rows that are shown unfolded: those that call for somebody most, so that the chambers are not far below."""
SHOWS: Final[Mapping[str, str]] = {
    "all": "Open",
    "mine": "Mine",
    "today": "Due today",
    "late": "Late",
    "endangered": "Endangered",
    "ended": "Ended",
}
"""What may be shown, and what that is called."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which batches somebody looks for; ``text`` is part of an id, a token, a recipe, a chamber or what is due."""

    text: str = ""
    state: str = ""
    show: str = "all"

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> Sought:
        """Read the form; raises ConfigError in words for what can't be shown."""
        show = asked.get("show", "") or "all"
        if show not in SHOWS:
            raise ConfigError(f"show {show[:20]!r} is none of {', '.join(SHOWS)}")
        return cls(asked.get("q", "").strip()[:LONGEST_TEXT], asked.get("state", "")[:LONGEST_TEXT], show)

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Sought()

    @property
    def query(self) -> str:
        """What an address says to look for the same, with its question mark; empty for all."""
        chosen = {"q": self.text, "state": self.state, "show": "" if self.show == "all" else self.show}
        said = urlencode({name: value for name, value in chosen.items() if value})
        return f"?{said}" if said else ""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One batch on the board; ``alarms`` are the conditions that reach it now."""

    batch: Batch
    days: float
    confluence_pct: float | None
    viability_pct: float | None
    place: str
    due: DueItem | None
    alarms: tuple[str, ...]

    @property
    def order(self) -> tuple[object, ...]:
        """What the list is sorted by: endangered, late, due; the rest by when something is due, what ended last."""
        due = (len(Urgency), 0, "") if self.due is None else self.due.order
        return (not self.alarms, *due, -(self.batch.ended_at or 0), self.batch.id)

    def answers(self, text: str) -> bool:
        """Whether every word of a text stands somewhere in the row."""
        batch = self.batch
        due = "" if self.due is None else f"{self.due.due.text} {self.due.due.role}"
        row = f"{batch.id} {batch.patient_token} {batch.stage} {batch.recipe.label} {self.place} {due}".casefold()
        return all(word in row for word in text.casefold().split())


@dataclass(frozen=True, slots=True)
class BatchList:
    """What was found, and how much of each kind there is; ``ended`` are those of 30 days, while all open are shown."""

    sought: Sought
    rows: tuple[BatchRow, ...]
    rest: tuple[BatchRow, ...]
    ended: tuple[BatchRow, ...]
    counts: Mapping[str, int]
    states: tuple[str, ...]


def batch_list(context: WebContext, sought: Sought, roles: Set[str], now: Instant) -> BatchList:
    """Return the batches that somebody with these roles looks for."""
    midnight, endangered = end_of_day(now, context.zone), _endangered(context, now)

    def row(batch: Batch) -> BatchRow:
        coming, seen = due_by(context.recipes, batch), batch.confluence()
        items = [judged(batch, item, now, midnight) for item in coming]
        chamber = None if batch.chamber is None else context.chambers.get(batch.chamber)
        return BatchRow(
            batch=batch,
            days=batch.days(now),
            confluence_pct=None if seen is None else seen.pct,
            viability_pct=batch.counts[-1].viability_pct if batch.counts else None,
            place=(batch.chamber or "") if chamber is None else chamber.title,
            due=min(items, key=lambda item: item.order, default=None),
            alarms=endangered.get(batch.id, ()),
        )

    batches = context.batches.batches()
    past = [batch for batch in batches if _is_over(batch, context.recipes)]
    over = {batch.id for batch in past}
    opened = [row(batch) for batch in batches if batch.id not in over]
    groups: dict[str, Sequence[BatchRow]] = {
        "all": opened,
        "mine": [one for one in opened if one.due is not None and one.due.due.role in roles],
        "today": [one for one in opened if one.due is not None and one.due.urgency is not Urgency.LATER],
        "late": [one for one in opened if one.due is not None and one.due.urgency is Urgency.LATE],
        "endangered": [one for one in opened if one.alarms],
        "ended": [row(batch) for batch in past] if sought.show == "ended" else (),
    }
    rows = _found(groups[sought.show], sought)
    recent = [batch for batch in past if now - (batch.ended_at or 0) < ENDED_SHOWN_MS]
    return BatchList(
        sought=sought,
        rows=rows[:MOST_AT_ONCE],
        rest=rows[MOST_AT_ONCE:],
        ended=_found([row(batch) for batch in recent], sought) if sought.show == "all" else (),
        counts={name: len(rows) for name, rows in groups.items()} | {"ended": len(past)},
        states=tuple(dict.fromkeys(str(batch.state) for batch in sorted(batches, key=lambda one: one.state.step))),
    )


def _is_over(batch: Batch, recipes: RecipeShelf) -> bool:
    """Whether nothing is to be done any more; what was rejected has ended, and is still to be destroyed."""
    return batch.ended_at is not None and (batch.state is State.CLOSED or not due_by(recipes, batch))


def _found(rows: Sequence[BatchRow], sought: Sought) -> tuple[BatchRow, ...]:
    found = (
        row
        for row in rows
        if sought.state in ("", str(row.batch.state)) and (not sought.text or row.answers(sought.text))
    )
    return tuple(sorted(found, key=lambda row: row.order))


def _endangered(context: WebContext, now: Instant) -> dict[str, tuple[str, ...]]:
    """Return by batch the alarms that reach it."""
    found: dict[str, tuple[str, ...]] = {}
    for view in context.engine.active():
        until = now if view.returned_at is None else view.returned_at
        for batch_id in view.rule.reached(context.batches.exposed, view.since, until):
            found[batch_id] = (*found.get(batch_id, ()), view.rule.id)
    return found
