"""Deviations as pages show them: all of them with who is to do what, and one with its whole story."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.access import Identity
from cultureops.alarms.text import duration
from cultureops.batch.batch import Batch
from cultureops.batch.commands import CheckEffectiveness, CloseDeviation, InvestigateDeviation, PlanAction
from cultureops.batch.field import Details
from cultureops.batch.field_text import field_name, field_text
from cultureops.batch.parts import Action, AlarmExposure, Deviation
from cultureops.batch.rules import RULES
from cultureops.batch.signed import Standing, signatures_of
from cultureops.clock import Instant
from cultureops.ledger.event import Event
from cultureops.web.quality.signing import roles_for, words_of

__all__ = [
    "Chapter",
    "DeviationRow",
    "NextAct",
    "deviation_named",
    "deviation_rows",
    "exposures_of",
    "next_acts",
    "story_of",
]

SEVERITIES: Final = ("critical", "major", "minor")
_OPENED: Final = "deviation_opened"
_PLUMBING: Final = frozenset(
    {"deviation_id", "checks", "warnings", "witness_id", "collected", "signatures", "drafted", "entry"}
)
"""What an event holds besides what a person said in it."""


@dataclass(frozen=True, slots=True)
class DeviationRow:
    """One deviation in the list: how long it has been open, what comes next, by whom, and until when [ms UTC]."""

    batch_id: str
    deviation: Deviation
    age: str
    next: str
    roles: tuple[str, ...]
    due_at: Instant | None
    is_overdue: bool

    @property
    def subject(self) -> str:
        """What it is about; of an alarm its rule alone: when it was raised stands beside it, in the site's zone."""
        it = self.deviation
        return it.subject.partition("@")[0] if it.drafted else it.subject


@dataclass(frozen=True, slots=True)
class Chapter:
    """One event of a deviation's story, its fields as people read them, and its signatures as they stand."""

    event: Event
    title: str
    fields: tuple[tuple[str, str], ...]
    standings: tuple[Standing, ...]

    @property
    def is_by_program(self) -> bool:
        """Whether no person did it."""
        return self.event.source.value != "human"


@dataclass(frozen=True, slots=True)
class NextAct:
    """A step that would take the deviation further; ``is_open`` where whoever looks may sign it."""

    step: str
    words: str
    roles: tuple[str, ...]
    query: Mapping[str, str]
    is_open: bool
    is_main: bool = False


def deviation_rows(batches: Iterable[Batch], now: Instant) -> tuple[DeviationRow, ...]:
    """Return every deviation: the open ones first, of those the gravest, then the oldest."""
    rows = [_row(batch, deviation, now) for batch in batches for deviation in batch.deviations]
    return tuple(sorted(rows, key=_rank))


def _rank(row: DeviationRow) -> tuple[object, ...]:
    it = row.deviation
    return it.closed_at is not None, SEVERITIES.index(it.severity), it.opened_at, row.batch_id, it.id


def _row(batch: Batch, deviation: Deviation, now: Instant) -> DeviationRow:
    step, words, due_at = _next(deviation)
    end = now if deviation.closed_at is None else deviation.closed_at
    return DeviationRow(
        batch_id=batch.id,
        deviation=deviation,
        age=duration(max(0, end - deviation.opened_at) / 1000),
        next=words,
        roles=() if step is None else tuple(sorted(RULES[step].roles)),
        due_at=due_at,
        is_overdue=due_at is not None and due_at < now,
    )


def _next(deviation: Deviation) -> tuple[type[Details] | None, str, Instant | None]:
    """Return what comes next: the step, in words, and until when."""
    unchecked = [action for action in deviation.actions if action.is_effective is None]
    if deviation.closed_at is not None:
        soonest = min(unchecked, key=lambda action: action.due_at, default=None)
        if soonest is None:
            return None, "", None
        return CheckEffectiveness, f"check that action {soonest.id} works", soonest.due_at
    if deviation.investigated_at is None:
        return InvestigateDeviation, "investigate", deviation.due_at
    if failed := [action for action in deviation.actions if action.is_effective is False]:
        return CheckEffectiveness, f"mend action {failed[0].id}, which does not work", failed[0].due_at
    if unchecked:
        soonest = min(unchecked, key=lambda action: action.due_at)
        return CheckEffectiveness, f"check that action {soonest.id} works, or close", soonest.due_at
    return CloseDeviation, "close", deviation.due_at


def deviation_named(batch: Batch, deviation_id: str) -> Deviation | None:
    """Return a deviation of a batch, None where there is none of this name."""
    return next((one for one in batch.deviations if one.id == deviation_id), None)


def story_of(batch: Batch, deviation: Deviation, zone: ZoneInfo) -> tuple[Chapter, ...]:
    """Return all that was recorded of a deviation, corrections too, the oldest first; times are the site's."""
    standings: dict[str, list[Standing]] = {}
    for one in signatures_of(batch):
        standings.setdefault(one.event_id, []).append(one)
    own = {event.event_id for event in batch.history if event.data.get("deviation_id") == deviation.id}
    told = [event for event in batch.history if event.event_id in own or event.data.get("event_id") in own]
    return tuple(
        Chapter(event, _title(event), tuple(_fields(event, zone)), tuple(standings.get(event.event_id, ())))
        for event in told
    )


def _title(event: Event) -> str:
    if event.type == _OPENED and event.data.get("drafted"):
        return "Drafted by an alarm"
    return event.type.replace("_", " ").capitalize()


def _fields(event: Event, zone: ZoneInfo) -> Iterable[tuple[str, str]]:
    for name, value in event.data.items():
        if name not in _PLUMBING and value not in (None, "", [], ()):
            yield field_name(name).capitalize(), field_text(value, zone)


def exposures_of(batch: Batch, deviation: Deviation) -> tuple[AlarmExposure, ...]:
    """Return the alarms that a drafted deviation is about, as the batch's record has them."""
    return tuple(one for one in batch.exposures if one.id in deviation.exposures or one.id == deviation.subject)


def next_acts(batch: Batch, deviation: Deviation, identity: Identity) -> tuple[NextAct, ...]:
    """Return the steps that take a deviation further, the one that is wanted most marked as such."""
    wanted, _, _ = _next(deviation)
    steps: list[tuple[type[Details], Action | None]] = []
    if deviation.closed_at is None:
        steps += [(InvestigateDeviation, None), (PlanAction, None)]
    steps += [(CheckEffectiveness, action) for action in deviation.actions if action.is_effective is not True]
    if deviation.closed_at is None:
        steps.append((CloseDeviation, None))
    return tuple(_act(batch, deviation, identity, step, action, step is wanted) for step, action in steps)


def _act(
    batch: Batch, deviation: Deviation, identity: Identity, step: type[Details], action: Action | None, is_main: bool
) -> NextAct:
    rule, name = RULES[step], step.__name__
    about = "" if action is None else f" of {action.id}"
    again = " again" if step is InvestigateDeviation and deviation.investigated_at is not None else ""
    query = {"deviation_id": deviation.id} | ({} if action is None else {"action_id": action.id})
    is_open = batch.state in rule.states and bool(roles_for(identity, name))
    words = (words_of(name) + about + again).replace("deviation", "").replace("  ", " ").strip()
    return NextAct(name, words, tuple(sorted(rule.roles)), query, is_open, is_main)
