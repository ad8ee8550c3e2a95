"""One alarm between its rule and the ledger: where it stands, what changed, what is kept."""

from __future__ import annotations

from dataclasses import dataclass

from cultureops.alarms.rule import Rule
from cultureops.alarms.state import Input, State, step
from cultureops.clock import Instant

__all__ = ["Alarm", "AlarmView", "StoredAlarm", "Transition"]


@dataclass(frozen=True, slots=True)
class Transition:
    """An alarm went from one state to another.

    ``at`` is the source time of the reading, or the tick, that completed it; ``since`` is when the condition
    began (or began to be gone), before its delay; ``raised_at`` is when the present activation was raised [ms
    UTC]. ``value`` is the one that raised or returned it, in the rule's unit. ``actor_id`` and
    ``reason`` are those of an acknowledgement.
    """

    rule: Rule
    from_state: State
    to_state: State
    at: Instant
    value: float | None
    cause: str
    since: Instant
    raised_at: Instant
    actor_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An alarm that is not NORMAL; ``value`` is the latest while the condition lasts. Times are ms UTC."""

    rule: Rule
    state: State
    raised_at: Instant
    value: float | None
    returned_at: Instant | None
    acknowledged_by: str | None
    since: Instant


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """What the ledger remembers of an alarm that is not NORMAL; its rule may have left the site file."""

    rule_id: str
    state: State
    since: Instant
    raised_at: Instant
    value: float | None
    returned_at: Instant | None
    acknowledged_by: str | None


class Alarm:
    """One rule's place in the state machine."""

    __slots__ = ("acknowledged_by", "raised_at", "returned_at", "rule", "since", "state", "value")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.state = State.NORMAL
        self.since: Instant = 0
        self.raised_at: Instant = 0
        self.value: float | None = None
        self.returned_at: Instant | None = None
        self.acknowledged_by: str | None = None

    def begin(self, at: Instant, since: Instant, value: float | None, cause: str) -> Transition:
        """Raise it."""
        self.since, self.raised_at, self.value = since, at, value
        self.returned_at = self.acknowledged_by = None
        return self._step(Input.CONDITION_TRUE, at, cause, since)

    def end(self, at: Instant, since: Instant, value: float | None, cause: str) -> Transition:
        """Take note that the condition is gone."""
        self.returned_at, self.value = at, value
        return self._step(Input.CONDITION_CLEARED, at, cause, since)

    def acknowledge(self, at: Instant, actor_id: str, reason: str) -> Transition:
        """Take note of who has seen it."""
        self.acknowledged_by = actor_id
        cause = f"acknowledged by {actor_id}: {reason}"
        return self._step(Input.ACKNOWLEDGE, at, cause, at, actor_id, reason)

    def _step(
        self, occurrence: Input, at: Instant, cause: str, since: Instant, actor_id: str = "", reason: str = ""
    ) -> Transition:
        before, self.state = self.state, step(self.state, occurrence)
        return Transition(self.rule, before, self.state, at, self.value, cause, since, self.raised_at, actor_id, reason)
