"""One alarm between its rule and the ledger: where it stands, what changed, what is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from cultureops.alarms.recorded import UNKNOWN_RULE, RecordedRule
from cultureops.alarms.rule import Rule
from cultureops.alarms.state import ANNOUNCED, Input, State, step
from cultureops.clock import Instant

__all__ = ["Act", "Alarm", "AlarmView", "Shelf", "StoredAlarm", "Transition", "What"]


class What(StrEnum):
    """What a transition is called; the ledger's event is ``alarm_<what>``."""

    RAISED = "raised"
    REALARMED = "realarmed"
    RETURNED = "returned"
    ACKNOWLEDGED = "acknowledged"
    LATCHED = "latched"
    CLEARED = "cleared"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    TAKEN_OUT = "taken_out"
    RELEASED = "released"
    CONDITION = "condition"
    """The condition came or went while the alarm was suppressed; its state stays."""


@dataclass(frozen=True, slots=True)
class Act:
    """What a person did to an alarm: who, why, who else stood by, and which recorded command it answers."""

    actor_id: str
    reason: str
    witness_id: str = ""
    role: str = "OP"
    command_id: str = ""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A suppression by a person: until when [ms UTC] (None: until it is lifted) and whether it ends with the condition.

    ``since`` is when it began.
    """

    act: Act
    since: Instant
    until: Instant | None
    one_shot: bool = False


@dataclass(frozen=True, slots=True)
class Transition:
    """An alarm went from one state to another, or its condition came or went while it was suppressed.

    ``at`` is the source time of the reading, or the tick, that completed it; ``since`` is when the condition
    began (or began to be gone), before its delay; ``raised_at`` is when the present activation was raised [ms
    UTC]. ``value`` is the one that raised or returned it, in the rule's unit. ``is_active`` says whether the condition
    is there now. ``act`` is what a person did, ``shelf`` the suppression by a person that holds now. ``is_noted`` is
    False for a suppression by design that masked nothing: the state of the door is on record, and says as much.
    ``is_latched``: a latching alarm whose condition was there before or during its suppression.
    """

    rule: Rule
    from_state: State
    to_state: State
    at: Instant
    value: float | None
    cause: str
    since: Instant
    raised_at: Instant
    what: What
    is_active: bool
    act: Act | None = None
    shelf: Shelf | None = None
    is_noted: bool = True
    is_latched: bool = False

    @property
    def is_annunciated(self) -> bool:
        """Whether it calls for somebody: a new activation, or one told again."""
        return self.to_state is State.UNACK

    @property
    def actor_id(self) -> str:
        """Who did it; empty where nobody did."""
        return "" if self.act is None else self.act.actor_id

    @property
    def reason(self) -> str:
        """Why somebody did it."""
        return "" if self.act is None else self.act.reason


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An alarm that is not NORMAL; ``value`` is the latest while the condition lasts. Times are ms UTC.

    ``is_active`` is whether the condition is there, which the state of a suppressed alarm does not say. ``waits`` says
    what a person has asked of it that the gateway which watches it has not answered yet, empty for nothing;
    ``unheard_since`` since when that gateway is out of reach, so that all of this is as it was then; None while it is
    heard, and for an alarm that is watched here.
    """

    rule: Rule
    state: State
    raised_at: Instant
    value: float | None
    returned_at: Instant | None
    acknowledged_by: str | None
    since: Instant
    is_active: bool = False
    acknowledged_at: Instant | None = None
    shelf: Shelf | None = None
    waits: str = ""
    unheard_since: Instant | None = None


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """What the ledger remembers of an alarm that is not NORMAL; its rule may have left the site file.

    ``rule`` is what the record says of that rule.
    """

    rule_id: str
    state: State
    since: Instant
    raised_at: Instant
    value: float | None
    returned_at: Instant | None
    acknowledged_by: str | None
    is_active: bool = False
    acknowledged_at: Instant | None = None
    shelf: Shelf | None = None
    latched: bool = False
    rule: RecordedRule = UNKNOWN_RULE


