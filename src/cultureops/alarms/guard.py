"""One rule at work: its alarm, the watch on its condition, what it measures, and what may explain it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cultureops.alarms import text
from cultureops.alarms.alarm import Alarm, AlarmView, StoredAlarm, Transition
from cultureops.alarms.measure import bounds, measure_of
from cultureops.alarms.rule import Kind, Rule
from cultureops.alarms.state import State
from cultureops.alarms.suppression import Window
from cultureops.alarms.watch import CommunicationWatch, LimitWatch, SilenceWatch
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reason

__all__ = ["Guard", "LimitGuard", "LinkGuard", "SilenceGuard", "guard_of"]


class Guard:
    """What all guards share: suppression by design, shelving and re-alarming, which time alone can end."""

    __slots__ = ("alarm", "rule", "windows")

    watch: LimitWatch | CommunicationWatch | SilenceWatch

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.alarm = Alarm(rule)
        self.windows = tuple(Window(suppressor) for suppressor in rule.suppressors)

    def take(self, channel: ChannelId, value: float | None, at: Instant, found: list[Transition]) -> None:
        """Take a reading of one of the rule's channels (None: BAD) and add what changes by it."""

    def remember(self, channel: ChannelId, value: float | None, at: Instant) -> None:
        """Take a stored reading, which changes no state."""

    def settle(self, now: Instant, found: list[Transition]) -> None:
        """Complete a delay that has run out."""

    def restore(self, memory: StoredAlarm) -> None:
        """Stand where the ledger says; delays start anew."""
        self.alarm.restore(memory)
        self.watch.active = memory.is_active

    def view(self) -> AlarmView:
        """Return the alarm as it stands."""
        return self.alarm.view(self.alarm.value)

    def explain(self, channel: ChannelId, value: float | None, at: Instant) -> None:
        """Take a reading of what may explain the condition, such as a door."""
        for window, suppressor in zip(self.windows, self.rule.suppressors, strict=True):
            if suppressor.channel == channel:
                window.observe(value, at, is_condition_there=self.alarm.is_active)

    def settle_windows(self, now: Instant, found: list[Transition]) -> bool:
        """Suppress what is explained, let go of what is not any more; return whether time may change that."""
        is_explained = any([window.holds(now) for window in self.windows])
        state = self.alarm.state
        if is_explained and state is State.NORMAL:
            found.append(self.alarm.suppress(now, "an open door or the like explains it"))
        elif not is_explained and state is State.SUPPRESSED_BY_DESIGN and not self._is_recovering:
            found.append(self.alarm.release(now, self._uncovered("what explained it is over", now)))
        return is_explained or self.alarm.state is State.SUPPRESSED_BY_DESIGN

    @property
    def _is_recovering(self) -> bool:
        """Whether the value is back within the limit already: what is nearly over is not raised at its end."""
        return False

    @property
    def is_timed(self) -> bool:
        """Whether time alone may move the alarm: a shelving ends, or it is told again."""
        state = self.alarm.state
        return state is State.SHELVED or (state is State.ACK and self.rule.realarm_s > 0)

    def set_clock_back(self, by_ms: int) -> None:
        """Give a shelving no more time than it was given, although the clock shows an earlier one."""
        shelf = self.alarm.shelf
        if shelf is not None and shelf.until is not None:
            self.alarm.shelf = replace(shelf, until=shelf.until - by_ms)

    def settle_times(self, now: Instant, found: list[Transition]) -> None:
        """End a shelving whose time is over, and tell again what was acknowledged long ago and is still there."""
        alarm = self.alarm
        if alarm.state is State.SHELVED:
            shelf = alarm.shelf
            # Where its end is not known it is over, and so it is after a clock was set back: no shelving is for ever.
            if shelf is None or shelf.until is None or now >= shelf.until or now < shelf.since:
                found.append(alarm.release(now, self._uncovered("its shelving is over", now)))
        elif alarm.state is State.ACK:
            acknowledged_at = alarm.acknowledged_at or alarm.raised_at
            if now - acknowledged_at >= self.rule.realarm_s * 1000 or now < acknowledged_at:
                lasted = text.duration((now - alarm.raised_at) / 1000)
                cause = f"acknowledged by {alarm.acknowledged_by}, and still there after {lasted}"
                found.append(alarm.realarm(now, cause))

    def due_at(self) -> Iterator[Instant]:
        """Yield the instants at which time alone may change the alarm, as far as is known now; some may have passed."""
        for window in self.windows:
            yield from window.ends_at()
        alarm = self.alarm
        if alarm.state is State.SHELVED and alarm.shelf is not None and alarm.shelf.until is not None:
            yield alarm.shelf.until
        elif alarm.state is State.ACK and self.rule.realarm_s > 0:
            yield (alarm.acknowledged_at or alarm.raised_at) + round(self.rule.realarm_s * 1000)
        if not isinstance(self.watch, CommunicationWatch) and (change_at := self.watch.due_at) is not None:
            yield change_at

    def _uncovered(self, why: str, now: Instant) -> str:
        """Say beside the end of a suppression what condition it uncovers."""
        return f"{why}; {self._present(now)}" if self.alarm.is_active else why

    def _present(self, now: Instant) -> str:
        return text.begun(self.rule, self.view().value, (now - self.alarm.since) / 1000)

    def _begin(self, at: Instant, since: Instant, value: float | None, cause: str, found: list[Transition]) -> None:
        if self.windows:
            self.settle_windows(at, found)
        found.append(self.alarm.begin(at, since, value, cause))

    def _end(self, at: Instant, since: Instant, value: float | None, cause: str, found: list[Transition]) -> None:
        alarm = self.alarm
        found.append(alarm.end(at, since, value, cause))
        if alarm.state is State.SHELVED and alarm.shelf is not None and alarm.shelf.one_shot:
            found.append(alarm.release(at, "its condition is gone, for which it was shelved"))


