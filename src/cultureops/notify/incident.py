"""An alarm that nobody has acknowledged yet, and who has heard of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple

from cultureops.alarms.alarm import Transition
from cultureops.alarms.rule import Priority, Rule
from cultureops.alarms.state import SUPPRESSED, State
from cultureops.clock import MINUTE_MS, Instant
from cultureops.notify.policy import Policy

__all__ = ["AT_ONCE", "Call", "Incident", "Key", "News", "Told", "Unheard", "ending_of"]

TRY_AGAIN_MS: Final = MINUTE_MS
TRY_AGAIN_AT_MOST_MS: Final = 15 * MINUTE_MS
"""When somebody whom no route reached is tried anew: after a minute, then twice as long each time up to this [OWN]."""

NEVER: Final[Instant] = 2**62
AT_ONCE: Final[Instant] = 0

_RANKS: Final = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}


class News(StrEnum):
    """What a message says of an alarm."""

    STANDS = "stands"
    REMINDER = "reminder"
    AGAIN = "again"
    RETURNED = "returned"
    ENDED = "ended"


class Key(NamedTuple):
    """What makes somebody be told: a policy's level (from 0); no policy for news that follow what they were told."""

    policy: str
    level: int
    person: str


@dataclass(frozen=True, slots=True)
class Call:
    """One person to be told one thing of one alarm.

    ``priority`` and ``gmp_critical`` are as judged at ``at`` [ms UTC]; ``ending`` is how it ended; ``is_gap`` says that
    the person stands in because nobody is on call, ``is_muted`` that it is told in spite of its mute, because everybody
    is muted whom it concerns. ``value`` is that of the last transition, ``raised_value`` that of the last raising.
    """

    news: News
    rule: Rule
    key: Key
    at: Instant
    opened_at: Instant
    raised_at: Instant
    since: Instant
    value: float | None
    cause: str
    priority: Priority
    gmp_critical: bool
    is_returned: bool
    order: int
    ending: str = ""
    is_gap: bool = False
    is_muted: bool = False
    raised_value: float | None = None

    @property
    def person(self) -> str:
        """Who is told."""
        return self.key.person

    @property
    def stands(self) -> bool:
        """Whether it says that the condition is there."""
        return not self.is_returned

    @property
    def urgency(self) -> tuple[bool, int, Instant, int]:
        """The order in which calls go out: GMP-critical first, then by priority, then by time and sequence."""
        return not self.gmp_critical, _RANKS[self.priority], self.opened_at, self.order


@dataclass(frozen=True, slots=True)
class Told:
    """When somebody last heard of an alarm, and whether they then heard that it stands."""

    at: Instant
    stands: bool


@dataclass(frozen=True, slots=True)
class Unheard:
    """When somebody was given up last, and how often in a row."""

    at: Instant
    times: int

    @property
    def again_at(self) -> Instant:
        """When the person is tried anew."""
        return self.at + min(TRY_AGAIN_MS << min(self.times - 1, 10), TRY_AGAIN_AT_MOST_MS)


