"""Goes through the steps of an alarm's drills: told what readings and alarms say, it asks for what comes next.

Like a trial, which it follows, it knows no simulator, no engine and no clock.
"""

from __future__ import annotations

from collections.abc import Iterable

from cultureops.alarms.state import State
from cultureops.challenge.drill import Since, Step, script
from cultureops.challenge.result import Change, Result
from cultureops.challenge.stimulus import Stimulus
from cultureops.challenge.trial import Wish, after, closely, missed
from cultureops.clock import SECOND_MS, Instant
from cultureops.device.reading import Reading

__all__ = ["Drilling"]


class Drilling:
    """The drills of one alarm that came and went; what they find is added to its ``result``."""

    def __init__(self, result: Result, now: Instant, before: Iterable[Reading], attempt: int = 1) -> None:
        self.result = result
        self.attempt = attempt
        self.disturbance = ""
        self._state = State.NORMAL
        self._drills = result.stimulus.drills
        self._steps: tuple[Step, ...] = ()
        self._witness = result.stimulus.witness()
        self._explaining = frozenset(one.channel for one in result.stimulus.rule.suppressors)
        self._seen: dict[Since, Instant] = {}
        self._is_explained = False
        for reading in before:
            self._witness.take(reading)
        self._begin(now)

    def _begin(self, now: Instant) -> None:
        self._steps, self._number, self._since = script(self.result.stimulus, self._drills), 0, now

    @property
    def stimulus(self) -> Stimulus:
        """Of the alarm that is drilled."""
        return self.result.stimulus

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return self._number >= len(self._steps)

    @property
    def _step(self) -> Step:
        return self._steps[self._number]

    def wish(self, now: Instant) -> Wish:
        """Say what is to be shown and done from now on."""
        if self.is_over:
            return Wish(self.stimulus.rest)
        step = self._step
        return Wish(
            step.show,
            step.silences,
            acknowledge=step.is_acknowledging,
            reset=step.is_resetting,
            shelve_s=step.shelves_s if self._state is not step.after else None,
        )

    def next_instant(self, now: Instant) -> Instant | None:
        """Return when it must look again, at the latest; None: when the next reading comes."""
        if self.is_over or (anchor := self._anchor) is None:
            return None
        return closely(now, after(anchor, self._step.within_s[0]))

    @property
    def _anchor(self) -> Instant | None:
        """From when the times of the present step count; None while no reading shows it."""
        return self._since if self._step.since is Since.STEP else self._seen.get(self._step.since)

    def take(self, reading: Reading) -> None:
        """Take a reading."""
        if reading.channel in self._explaining:
            self._is_explained = bool(reading.value)
        self.disturbance = missed(reading, self.stimulus) or self.disturbance
        self._witness.take(reading)

    def hear(self, change: Change) -> None:
        """Take a change of an alarm, of its own or another one's."""
        self.result.note(change)

    def learn_told(self, rule_id: str, at: Instant) -> None:
        """Messages are the trial's."""

    def give_up(self, now: Instant, reason: str) -> None:
        """End it because the alarm could not be driven."""
        self.result.problems.append(f"{self._step.text}: {reason}")
        self._number = len(self._steps)

    def look(self, now: Instant, state: State) -> None:
        """Draw conclusions at ``now``, when its alarm is in ``state``; readings up to then were told."""
        self._state = state
        witness = self._witness
        self._see(Since.BEYOND, now, is_seen=witness.is_beyond, is_over=witness.is_inside)
        self._see(Since.INSIDE, now, is_seen=witness.is_inside, is_over=not witness.is_inside)
        self._see(Since.EXPLAINED, now, is_seen=self._is_explained, is_over=not self._is_explained)
        self._see(Since.VOID, now, is_seen=witness.value is None, is_over=witness.value is not None)
        if not self.is_over:
            self._judge(now, state)

    def _see(self, since: Since, now: Instant, *, is_seen: bool, is_over: bool) -> None:
        if is_seen:
            self._seen.setdefault(since, now)
        elif is_over:
            self._seen.pop(since, None)

    def _judge(self, now: Instant, state: State) -> None:
        step, anchor = self._step, self._anchor
        if step.before is not None and state not in (step.before, step.after):
            self._fail(f"is {state}, not {step.before} and then {step.after}")
        elif anchor is None:
            if step.before not in (None, state):
                self._fail(f"is {state} before a reading showed why")
            else:
                self._wait(now)
        else:
            self._time((now - anchor) / SECOND_MS, now, state)

    def _time(self, delay_s: float, now: Instant, state: State) -> None:
        step = self._step
        least_s, most_s = step.within_s
        if step.before is step.after:
            if delay_s >= least_s:
                self._go_on(now)
        elif state is not step.after:
            if delay_s > most_s:
                self._fail(f"still {state} after {delay_s:g} s, not {step.after} within {most_s:g} s")
        elif delay_s < least_s:
            self._fail(f"is {state} after {delay_s:g} s, before {least_s:g} s were over")
        elif delay_s > most_s:
            self._fail(f"is {state} after {delay_s:g} s, later than {most_s:g} s")
        else:
            self._go_on(now)

    def _wait(self, now: Instant) -> None:
        """Wait for the reading that shows what was put on the wire, for as long as that may take."""
        step = self._step
        if now <= after(self._since, step.patience_s):
            return
        if step.needed_by is None:
            self._fail(f"no reading showed it within {step.patience_s:g} s")
        else:
            self._drills -= {step.needed_by}
            self._begin(now)

    def _go_on(self, now: Instant) -> None:
        self.result.shown.update(self._step.shows)
        self._number, self._since = self._number + 1, now

    def _fail(self, problem: str) -> None:
        self.result.problems.append(f"{self._step.text}: {problem}")
        self._number = len(self._steps)
