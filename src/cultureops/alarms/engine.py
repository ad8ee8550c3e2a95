"""Readings and time in, alarm transitions out: pure over its own state, no clock, no input or output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cultureops.alarms import text
from cultureops.alarms.alarm import Alarm, AlarmView, StoredAlarm, Transition
from cultureops.alarms.rule import Kind, Rule
from cultureops.alarms.state import State
from cultureops.alarms.text import describe
from cultureops.alarms.watch import CommunicationWatch, LimitWatch
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import COMMUNICATION_REASONS, Reading, Reason
from cultureops.errors import ConfigError, CultureOpsError

__all__ = ["AlarmError", "AlarmView", "Engine", "StoredAlarm", "Transition", "describe"]


class AlarmError(CultureOpsError):
    """A command on an alarm was not carried out."""


_Limits = tuple[tuple[Alarm, LimitWatch], ...]


class Engine:
    """Every alarm of a site.

    Raise: ``value >= limit`` (LOW: ``<=``) for the on-delay; clear: beyond the deadband for the off-delay;
    both by source time, completed by the next reading or tick. A BAD reading neither raises nor clears a
    limit alarm; an UNCERTAIN value counts like a GOOD one. Loss of communication: ``misses`` polls of a
    device in a row in which every channel's reason is one of COMMUNICATION_REASONS; the first other poll
    clears it. Readings of one device with one source time, in one call, are one poll. Source: Logix-style
    deadband and delays; states of ISA-18.2 / IEC 62682.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._alarms: dict[str, Alarm] = {}
        self._limit_watches: dict[str, LimitWatch] = {}
        self._limits: dict[ChannelId, list[tuple[Alarm, LimitWatch]]] = {}
        self._links: dict[str, list[tuple[Alarm, CommunicationWatch]]] = {}
        self._routes: dict[ChannelId, tuple[_Limits, str | None]] = {}
        for rule in rules:
            if rule.id in self._alarms:
                raise ConfigError(f"alarm {rule.id!r} is given twice; keep one rule for it")
            alarm = self._alarms[rule.id] = Alarm(rule)
            if rule.kind is Kind.COMMUNICATION:
                self._links.setdefault(rule.device, []).append((alarm, CommunicationWatch(rule)))
            else:
                watch = self._limit_watches[rule.id] = LimitWatch(rule)
                self._limits.setdefault(rule.channel or "", []).append((alarm, watch))

    def evaluate(self, readings: Sequence[Reading]) -> tuple[Transition, ...]:
        """Take readings of any devices, in order, and return what changed."""
        transitions: list[Transition] = []
        polls: dict[tuple[str, Instant], Reason | None] = {}
        routes = self._routes
        for reading in readings:
            limits, device = routes.get(reading.channel) or self._route(reading.channel)
            value = reading.value
            if device is not None:
                _count(polls, device, reading)
            for alarm, watch in limits:
                if value is None:
                    watch.has_value = False
                elif watch.active or watch.since is not None or watch.sign * value >= watch.bound:
                    watch.observe(value, reading.source_time)
                    if watch.is_due(reading.source_time):
                        transitions.append(_flip(alarm, watch, reading.source_time))
        for (device, at), reason in polls.items():
            for alarm, link in self._links[device]:
                if reason is None and link.is_quiet:
                    continue
                if (transition := _poll(alarm, link, reason, at)) is not None:
                    transitions.append(transition)
        return tuple(transitions)

    def tick(self, now: Instant) -> tuple[Transition, ...]:
        """Complete the delays that have run out by ``now`` and return what changed."""
        return tuple(
            _flip(self._alarms[rule_id], watch, now)
            for rule_id, watch in self._limit_watches.items()
            if watch.since is not None and watch.is_due(now)
        )

    def acknowledge(self, rule_id: str, now: Instant, actor_id: str, reason: str) -> Transition:
        """Acknowledge an alarm; raise AlarmError when there is none, or name or reason lack."""
        alarm = self._alarms.get(rule_id)
        if alarm is None:
            raise AlarmError(f"there is no alarm {rule_id!r}; take an id from the list of alarms")
        if not alarm.state.wants_acknowledgement:
            done = f"was acknowledged by {alarm.acknowledged_by}"
            said = done if alarm.state is State.ACK else "is not raised"
            raise AlarmError(f"alarm {rule_id} {said}; there is nothing to acknowledge")
        if not actor_id.strip() or not reason.strip():
            raise AlarmError(f"alarm {rule_id}: an acknowledgement needs a name and a reason; give both")
        return alarm.acknowledge(now, actor_id.strip(), reason.strip())

    def active(self) -> tuple[AlarmView, ...]:
        """Return every alarm that is not NORMAL, in the order of the rules."""
        return tuple(self._view(alarm) for alarm in self._alarms.values() if alarm.state is not State.NORMAL)

    def restore(self, stored: Iterable[StoredAlarm]) -> tuple[StoredAlarm, ...]:
        """Resume from what the ledger remembers, before the first reading; return those whose rule is gone.

        Delays that were running are not in the ledger: give ``refill`` the stored readings, or they start
        anew.
        """
        orphans = []
        for memory in stored:
            alarm = self._alarms.get(memory.rule_id)
            if alarm is None:
                orphans.append(memory)
                continue
            alarm.state, alarm.since, alarm.raised_at = memory.state, memory.since, memory.raised_at
            alarm.value, alarm.returned_at = memory.value, memory.returned_at
            alarm.acknowledged_by = memory.acknowledged_by
            self._resume(alarm)
        return tuple(orphans)

    def refill(self, readings: Sequence[Reading]) -> None:
        """Take stored readings, oldest first, so that delays cut off by a restart continue; changes no state.

        What they make due is reported by the next ``evaluate`` or ``tick``.
        """
        polls: dict[tuple[str, Instant], Reason | None] = {}
        for reading in readings:
            limits, device = self._route(reading.channel)
            if device is not None:
                _count(polls, device, reading)
            for _, watch in limits:
                if reading.value is None:
                    watch.lose()
                else:
                    watch.observe(reading.value, reading.source_time)
        for (device, at), reason in polls.items():
            for _, link in self._links[device]:
                if reason is not None:
                    link.miss(at)
                elif not link.active:
                    link.answered()

    def _resume(self, alarm: Alarm) -> None:
        is_active = alarm.state.is_active
        if (watch := self._limit_watches.get(alarm.rule.id)) is not None:
            watch.active, watch.since, watch.value = is_active, None, alarm.value
            return
        for owner, link in self._links[alarm.rule.device]:
            if owner is alarm:
                link.active = is_active

    def _route(self, channel: ChannelId) -> tuple[_Limits, str | None]:
        """Find, once per channel, the limits on it and the device whose polls it counts for."""
        if (known := self._routes.get(channel)) is not None:
            return known
        device = channel.rpartition("/")[0]
        limits = tuple(self._limits.get(channel, ()))
        route = self._routes[channel] = (limits, device if device in self._links else None)
        return route

    def _view(self, alarm: Alarm) -> AlarmView:
        watch = self._limit_watches.get(alarm.rule.id)
        value = watch.value if watch is not None and watch.active else alarm.value
        return AlarmView(
            alarm.rule,
            alarm.state,
            alarm.raised_at,
            value,
            alarm.returned_at,
            alarm.acknowledged_by,
            alarm.since,
        )


def _count(polls: dict[tuple[str, Instant], Reason | None], device: str, reading: Reading) -> None:
    """Note in ``polls`` why a poll was missed, or None as soon as one channel came through."""
    poll = device, reading.source_time
    if reading.value is not None or reading.reason not in COMMUNICATION_REASONS:
        polls[poll] = None
    else:
        polls.setdefault(poll, reading.reason)


def _poll(alarm: Alarm, link: CommunicationWatch, reason: Reason | None, at: Instant) -> Transition | None:
    if reason is None:
        return alarm.end(at, at, None, f"{alarm.rule.device} answered again") if link.answered() else None
    link.miss(at)
    if not link.is_due:
        return None
    return alarm.begin(at, link.begin(at), None, text.lost(link.missed, reason))


def _flip(alarm: Alarm, watch: LimitWatch, at: Instant) -> Transition:
    since = watch.flip()
    lasted_s = (at - since) / 1000
    if watch.active:
        return alarm.begin(at, since, watch.value, text.begun(alarm.rule, watch.value, lasted_s))
    return alarm.end(at, since, watch.value, text.ended(alarm.rule, watch.value, lasted_s))
