"""Readings and time in, alarm transitions out: pure over its own state, no clock, no input or output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from cultureops.alarms.alarm import Act, AlarmView, Shelf, StoredAlarm, Transition
from cultureops.alarms.guard import Guard, LinkGuard, guard_of
from cultureops.alarms.permission import AlarmError, check_act, check_shelving
from cultureops.alarms.rule import Rule
from cultureops.alarms.state import ANNOUNCED, State
from cultureops.alarms.text import describe, duration
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import COMMUNICATION_REASONS, Reading, Reason
from cultureops.errors import ConfigError

__all__ = ["AlarmError", "AlarmView", "Engine", "StoredAlarm", "Transition", "describe"]

_Route: TypeAlias = tuple[tuple[Guard, ...], tuple[Guard, ...], str | None]
"""Whose rule looks at a channel, whose condition it may explain, and the device whose polls it counts for."""
_Polls: TypeAlias = dict[tuple[str, Instant], Reason | None]


class Engine:
    """Every alarm of a site.

    Raise: the number that the rule judges is at or beyond its limit for the on-delay; clear: within the deadband for
    the off-delay; both by source time, completed by the next reading or tick. A BAD reading neither raises nor clears a
    limit alarm; an UNCERTAIN value counts like a GOOD one. Loss of communication: ``misses`` polls of a device in a
    row in which every channel's reason is one of COMMUNICATION_REASONS; the first other poll clears it. Readings of one
    device with one source time, in one call, are one poll. A suppressed alarm goes on being evaluated; when its
    suppression ends, a condition that is there raises it anew. Source: Logix-style deadband and delays; states of
    ISA-18.2 / IEC 62682.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._guards: dict[str, Guard] = {}
        self._by_channel: dict[ChannelId, list[Guard]] = {}
        self._links: dict[str, list[LinkGuard]] = {}
        self._routes: dict[ChannelId, _Route] = {}
        self._timed: dict[str, Guard] = {}
        self._explained: dict[str, Guard] = {}
        self._now: Instant = 0
        self.add(rules)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, in the order in which they were added."""
        return tuple(guard.rule for guard in self._guards.values())

    def add(self, rules: Iterable[Rule]) -> None:
        """Watch for more; raises ConfigError for a rule whose id is taken."""
        for rule in rules:
            if rule.id in self._guards:
                raise ConfigError(f"alarm {rule.id!r} is given twice; keep one rule for it")
            self._attach(guard_of(rule))

    def replace(self, rule: Rule) -> None:
        """Watch by another content of a rule of the same id; its alarm stays as it stands, whatever the rule says now.

        Delays and windows start anew, as after a restart. Raises AlarmError where there is no rule of that id.
        """
        before = self._named(rule.id)
        view = before.view()
        self._detach(before)
        guard = guard_of(rule)
        guard.restore(
            StoredAlarm(
                rule.id, view.state, view.since, view.raised_at, view.value, view.returned_at, view.acknowledged_by,
                view.is_active, view.acknowledged_at, view.shelf, before.alarm.latched,
            )
        )  # fmt: skip
        self._attach(guard)
        self._track(guard)

    def remove(self, rule_id: str) -> bool:
        """Stop watching for a rule, unless its alarm still stands; return whether it is gone."""
        guard = self._guards.get(rule_id)
        if guard is None:
            return True
        if guard.alarm.state is not State.NORMAL or guard.alarm.is_active:
            return False
        del self._guards[rule_id]
        self._detach(guard)
        return True

    def evaluate(self, readings: Sequence[Reading]) -> tuple[Transition, ...]:
        """Take readings of any devices, in order, and return what changed."""
        found: list[Transition] = []
        polls: _Polls = {}
        routes = self._routes
        for reading in readings:
            channel, value, at = reading[0], reading[1], reading[4]
            watching, explained, device = routes.get(channel) or self._route(channel)
            if device is not None:
                _count(polls, device, reading)
            for guard in explained:
                guard.explain(channel, value, at)
                self._settle_windows(guard, at, found)
            for guard in watching:
                guard.take(channel, value, at, found)
        for (device, at), reason in polls.items():
            for link in self._links[device]:
                link.poll(reason, at, found)
        return self._tracked(found)

    def tick(self, now: Instant) -> tuple[Transition, ...]:
        """Complete the delays, shelvings and suppressions that have run out by ``now`` and return what changed."""
        found: list[Transition] = []
        if now < self._now:
            for guard in self._timed.values():
                guard.set_clock_back(self._now - now)
        self._now = now
        for guard in self._guards.values():
            guard.settle(now, found)
        for guard in tuple(self._explained.values()):
            self._settle_windows(guard, now, found)
        for guard in tuple(self._timed.values()):
            guard.settle_times(now, found)
        return self._tracked(found)

    def next_due(self, after: Instant) -> Instant | None:
        """Return the first instant after another at which time alone may change something, if no reading comes."""
        dues = (at for guard in self._guards.values() for at in guard.due_at())
        return min((at for at in dues if at > after), default=None)

    def acknowledge(self, rule_id: str, now: Instant, act: Act) -> Transition:
        """Acknowledge an alarm; raise AlarmError when there is none, or name or reason lack."""
        alarm = self._named(rule_id).alarm
        if not alarm.state.wants_acknowledgement:
            done = f"was acknowledged by {alarm.acknowledged_by}"
            said = done if alarm.state in (State.ACK, State.LATCH_ACK) else f"is {alarm.state.text}"
            raise AlarmError(f"alarm {rule_id} {said}; there is nothing to acknowledge")
        return self._done(alarm.acknowledge(now, check_act(rule_id, act, "an acknowledgement")))

    def reset(self, rule_id: str, now: Instant, act: Act) -> Transition:
        """Let go of a latched alarm that is acknowledged and whose condition is gone; raise AlarmError otherwise."""
        alarm = self._named(rule_id).alarm
        if alarm.state is not State.LATCH_ACK:
            raise AlarmError(
                f"alarm {rule_id} is {alarm.state.text}; "
                "only a latched alarm that is acknowledged and whose condition is gone can be reset"
            )
        return self._done(alarm.reset(now, check_act(rule_id, act, "a reset")))

    def shelve(
        self, rule_id: str, now: Instant, act: Act, until: Instant, *, one_shot: bool = False, is_critical: bool = False
    ) -> Transition:
        """Suppress an alarm until an instant, or if ``one_shot`` until its condition is gone, whichever is first.

        ``is_critical``: more is at stake than the rule knows, such as a live batch in the chamber. Raises AlarmError
        without name and reason, beyond the rule's longest time, and for a GMP-critical alarm without a second person.
        """
        guard = self._named(rule_id)
        alarm = guard.alarm
        known = alarm.shelf if alarm.state is State.SHELVED else None
        since = None if known is None else known.since
        act = check_shelving(guard.rule, act, now, until, is_critical=is_critical, shelved_since=since)
        if alarm.state is State.OUT_OF_SERVICE:
            raise AlarmError(f"alarm {rule_id} is out of service; put it back into service first")
        if one_shot and not alarm.is_active:
            raise AlarmError(f"alarm {rule_id}: its condition is not there; shelve it for a time instead of one shot")
        ending = "until its condition is gone, at most" if one_shot else "for"
        cause = f"shelved {ending} {duration((until - now) / 1000)} by {act.actor_id}: {act.reason}"
        return self._done(alarm.shelve(now, Shelf(act, now if since is None else since, until, one_shot), cause))

    def take_out(self, rule_id: str, now: Instant, act: Act, *, is_critical: bool = False) -> Transition:
        """Take an alarm out of service until somebody puts it back; raises AlarmError as ``shelve`` does."""
        guard = self._named(rule_id)
        needs_witness = is_critical or guard.rule.gmp_critical
        act = check_act(rule_id, act, "taking it out of service", needs_witness=needs_witness)
        if guard.alarm.state is State.OUT_OF_SERVICE:
            raise AlarmError(f"alarm {rule_id} is out of service already")
        cause = f"taken out of service by {act.actor_id}: {act.reason}"
        return self._done(guard.alarm.take_out(now, Shelf(act, now, None), cause))

    def release(self, rule_id: str, now: Instant, act: Act) -> Transition:
        """End the shelving of an alarm, or put it back into service; raises AlarmError when it is neither."""
        alarm = self._named(rule_id).alarm
        act = check_act(rule_id, act, "lifting a suppression")
        if alarm.state not in (State.SHELVED, State.OUT_OF_SERVICE):
            raise AlarmError(
                f"alarm {rule_id} is {alarm.state.text}, neither shelved nor out of service; nothing to lift"
            )
        done = "unshelved" if alarm.state is State.SHELVED else "put back into service"
        return self._done(alarm.release(now, f"{done} by {act.actor_id}: {act.reason}", act))

    def view(self, rule_id: str) -> AlarmView | None:
        """Return an alarm as it stands, NORMAL or not; None where there is no such rule."""
        guard = self._guards.get(rule_id)
        return None if guard is None else guard.view()

    def active(self) -> tuple[AlarmView, ...]:
        """Return every alarm that is announced, in the order of the rules."""
        return self._views(lambda state: state in ANNOUNCED)

    def suppressed(self) -> tuple[AlarmView, ...]:
        """Return every alarm that is shelved, suppressed by design or out of service, in the order of the rules."""
        return self._views(lambda state: state.is_suppressed)

    def _views(self, is_wanted: Callable[[State], bool]) -> tuple[AlarmView, ...]:
        return tuple(guard.view() for guard in self._guards.values() if is_wanted(guard.alarm.state))

    def restore(self, stored: Iterable[StoredAlarm]) -> tuple[StoredAlarm, ...]:
        """Resume from what the ledger remembers, before the first reading; return those whose rule is gone.

        Delays that were running are not in the ledger: give ``refill`` the stored readings, or they start
        anew.
        """
        orphans = []
        for memory in stored:
            guard = self._guards.get(memory.rule_id)
            if guard is None:
                orphans.append(memory)
                continue
            guard.restore(memory)
            self._track(guard)
        return tuple(orphans)

    def memory_s(self) -> dict[ChannelId, float]:
        """Return how far back each channel's readings still matter [s]: delays, windows and suppressions under way."""
        found: dict[ChannelId, float] = {}
        for rule in self.rules:
            needs_s = rule.on_delay_s + rule.off_delay_s + rule.window_s + rule.settle_s
            for channel in rule.channels:
                found[channel] = max(found.get(channel, 0.0), needs_s)
            for suppressor in rule.suppressors:
                needs_s = (suppressor.max_s or 0.0) + suppressor.recovery_s
                found[suppressor.channel] = max(found.get(suppressor.channel, 0.0), needs_s)
        return found

    def refill(self, readings: Sequence[Reading]) -> None:
        """Take stored readings, oldest first, so that windows and delays cut off by a restart continue.

        Changes no state: what they make due is reported by the next ``evaluate`` or ``tick``.
        """
        polls: _Polls = {}
        for reading in readings:
            channel, value, at = reading[0], reading[1], reading[4]
            watching, explained, device = self._routes.get(channel) or self._route(channel)
            if device is not None:
                _count(polls, device, reading)
            for guard in explained:
                guard.explain(channel, value, at)
                self._explained[guard.rule.id] = guard
            for guard in watching:
                guard.remember(channel, value, at)
        for (device, at), reason in polls.items():
            for link in self._links[device]:
                link.remember_poll(reason, at)

    def _attach(self, guard: Guard) -> None:
        self._guards[guard.rule.id] = guard
        if isinstance(guard, LinkGuard):
            self._links.setdefault(guard.rule.device, []).append(guard)
            self._routes.clear()
        for channel in _channels(guard.rule):
            self._by_channel.setdefault(channel, []).append(guard)
            self._routes.pop(channel, None)

    def _detach(self, guard: Guard) -> None:
        """Let no reading and no time come to a guard any more."""
        self._timed.pop(guard.rule.id, None)
        self._explained.pop(guard.rule.id, None)
        for channel in _channels(guard.rule):
            self._by_channel[channel].remove(guard)
            self._routes.pop(channel, None)
        if isinstance(guard, LinkGuard):
            self._links[guard.rule.device].remove(guard)

    def _route(self, channel: ChannelId) -> _Route:
        """Find, once per channel, what its readings go to."""
        guards = self._by_channel.get(channel, ())
        device = channel.rpartition("/")[0]
        route = self._routes[channel] = (
            tuple(guard for guard in guards if channel in guard.rule.channels),
            tuple(guard for guard in guards if any(one.channel == channel for one in guard.rule.suppressors)),
            device if device in self._links else None,
        )
        return route

    def _named(self, rule_id: str) -> Guard:
        guard = self._guards.get(rule_id)
        if guard is None:
            raise AlarmError(f"there is no alarm {rule_id!r}; take an id from the list of alarms")
        return guard

    def _settle_windows(self, guard: Guard, now: Instant, found: list[Transition]) -> None:
        if guard.settle_windows(now, found):
            self._explained[guard.rule.id] = guard
        else:
            self._explained.pop(guard.rule.id, None)

    def _done(self, transition: Transition) -> Transition:
        self._track(self._guards[transition.rule.id])
        return transition

    def _tracked(self, found: list[Transition]) -> tuple[Transition, ...]:
        for transition in found:
            self._track(self._guards[transition.rule.id])
        return tuple(found)

    def _track(self, guard: Guard) -> None:
        """Remember which alarms time alone can move."""
        if guard.is_timed:
            self._timed[guard.rule.id] = guard
        else:
            self._timed.pop(guard.rule.id, None)
        if guard.windows and guard.alarm.state in (State.NORMAL, State.SUPPRESSED_BY_DESIGN):
            self._explained[guard.rule.id] = guard


def _channels(rule: Rule) -> tuple[ChannelId, ...]:
    """Return every channel that has to do with a rule, once."""
    return tuple(dict.fromkeys((*rule.channels, *(suppressor.channel for suppressor in rule.suppressors))))


def _count(polls: _Polls, device: str, reading: Reading) -> None:
    """Note in ``polls`` why a poll was missed, or None as soon as one channel came through."""
    poll = device, reading.source_time
    if reading.value is not None or reading.reason not in COMMUNICATION_REASONS:
        polls[poll] = None
    else:
        polls.setdefault(poll, reading.reason)