class Incident:
    """One alarm from its activation to its acknowledgement."""

    __slots__ = (
        "called_at",
        "cause",
        "clocks",
        "ended_by",
        "ending",
        "hastened",
        "heard",
        "is_returned",
        "next_look",
        "opened_at",
        "order",
        "overridden",
        "raised_at",
        "raised_value",
        "rule",
        "since",
        "told",
        "under_way",
        "unheard",
        "value",
    )

    def __init__(
        self, rule: Rule, opened_at: Instant, raised_at: Instant, since: Instant, value: float | None, order: int
    ) -> None:
        self.rule = rule
        self.opened_at = opened_at
        self.raised_at = raised_at
        self.since = since
        self.value = self.raised_value = value
        self.order = order
        self.cause = ""
        self.is_returned = False
        self.ending: str | None = None
        self.ended_by = ""
        self.next_look: Instant = opened_at
        self.told: dict[str, Told] = {}
        self.heard: dict[Key, Instant] = {}
        self.unheard: dict[Key, Unheard] = {}
        self.under_way: set[Key] = set()
        self.hastened: dict[str, int] = {}
        self.clocks: dict[str, Instant] = {}
        self.called_at: Instant | None = None
        """Since when somebody is to be told whom nobody has heard from since."""
        self.overridden: set[str] = set()
        """Who was told in spite of its mute."""

    def set_clock_back(self, by_ms: int) -> None:
        """Let every delay end as long after now as it would have, although the clock shows an earlier time."""
        self._move(lambda at: at - by_ms)

    def bound(self, now: Instant) -> None:
        """Let no delay begin later than now: what the ledger remembers may be of a clock that was ahead."""
        self._move(lambda at: min(at, now))

    def _move(self, moved: Callable[[Instant], Instant]) -> None:
        self.clocks = {policy: moved(at) for policy, at in self.clocks.items()}
        self.told = {person: replace(told, at=moved(told.at)) for person, told in self.told.items()}
        self.heard = {key: moved(at) for key, at in self.heard.items()}
        self.unheard = {key: replace(unheard, at=moved(unheard.at)) for key, unheard in self.unheard.items()}
        self.called_at = None if self.called_at is None else moved(self.called_at)

    def call(
        self, news: News, key: Key, at: Instant, priority: Priority, *, gmp_critical: bool, is_gap: bool = False,
        is_muted: bool = False,
    ) -> Call:  # fmt: skip
        """Say what is to be told to whom."""
        return Call(
            news, self.rule, key, at, self.opened_at, self.raised_at, self.since, self.value, self.cause, priority,
            gmp_critical, self.is_returned, self.order, self.ending or "", is_gap, is_muted, self.raised_value,
        )  # fmt: skip

    def clock_of(self, policy: str, now: Instant) -> Instant:
        """Return when a policy's delays begin: with the alarm, or when a change of policy, as by a batch put inside."""
        return self.clocks.setdefault(policy, now if self.clocks else min(self.opened_at, now))

    def due(self, policy: Policy, numbers: Sequence[int], person: str) -> Instant:
        """Return when a person is to be told whom these levels of a policy call, which are due.

        At once for a level that it has not heard of, then by the shortest repeat of them.
        """
        keys = [Key(policy.name, number, person) for number in numbers]
        if not self.under_way.isdisjoint(keys):
            return NEVER
        highest = Key(policy.name, max(numbers), person)
        if (failed := self.unheard.get(highest)) is not None:
            return failed.again_at
        if highest not in self.heard:
            return AT_ONCE
        repeats_ms = [ms for number in numbers if (ms := policy.levels[number].repeat_every_ms)]
        last = max(self.heard[key] for key in keys if key in self.heard)
        return last + min(repeats_ms) if repeats_ms else NEVER

    def note_heard(self, key: Key, at: Instant, *, stands: bool) -> None:
        """Take note that somebody was reached."""
        self.told[key.person] = Told(at, stands)
        self.unheard.pop(key, None)
        self.called_at = None
        if key.policy:
            self.heard[key] = at

    def note_unheard(self, key: Key, at: Instant) -> None:
        """Take note that somebody was not reached; a level that reached nobody makes the next one due."""
        self.under_way.discard(key)
        times = self.unheard[key].times + 1 if key in self.unheard else 1
        self.unheard[key] = Unheard(at, times)
        alike = [other for other in (*self.heard, *self.under_way) if other[:2] == key[:2]]
        if key.policy and not alike:
            self.hastened[key.policy] = max(self.hastened.get(key.policy, -1), key.level + 1)


def ending_of(transition: Transition) -> str:
    """Say how an incident ended, and by whom and why."""
    act = transition.act
    match transition.to_state:
        case State.SHELVED:
            said = "shelved"
        case State.OUT_OF_SERVICE:
            said = "taken out of service"
        case state if state in SUPPRESSED:
            said = "suppressed"
        case _:
            said = "acknowledged" if act is not None else "back to normal"
    return said if act is None else f"{said} by {act.actor_id}: {act.reason}"
