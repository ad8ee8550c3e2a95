"""What is due over all batches: soonest first, by role, and how late it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.alarms.text import duration
from cultureops.batch.batch import Batch
from cultureops.batch.due import Due
from cultureops.batch.shelf import RecipeShelf, due_by
from cultureops.clock import SECOND_MS, Instant

__all__ = ["DueItem", "Urgency", "due_items", "end_of_day", "judged"]


class Urgency(StrEnum):
    """How much something that is due calls for somebody; the most urgent first."""

    LATE = "late"
    """The latest time for it has passed."""
    NOW = "now"
    """It may be done, and there is still time."""
    TODAY = "today"
    LATER = "later"

    @property
    def rank(self) -> int:
        """Its place in a list, from 0."""
        return _RANKS[self]


_RANKS: Final = {urgency: rank for rank, urgency in enumerate(Urgency)}


@dataclass(frozen=True, slots=True)
class DueItem:
    """One thing that is due for a batch, and how that stands at an instant."""

    batch: Batch
    due: Due
    urgency: Urgency
    words: str
    """How late it is, or how long there is still."""

    @property
    def order(self) -> tuple[int, Instant, str]:
        """What a list of many is sorted by."""
        at = self.due.latest if self.urgency is Urgency.LATE and self.due.latest is not None else self.due.at
        return self.urgency.rank, at, self.batch.id


def due_items(
    batches: Iterable[Batch], recipes: RecipeShelf, now: Instant, zone: ZoneInfo, roles: Collection[str] | None = None
) -> tuple[DueItem, ...]:
    """Return all that is due, for these roles only where some are named; late first, then soonest first."""
    midnight = end_of_day(now, zone)
    found = (
        judged(batch, item, now, midnight)
        for batch in batches
        for item in due_by(recipes, batch)
        if roles is None or item.role in roles
    )
    return tuple(sorted(found, key=lambda item: item.order))


def judged(batch: Batch, due: Due, now: Instant, midnight: Instant) -> DueItem:
    """Say how what is due stands now; ``midnight`` ends the day [ms UTC]."""
    if due.latest is not None and due.latest < now:
        return DueItem(batch, due, Urgency.LATE, f"{_between(due.latest, now)} late")
    if due.at <= now:
        left = "" if due.latest is None else f", {_between(now, due.latest)} left"
        return DueItem(batch, due, Urgency.NOW, f"for {_between(due.at, now)}{left}")
    urgency = Urgency.TODAY if due.at < midnight else Urgency.LATER
    return DueItem(batch, due, urgency, f"in {_between(now, due.at)}")


def _between(start: Instant, end: Instant) -> str:
    """Write how long it is from one instant to another, to the minute."""
    minutes = (end - start) // (60 * SECOND_MS)
    return duration(60 * minutes) if minutes else "less than a minute"


def end_of_day(now: Instant, zone: ZoneInfo) -> Instant:
    """Return when the day ends at the site [ms UTC]."""
    there = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone)
    midnight = datetime.combine(there.date() + timedelta(days=1), time(), zone)
    return round(midnight.timestamp() * 1000)
