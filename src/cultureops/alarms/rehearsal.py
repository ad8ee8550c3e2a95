"""A trace through the alarm engine: polls in, transitions out, exactly as if the engine had been ticked all the time.

Pure: where polls and rules come from, and what becomes of the transitions, is up to the caller.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from cultureops.alarms.alarm import Transition
from cultureops.alarms.command import AlarmCommand, carry_out
from cultureops.alarms.engine import Engine
from cultureops.alarms.permission import AlarmError
from cultureops.alarms.rule import Kind, Rule
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading, Reason, bad_reading

__all__ = ["MISSING_PERIODS", "Poll", "Refused", "rehearse", "with_missed_polls"]

Poll: TypeAlias = tuple[Instant, Sequence[Reading]]
"""When a device was asked [ms UTC], and what came of it: every reading has that source time."""

MISSING_PERIODS: Final = 1.5
"""From how many periods between two polls on at least one between them is missing."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What somebody asked of an alarm and was not done, and why."""

    command: AlarmCommand
    why: str


class _Rehearsal:
    """An engine that is ticked only when time alone can change something, which is as good as always."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.engine = Engine(rules)
        self._ticked: Instant | None = None
        self._due: Instant | None = None

    def take(self, at: Instant, readings: Sequence[Reading]) -> Iterator[Transition]:
        """Let time run until just before a poll, and take it."""
        if self._due is not None and self._due < at:
            yield from self.run_to(at - 1)
        found = self.engine.evaluate(readings)
        yield from found
        if found or self._ticked is None:
            yield from self.settle(at)
        else:
            self._due = self.engine.next_due(self._ticked)
        if self._due is not None and self._due <= at:
            yield from self.run_to(at)

    def run_to(self, end: Instant) -> Iterator[Transition]:
        """Let time run up to ``end`` without a poll."""
        while self._due is not None and self._due <= end:
            yield from self.settle(self._due)

    def settle(self, now: Instant) -> Iterator[Transition]:
        """Tick until one tick more changes nothing: what one uncovers or ends, the next may suppress."""
        while found := self.engine.tick(now):
            yield from found
        self._ticked = now
        self._due = self.engine.next_due(now)


def rehearse(
    rules: Sequence[Rule], polls: Iterable[Poll], commands: Iterable[AlarmCommand] = ()
) -> Iterator[Transition | Refused]:
    """Run polls, in the order of their times, through the rules and yield each transition as it comes.

    Time runs from the first poll to the last; a delay that ends between two polls ends at its own time. At one instant
    the polls come first, then what is due, then ``commands``; a command that can't be carried out, or whose time lies
    outside the trace, is yielded as Refused.
    """
    waiting = deque(sorted(commands, key=lambda command: command.at))
    rehearsal: _Rehearsal | None = None
    at = 0
    for at, readings in polls:
        if rehearsal is None:
            rehearsal = _Rehearsal(rules)
            while waiting and waiting[0].at < at:
                yield Refused(waiting.popleft(), "the trace begins later")
        while waiting and waiting[0].at < at:
            yield from _carried_out(rehearsal, waiting.popleft())
        yield from rehearsal.take(at, readings)
    while rehearsal is not None and waiting and waiting[0].at <= at:
        yield from _carried_out(rehearsal, waiting.popleft())
    for command in waiting:
        yield Refused(command, "the trace ends before")


def _carried_out(rehearsal: _Rehearsal, command: AlarmCommand) -> Iterator[Transition | Refused]:
    yield from rehearsal.run_to(command.at)
    try:
        yield carry_out(rehearsal.engine, command, command.at)
    except AlarmError as error:
        yield Refused(command, str(error))
    yield from rehearsal.settle(command.at)


def with_missed_polls(
    polls: Iterable[Poll], period_ms: Instant, channels: Sequence[ChannelId], rules: Iterable[Rule]
) -> Iterator[Poll]:
    """Put the polls that are missing back as what they were: BAD readings of every channel, at the usual period.

    So a gap counts for loss of communication, and no delay ends on a value from before it. Of a long gap only as many
    are put back as rules can tell apart. ``period_ms`` 0: nothing is known to be missing.
    """
    most = max((rule.misses for rule in rules if rule.kind is Kind.COMMUNICATION), default=1)
    before: Instant | None = None
    for poll in polls:
        at = poll[0]
        if period_ms and before is not None and at - before > MISSING_PERIODS * period_ms:
            for missed_at in range(before + period_ms, at - period_ms // 2, period_ms)[:most]:
                yield missed_at, [bad_reading(channel, Reason.TIMEOUT, missed_at, missed_at) for channel in channels]
        yield poll
        before = at