class LimitGuard(Guard):
    """A limit on a value, or on what is measured from it."""

    __slots__ = ("measure", "watch")

    watch: LimitWatch

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.watch = LimitWatch(*bounds(rule), rule.on_delay_s, rule.off_delay_s)
        self.measure = measure_of(rule)

    def take(self, channel: ChannelId, value: float | None, at: Instant, found: list[Transition]) -> None:
        """Judge a reading."""
        watch = self.watch
        number = value if self.measure is None else self.measure.take(channel, value, at)
        if number is None:
            if value is None and channel == self.rule.channel:
                watch.has_value = False
        elif watch.active or watch.since is not None or watch.sign * number >= watch.bound:
            watch.observe(number, at)
            if watch.is_due(at):
                self._flip(at, found)

    def remember(self, channel: ChannelId, value: float | None, at: Instant) -> None:
        """Let delays and windows go on from a stored reading."""
        number = value if self.measure is None else self.measure.take(channel, value, at)
        if number is not None:
            self.watch.observe(number, at)
        elif value is None and channel == self.rule.channel:
            self.watch.lose()

    def settle(self, now: Instant, found: list[Transition]) -> None:
        """Complete a delay that has run out."""
        if self.watch.since is not None and self.watch.is_due(now):
            self._flip(now, found)

    def restore(self, memory: StoredAlarm) -> None:
        """Stand where the ledger says."""
        super().restore(memory)
        self.watch.since, self.watch.value = None, memory.value

    def view(self) -> AlarmView:
        """Return the alarm as it stands, with the latest value while its condition lasts."""
        return self.alarm.view(self.watch.value if self.watch.active else self.alarm.value)

    @property
    def _is_recovering(self) -> bool:
        watch = self.watch
        return watch.active and watch.has_value and watch.value is not None and watch.sign * watch.value < watch.bound

    def _flip(self, at: Instant, found: list[Transition]) -> None:
        since, value = self.watch.flip(), self.watch.value
        lasted_s = (at - since) / 1000
        if self.watch.active:
            self._begin(at, since, value, text.begun(self.rule, value, lasted_s), found)
        else:
            self._end(at, since, value, text.ended(self.rule, value, lasted_s), found)


class SilenceGuard(Guard):
    """A channel that should say something."""

    __slots__ = ("watch",)

    watch: SilenceWatch

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.watch = SilenceWatch(rule.on_delay_s, rule.off_delay_s)

    def take(self, channel: ChannelId, value: float | None, at: Instant, found: list[Transition]) -> None:
        """Take note of a value, or of none."""
        self.remember(channel, value, at)
        if self.watch.active:
            self.settle(at, found)

    def remember(self, channel: ChannelId, value: float | None, at: Instant) -> None:
        """Take a stored reading."""
        if value is None:
            self.watch.lose()
        else:
            self.watch.observe(at)

    def settle(self, now: Instant, found: list[Transition]) -> None:
        """Find out whether it was silent for too long, or has been back for long enough."""
        if not self.watch.is_due(now):
            return
        since = self.watch.flip()
        lasted_s = (now - since) / 1000
        if self.watch.active:
            self._begin(now, since, None, text.begun(self.rule, None, lasted_s), found)
        else:
            self._end(now, since, None, text.ended(self.rule, None, lasted_s), found)


class LinkGuard(Guard):
    """The link to a device, judged poll by poll, and by the time that passes without one."""

    __slots__ = ("watch",)

    watch: CommunicationWatch

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.watch = CommunicationWatch(rule.misses, rule.silence_s)

    def poll(self, reason: Reason | None, at: Instant, found: list[Transition]) -> None:
        """Take a poll: why nothing came through, or None when something did."""
        watch = self.watch
        watch.silent_ms = 0
        if reason is None:
            if not watch.is_quiet and watch.answered():
                self._end(at, at, None, f"{self.rule.device} answered again", found)
            return
        watch.miss(at)
        if watch.is_due:
            self._begin(at, watch.begin(at), None, text.lost(watch.missed, reason), found)

    def remember_poll(self, reason: Reason | None, at: Instant) -> None:
        """Take a stored poll, which changes no state."""
        if reason is not None:
            self.watch.miss(at)
        elif not self.watch.active:
            self.watch.answered()

    def settle(self, now: Instant, found: list[Transition]) -> None:
        """Find out whether the device was not even asked for too long."""
        watch = self.watch
        if watch.pass_time(now):
            silent_ms = watch.silent_ms
            watch.miss(now - silent_ms)
            cause = f"no poll at all for {text.duration(silent_ms / 1000)}: whoever asks {self.rule.device} hangs"
            self._begin(now, watch.begin(now), None, cause, found)

    def _present(self, now: Instant) -> str:
        return f"{self.rule.device} does not answer"


def guard_of(rule: Rule) -> Guard:
    """Return what watches for a rule; raises ValueError for one that lacks what its kind needs."""
    match rule.kind:
        case Kind.COMMUNICATION:
            return LinkGuard(rule)
        case Kind.NO_DATA:
            return SilenceGuard(rule)
        case _:
            return LimitGuard(rule)
