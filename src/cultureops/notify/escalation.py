"""Whom an alarm calls, when, and when it stops: pure over its own state, no clock, no input or output.

An activation opens an incident. Its levels follow each other by their delays until somebody acknowledges it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from cultureops.alarms.alarm import AlarmView, Transition, What
from cultureops.alarms.rule import Priority, Rule, WhenEmpty
from cultureops.alarms.state import State
from cultureops.clock import MINUTE_MS, Instant, iso
from cultureops.notify.incident import AT_ONCE, Call, Incident, Key, News, ending_of
from cultureops.notify.policy import Policies, Policy
from cultureops.notify.roster import Roster
from cultureops.notify.set_back import SetBack

__all__ = ["Escalation"]

LOOKS_AT_ONCE: Final = 1_000
PAUSE_MS: Final = 5 * MINUTE_MS
"""Least time between the last message of an alarm and one that only says that it returned [OWN]."""

_RETURNED: Final = (State.RTN_UNACK, State.LATCH_UNACK)


class _Wanted(NamedTuple):
    """By which levels a person is called, and whether it only stands in, or is told in spite of its mute."""

    numbers: list[int]
    is_gap: bool
    is_muted: bool


class Escalation:
    """Every incident that nobody has acknowledged.

    Decided for safety: a GMP-critical alarm that returned unacknowledged goes on escalating; any other calls nobody
    further, and those who were told hear once that it returned. One that comes again unacknowledged goes on where it
    was: its clock runs from its first activation. What could be told to nobody of a level calls the next level at once.
    When a clock is set back every delay ends as long from now as it would have.
    """

    def __init__(
        self,
        policies: Policies,
        roster: Roster,
        is_occupied: Callable[[str, Instant], bool],
        *,
        tell_when_acknowledged: bool = True,
    ) -> None:
        self._policies = policies
        self._roster = roster
        self._is_occupied = is_occupied
        self._tells_end = tell_when_acknowledged
        self._open: dict[str, Incident] = {}
        self._ended: dict[tuple[str, Instant], Incident] = {}
        self._farewells: list[Call] = []
        self._looks: list[tuple[Instant, bool, int, Incident]] = []
        self._tickets = itertools.count()
        self._set_back = SetBack()
        self.fault: str | None = None

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The incidents that are open."""
        return tuple(self._open.values())

    def undelivered(self) -> tuple[Instant, str] | None:
        """Return since when somebody is to be told of an alarm without anybody having been reached, and of which.

        The one that has waited longest; None when nobody waits.
        """
        waiting = ((one.called_at, one.rule.id) for one in self._open.values() if one.called_at is not None)
        return min(waiting, default=None)

    def note(self, transition: Transition) -> bool:
        """Take what became of an alarm; say whether that opened an incident, or an open one came again."""
        if transition.what is What.CONDITION:
            return False
        rule, state = transition.rule, transition.to_state
        incident = self._open.get(rule.id)
        if state in _RETURNED:
            if incident is None:  # latched while it was suppressed: nobody has acknowledged it
                incident = self._begin(rule, transition.at, transition.raised_at, transition.since, transition.value)
            incident.is_returned, incident.value = True, transition.value
            self._look_at(incident, AT_ONCE)
            return False
        if state is not State.UNACK:
            if incident is not None:
                self._end(incident, transition)
            return False
        if incident is None or transition.from_state not in _RETURNED:
            incident = self._begin(rule, transition.at, transition.raised_at, transition.since, transition.value)
        incident.is_returned, incident.raised_at = False, transition.raised_at
        incident.since, incident.value, incident.cause = transition.since, transition.value, transition.cause
        incident.raised_value = transition.value
        self._look_at(incident, AT_ONCE)
        return True

    def note_past(self, raised: Transition, ended: Transition, now: Instant) -> None:
        """Tell those whom a new alarm would call first, once, of one that is over; it opens nothing."""
        incident = Incident(
            raised.rule, raised.at, raised.raised_at, raised.since, raised.value, next(self._tickets)
        )  # fmt: skip
        incident.is_returned, incident.value = True, ended.value
        said = "and nobody has acknowledged it" if ended.act is None else f"and it was {ending_of(ended)}"
        incident.ending = f"was there from {iso(raised.since)} to {iso(ended.since)}, told only now; it is over, {said}"
        policy, priority, gmp_critical = self._judged(incident, now)
        people, is_muted = self._roster.heeded(
            self._roster.resolve(policy.levels[0].who, now).people, now, priority, gmp_critical=gmp_critical
        )
        for person in () if is_muted else people:
            key = Key("", 0, person)
            self._farewells.append(incident.call(News.ENDED, key, now, priority, gmp_critical=gmp_critical))

    def resume(self, view: AlarmView, opened_at: Instant, heard: Iterable[tuple[Key, Instant, bool]]) -> None:
        """Go on after a restart with an alarm that is announced, and with what people have heard of it.

        ``heard`` is (policy, level and person; when; whether they heard that it stands).
        """
        if not view.state.wants_acknowledgement:
            return
        incident = self._begin(view.rule, opened_at, view.raised_at, view.since, view.value)
        incident.is_returned = view.state in _RETURNED
        for key, at, stands in heard:
            incident.note_heard(key, at, stands=stands)
            if view.rule.when_empty is WhenEmpty.DOWNGRADE and key.policy:
                incident.clocks[key.policy] = min(at, incident.clocks.get(key.policy, at))

    def tick(self, now: Instant) -> list[Call]:
        """Return whom to tell what by ``now``, the most urgent first."""
        self._follow(now)
        calls, self._farewells = self._farewells, []
        looked = 0
        while looked < LOOKS_AT_ONCE and self.is_behind(now):
            at, _, _, incident = heapq.heappop(self._looks)
            if at == incident.next_look and self._open.get(incident.rule.id) is incident:
                looked += 1
                try:
                    calls += self._look(incident, now)
                except Exception as error:  # one odd alarm keeps no other from being told
                    self.fault = f"{incident.rule.id}: {type(error).__name__}: {error}"
                    self._look_at(incident, now + MINUTE_MS)
        return sorted(calls, key=lambda call: call.urgency)

    def is_behind(self, now: Instant) -> bool:
        """Whether the last tick left incidents for the next: thousands are looked at in turns, critical news first."""
        return bool(self._looks) and self._looks[0][0] <= now

    def is_wanted(self, call: Call) -> bool:
        """Whether it still makes sense to send what was queued."""
        if call.news is News.ENDED:
            return True
        incident = self._open.get(call.rule.id)
        if incident is None or incident.opened_at != call.opened_at:
            return False
        if call.news is News.RETURNED:
            return incident.is_returned
        return call.gmp_critical or call.is_returned or not incident.is_returned

    def drop(self, call: Call) -> None:
        """Take note that a call was not sent because it was not wanted any more."""
        if (incident := self._of(call)) is not None:
            incident.under_way.discard(call.key)
            self._ended_for_good(incident)
            self._look_at(incident, AT_ONCE)

    def heard(self, call: Call, at: Instant) -> None:
        """Take note that a person was reached."""
        self._follow(at)
        incident = self._of(call)
        if incident is None or call.news is News.ENDED:
            return
        incident.under_way.discard(call.key)
        incident.note_heard(call.key, at, stands=call.stands)
        if incident.ending is not None:  # it ended while the message was on its way
            self._say_end(incident, call.person, at)
            self._ended_for_good(incident)
        self._look_at(incident, AT_ONCE)

    def unheard(self, call: Call, at: Instant) -> None:
        """Take note that a person could be reached by none of its routes; a level nobody hears calls the next."""
        self._follow(at)
        incident = self._of(call)
        if incident is None or call.news is News.ENDED:
            return
        incident.note_unheard(call.key, at)
        self._ended_for_good(incident)
        self._look_at(incident, AT_ONCE)

    def _follow(self, now: Instant) -> None:
        """Take off what the clock was set back by, and look at every alarm anew."""
        if not (by_ms := self._set_back.by_ms(now)):
            return
        for incident in (*self._open.values(), *self._ended.values()):
            incident.set_clock_back(by_ms)
        self._looks.clear()
        for incident in self._open.values():
            self._look_at(incident, AT_ONCE)

    def _of(self, call: Call) -> Incident | None:
        incident = self._open.get(call.rule.id)
        if incident is not None and incident.opened_at == call.opened_at:
            return incident
        return self._ended.get((call.rule.id, call.opened_at))

    def _begin(
        self, rule: Rule, opened_at: Instant, raised_at: Instant, since: Instant, value: float | None
    ) -> Incident:
        incident = self._open[rule.id] = Incident(rule, opened_at, raised_at, since, value, next(self._tickets))
        self._look_at(incident, AT_ONCE)
        return incident

    def _look_at(self, incident: Incident, at: Instant) -> None:
        incident.next_look = at
        heapq.heappush(self._looks, (at, not incident.rule.gmp_critical, next(self._tickets), incident))

    def _end(self, incident: Incident, transition: Transition) -> None:
        del self._open[incident.rule.id]
        incident.ending = ending_of(transition)
        incident.ended_by = "" if transition.act is None else transition.act.actor_id
        for person in incident.told:
            self._say_end(incident, person, transition.at)
        if incident.under_way:
            self._ended[incident.rule.id, incident.opened_at] = incident

    def _say_end(self, incident: Incident, person: str, at: Instant) -> None:
        if not self._tells_end or person == incident.ended_by:
            return
        _, priority, gmp_critical = self._judged(incident, at)
        is_muted = self._roster.is_muted(person, at, priority, gmp_critical=gmp_critical)
        if not is_muted or person in incident.overridden:
            key = Key("", 0, person)
            self._farewells.append(incident.call(News.ENDED, key, at, priority, gmp_critical=gmp_critical))

    def _ended_for_good(self, incident: Incident) -> None:
        if incident.ending is not None and not incident.under_way:
            self._ended.pop((incident.rule.id, incident.opened_at), None)

    def _judged(self, incident: Incident, now: Instant) -> tuple[Policy, Priority, bool]:
        """Say how an alarm ranks now: one that is downgraded while no batch stands in its chamber is a low one."""
        rule = incident.rule
        can_rank_lower = rule.when_empty is WhenEmpty.DOWNGRADE and rule.batch is None
        if can_rank_lower and not self._is_occupied(rule.chamber, now):
            return self._policies.of(Priority.LOW, gmp_critical=False), Priority.LOW, False
        return self._policies.of(rule.priority, gmp_critical=rule.gmp_critical), rule.priority, rule.gmp_critical

    def _look(self, incident: Incident, now: Instant) -> list[Call]:
        incident.bound(now)
        policy, priority, gmp_critical = self._judged(incident, now)
        # Rosters, mutes and moved batches change by the minute; the last are judged anew at each tick.
        can_change = incident.rule.when_empty is WhenEmpty.DOWNGRADE
        looks = [now + 1 if can_change else now + MINUTE_MS]
        calls: list[Call] = []
        wanted: Mapping[str, _Wanted] = {}
        if gmp_critical or not incident.is_returned:
            wanted = self._wanted_by(incident, policy, priority, now, looks, gmp_critical=gmp_critical)
        for person, (numbers, is_gap, is_muted) in wanted.items():
            due = incident.due(policy, numbers, person)
            if due > now:
                looks.append(due)
                continue
            key = Key(policy.name, max(numbers), person)
            news = News.REMINDER if person in incident.told else News.STANDS
            calls.append(
                incident.call(
                    news, key, now, priority, gmp_critical=gmp_critical, is_gap=is_gap, is_muted=is_muted
                )
            )  # fmt: skip
        calls += self._changes(incident, now, priority, calls, looks, gmp_critical=gmp_critical)
        incident.under_way |= {call.key for call in calls}
        incident.overridden |= {call.person for call in calls if call.is_muted}
        if not wanted:  # nobody is to be told of it now
            incident.called_at = None
        elif incident.called_at is None and any(call.stands and call.key not in incident.unheard for call in calls):
            incident.called_at = now
        self._look_at(incident, max(now + 1, min(looks)))
        return calls

    def _wanted_by(
        self, incident: Incident, policy: Policy, priority: Priority, now: Instant, looks: list[Instant],
        *, gmp_critical: bool,
    ) -> dict[str, _Wanted]:  # fmt: skip
        """Return whom the levels call that are due and who may be told now."""
        began = incident.clock_of(policy.name, now)
        wanted: dict[str, _Wanted] = {}
        for number, level in enumerate(policy.levels):
            if began + level.delay_ms > now and number > incident.hastened.get(policy.name, -1):
                looks.append(began + level.delay_ms)
                continue
            resolved = self._roster.resolve(level.who, now)
            people, is_muted = self._roster.heeded(resolved.people, now, priority, gmp_critical=gmp_critical)
            for person in people:
                before = wanted.get(person, _Wanted([], resolved.is_gap, is_muted))
                wanted[person] = _Wanted(
                    [*before.numbers, number], before.is_gap and resolved.is_gap, before.is_muted and is_muted
                )
        return wanted

    def _changes(
        self, incident: Incident, now: Instant, priority: Priority, calls: Sequence[Call], looks: list[Instant],
        *, gmp_critical: bool,
    ) -> list[Call]:  # fmt: skip
        """Tell those who last heard otherwise that an alarm has returned, or is there again."""
        told_now = {call.person for call in calls} | {key.person for key in incident.under_way}
        heeded, is_muted = self._roster.heeded(tuple(incident.told), now, priority, gmp_critical=gmp_critical)
        if incident.is_returned and is_muted:  # good news wakes nobody but those whom the bad did
            heeded = ()
        found = []
        for person, last in incident.told.items():
            if last.stands is not incident.is_returned or person in told_now:
                continue
            key = Key("", 0, person)
            pause_ms = PAUSE_MS if incident.is_returned else 0  # that it is back is never held back
            failed = incident.unheard.get(key)
            due = last.at + pause_ms if failed is None else max(last.at + pause_ms, failed.again_at)
            if due > now:
                looks.append(due)
                continue
            if person not in heeded and person not in incident.overridden:
                continue
            news = News.RETURNED if incident.is_returned else News.AGAIN
            found.append(incident.call(news, key, now, priority, gmp_critical=gmp_critical, is_muted=is_muted))
        return found