class Alarm:
    """One rule's place in the state machine."""

    __slots__ = (
        "acknowledged_at",
        "acknowledged_by",
        "is_active",
        "latched",
        "masked",
        "raised_at",
        "returned_at",
        "rule",
        "shelf",
        "since",
        "state",
        "value",
    )

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._forget()

    def _forget(self) -> None:
        self.state = State.NORMAL
        self.is_active = False
        self.latched = False
        self.masked = False
        self.since: Instant = 0
        self.raised_at: Instant = 0
        self.value: float | None = None
        self.returned_at: Instant | None = None
        self.acknowledged_by: str | None = None
        self.acknowledged_at: Instant | None = None
        self.shelf: Shelf | None = None

    def restore(self, memory: StoredAlarm) -> None:
        """Stand where the ledger says."""
        self.state, self.since, self.raised_at = memory.state, memory.since, memory.raised_at
        self.value, self.returned_at = memory.value, memory.returned_at
        self.acknowledged_by, self.acknowledged_at = memory.acknowledged_by, memory.acknowledged_at
        self.is_active, self.shelf, self.latched = memory.is_active, memory.shelf, memory.latched
        self.masked = self.state.is_suppressed

    def begin(self, at: Instant, since: Instant, value: float | None, cause: str) -> Transition:
        """Take note that the condition is there; unless suppressed, that raises it."""
        self.is_active, self.since, self.value = True, since, value
        if self.state.is_suppressed:
            self.latched = self.latched or self.rule.latching
            return self._noted(at, cause, since)
        self._raise(at)
        return self._step(Input.CONDITION_TRUE, What.RAISED, at, cause, since)

    def end(self, at: Instant, since: Instant, value: float | None, cause: str) -> Transition:
        """Take note that the condition is gone."""
        self.is_active, self.value = False, value
        if self.state.is_suppressed:
            return self._noted(at, cause, since)
        self.returned_at = at
        return self._step(Input.CONDITION_CLEARED, None, at, cause, since)

    def acknowledge(self, at: Instant, act: Act) -> Transition:
        """Take note of who has seen it."""
        self.acknowledged_by, self.acknowledged_at = act.actor_id, at
        return self._step(Input.ACKNOWLEDGE, None, at, f"acknowledged by {act.actor_id}: {act.reason}", at, act)

    def realarm(self, at: Instant, cause: str) -> Transition:
        """Call again for somebody: it was acknowledged and is still there."""
        self.acknowledged_by = self.acknowledged_at = None
        return self._step(Input.REALARM, What.REALARMED, at, cause, self.since)

    def reset(self, at: Instant, act: Act) -> Transition:
        """Let go of a latched alarm that was acknowledged."""
        return self._step(Input.RESET, What.CLEARED, at, f"reset by {act.actor_id}: {act.reason}", at, act)

    def shelve(self, at: Instant, shelf: Shelf, cause: str) -> Transition:
        """Suppress it for a time in a person's name; a shelf set anew replaces the former."""
        return self._suppress(Input.SHELVE, What.SHELVED, at, cause, shelf)

    def take_out(self, at: Instant, shelf: Shelf, cause: str) -> Transition:
        """Suppress it until somebody puts it back into service."""
        return self._suppress(Input.TAKE_OUT, What.TAKEN_OUT, at, cause, shelf)

    def suppress(self, at: Instant, cause: str) -> Transition:
        """Suppress it by design."""
        return replace(self._suppress(Input.SUPPRESS, What.SUPPRESSED, at, cause, None), is_noted=False)

    def release(self, at: Instant, cause: str, act: Act | None = None) -> Transition:
        """End its suppression: a condition that is there now raises it anew."""
        self.shelf = None
        if self.is_active:
            self._raise(at)
            return self._step(Input.RELEASE_ACTIVE, What.RAISED, at, cause, self.since, act)
        self.returned_at = at if self.latched else None
        occurrence = Input.RELEASE_LATCHED if self.latched else Input.RELEASE_QUIET
        is_noted = self.masked or self.state is not State.SUPPRESSED_BY_DESIGN
        return replace(self._step(occurrence, What.RELEASED, at, cause, at, act), is_noted=is_noted)

    def _suppress(self, occurrence: Input, what: What, at: Instant, cause: str, shelf: Shelf | None) -> Transition:
        self.latched = self.latched or (self.rule.latching and self.state in ANNOUNCED)
        self.shelf, self.masked = shelf, False
        return self._step(occurrence, what, at, cause, at, None if shelf is None else shelf.act)

    def _raise(self, at: Instant) -> None:
        self.raised_at = at
        self.returned_at = self.acknowledged_by = self.acknowledged_at = None
        self.latched = False

    def _noted(self, at: Instant, cause: str, since: Instant) -> Transition:
        self.masked = True
        return self._transition(self.state, What.CONDITION, at, cause, since, None)

    def _step(
        self, occurrence: Input, what: What | None, at: Instant, cause: str, since: Instant, act: Act | None = None
    ) -> Transition:
        before, self.state = self.state, step(self.state, occurrence, latching=self.rule.latching)
        return self._transition(before, what or _came_to(before, self.state), at, cause, since, act)

    def _transition(
        self, before: State, what: What, at: Instant, cause: str, since: Instant, act: Act | None
    ) -> Transition:
        return Transition(
            self.rule, before, self.state, at, self.value, cause, since, self.raised_at, what, self.is_active, act,
            self.shelf, is_latched=self.latched,
        )  # fmt: skip

    def view(self, value: float | None) -> AlarmView:
        """Return it as it stands, with the latest value."""
        return AlarmView(
            self.rule, self.state, self.raised_at, value, self.returned_at, self.acknowledged_by, self.since,
            self.is_active, self.acknowledged_at, self.shelf,
        )  # fmt: skip


def _came_to(before: State, after: State) -> What:
    """Say what happened where the states tell."""
    match after:
        case State.NORMAL:
            return What.CLEARED
        case State.LATCH_ACK if before is State.ACK:
            return What.LATCHED
        case State.ACK | State.LATCH_ACK:
            return What.ACKNOWLEDGED
        case _:
            return What.RETURNED
