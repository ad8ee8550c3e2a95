"""One alarm's challenge as a machine of its own: told what readings and alarms say, it asks for what it needs next.

It knows no simulator, no engine and no clock; lab time comes in, wishes go out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from cultureops.alarms.state import State
from cultureops.challenge.drill import ANSWER_S, LONGEST_UNREST_S
from cultureops.challenge.result import Change, Result
from cultureops.challenge.stimulus import Drill, Stimulus
from cultureops.clock import SECOND_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import COMMUNICATION_REASONS, Reading

__all__ = ["Trial", "Wish", "after", "closely", "missed"]

_POLLS_TO_BE_SEEN: Final = 3
"""After how many polls that don't show what was driven it is driven farther."""
_LATCHED: Final = frozenset({State.LATCH_UNACK, State.LATCH_ACK})


@dataclass(frozen=True, slots=True)
class Wish:
    """What a trial wants done before lab time goes on; what it shows stays forced until it is shown otherwise.

    ``shelve_s`` is for how long its alarm is to be shelved from now on.
    """

    show: Mapping[ChannelId, float]
    silence: str | None = None
    acknowledge: bool = False
    reset: bool = False
    shelve_s: float | None = None


class Phase(Enum):
    """Where a trial stands."""

    RESTING = auto()
    SHORT = auto()
    DRIVING = auto()
    ACKNOWLEDGING = auto()
    WITHIN = auto()
    RETURNING = auto()
    RESETTING = auto()
    OVER = auto()


class Trial:
    """Rest, stop short of the limit, drive, wait for the alarm, acknowledge it, stay in the deadband, return, wait.

    ``before`` are the readings so far, for conditions that only a long stretch of them shows. Once over, ``result`` is
    complete, or ``disturbance`` says why it proves nothing.
    """

    def __init__(self, stimulus: Stimulus, now: Instant, before: Iterable[Reading], attempt: int = 1) -> None:
        self.stimulus = stimulus
        self.result = Result(stimulus, attempt)
        self.attempt = attempt
        self.disturbance = ""
        self._state = State.NORMAL
        self._witness = stimulus.witness()
        for reading in before:
            self._witness.take(reading)
        self._rested_at: Instant | None = None
        self._short = 0
        self._is_short_done = not stimulus.short
        self._farther = 0
        self._enter(Phase.RESTING, now)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return self._phase is Phase.OVER

    def wish(self, now: Instant) -> Wish:
        """Say what is to be shown and done from now on."""
        stimulus = self.stimulus
        if self._phase in (Phase.DRIVING, Phase.ACKNOWLEDGING):
            begun = self.result.driven_at if self.result.driven_at is not None else now
            driven = stimulus.drive((now - begun) / SECOND_MS)
            farther = stimulus.farther[self._farther - 1] if self._farther else {}
            show = {**stimulus.rest, **driven, **farther}
            return Wish(show, stimulus.silences, acknowledge=self._phase is Phase.ACKNOWLEDGING)
        if self._phase is Phase.SHORT:
            return Wish({**stimulus.rest, **stimulus.short[self._short]})
        if self._phase is Phase.WITHIN:
            return Wish({**stimulus.rest, **stimulus.within})
        stands = self._phase is Phase.RESTING and self._state.wants_acknowledgement
        return Wish(stimulus.rest, acknowledge=stands, reset=self._state in _LATCHED)

    def next_instant(self, now: Instant) -> Instant | None:
        """Return when it must look again, at the latest; None: when the next reading comes."""
        result, stimulus = self.result, self.stimulus
        match self._phase:
            case Phase.RESTING if self._rested_at is not None:
                return after(self._rested_at, stimulus.rest_s)
            case Phase.SHORT:
                return after(self._since, stimulus.short_s)
            case Phase.DRIVING if result.shown_at is not None:
                return closely(now, after(result.shown_at, stimulus.raise_after_s))
            case Phase.WITHIN:
                return after(self._since, stimulus.within_s)
            case Phase.RETURNING if result.back_at is not None:
                return closely(now, after(result.back_at, stimulus.clear_after_s))
            case _:
                return None

    def take(self, reading: Reading) -> None:
        """Take a reading."""
        self.disturbance = missed(reading, self.stimulus) or self.disturbance
        self._witness.take(reading)

    def hear(self, change: Change) -> None:
        """Take a change of an alarm, of its own or another one's."""
        result = self.result
        if not result.note(change):
            return
        if change.to_state is State.UNACK and result.driven_at is not None and result.raised_at is None:
            result.raised_at = change.seen_at
        elif change.to_state is State.ACK and result.acknowledged_at is None:
            result.acknowledged_at = change.seen_at
        elif change.from_state.is_active and not change.to_state.is_active and result.cleared_at is None:
            result.cleared_at = change.seen_at

    def learn_told(self, rule_id: str, at: Instant) -> None:
        """Take note that a message of an alarm was handed over."""
        result = self.result
        if rule_id == self.stimulus.rule.id and result.raised_at is not None and result.notified_at is None:
            result.notified_at = at

    def look(self, now: Instant, state: State) -> None:
        """Draw conclusions at ``now``, when its alarm is in ``state``; readings and changes up to then were told."""
        self._state = state
        steps = {
            Phase.RESTING: self._rest,
            Phase.SHORT: self._stay_short,
            Phase.DRIVING: self._drive,
            Phase.ACKNOWLEDGING: self._acknowledge,
            Phase.WITHIN: self._stay_within,
            Phase.RETURNING: self._return,
            Phase.RESETTING: self._reset,
        }
        if not self.is_over:
            steps[self._phase](now)

    def give_up(self, now: Instant, reason: str) -> None:
        """End it because the alarm could not be driven."""
        self.result.unreachable = reason
        self._enter(Phase.OVER, now)

    def _enter(self, phase: Phase, now: Instant) -> None:
        self._phase, self._since = phase, now

    def _fail(self, now: Instant, problem: str) -> None:
        self.result.problems.append(problem)
        self._enter(Phase.OVER, now)

    def _rest(self, now: Instant) -> None:
        stimulus = self.stimulus
        if self._state is State.NORMAL and self._witness.is_inside:
            self._rested_at = now if self._rested_at is None else self._rested_at
            if now >= after(self._rested_at, stimulus.rest_s):
                self._leave_rest(now)
            return
        self._rested_at = None
        rule = stimulus.rule
        if now - self._since > SECOND_MS * (LONGEST_UNREST_S + rule.off_delay_s + stimulus.rest_s):
            shown = "" if self._witness.is_inside else "; the readings never showed the value at rest"
            self._fail(now, f"did not come to rest: it stays {self._state}{shown}")

    def _leave_rest(self, now: Instant) -> None:
        if self._is_short_done:
            self._begin_to_drive(now)
            return
        # What was raised on the way to rest is not this challenge's.
        self.result.positions.clear()
        self.result.also_raised.clear()
        self._enter(Phase.SHORT, now)

    def _begin_to_drive(self, now: Instant) -> None:
        if not self.stimulus.short:
            self.result.positions.clear()
            self.result.also_raised.clear()
        self.result.driven_at = now
        self._enter(Phase.DRIVING, now)

    def _stay_short(self, now: Instant) -> None:
        """Stay just inside the limit; an instrument that shows it as beyond is given a value farther inside."""
        stimulus = self.stimulus
        if self._witness.is_beyond:
            self._short += 1
            self._is_short_done = self._short >= len(stimulus.short)
            self._rested_at = None
            self._enter(Phase.RESTING, now)
        elif self._state is not State.NORMAL:
            value = "no value" if self._witness.value is None else f"{self._witness.value:g} {stimulus.rule.unit}"
            self._fail(now, f"is {self._state} at {value}, which is short of its limit")
        elif now >= after(self._since, stimulus.short_s):
            self._is_short_done = True
            self.result.short_value = self._witness.value
            self.result.shown.add(Drill.JUST_INSIDE)
            self._begin_to_drive(now)

    def _drive(self, now: Instant) -> None:
        result, stimulus = self.result, self.stimulus
        if result.shown_at is None and result.driven_at is not None and self._farther < len(stimulus.farther):
            waits_s = (self._farther + 1) * _POLLS_TO_BE_SEEN * stimulus.period_s
            if not self._witness.is_beyond and now > after(result.driven_at, waits_s):
                self._farther += 1
        if result.shown_at is None and self._witness.is_beyond:
            result.shown_at, result.shown_value = now, self._witness.value
        least_s, most_s = stimulus.raise_within_s
        if result.raised_at is not None and (result.shown_at is not None or least_s >= 0):
            self._judge("raised", result.shown_at, result.raised_at, stimulus.raise_within_s)
            self._enter(Phase.ACKNOWLEDGING, now)
        elif result.shown_at is None:
            if result.driven_at is not None and now > after(result.driven_at, stimulus.patience_s):
                self.give_up(now, f"no reading showed the condition within {stimulus.patience_s:g} s")
        elif now > after(result.shown_at, most_s):
            self._fail(now, f"not raised within {most_s:g} s of the first reading that shows it")

    def _judge(self, what: str, shown: Instant | None, told: Instant, allowed_s: tuple[float, float]) -> None:
        """Compare when a change was told with when the readings showed it."""
        least_s, most_s = allowed_s
        if shown is None:
            self.result.problems.append(f"{what} before a reading showed why")
        elif (delay_s := (told - shown) / SECOND_MS) < least_s:
            self.result.problems.append(f"{what} after {delay_s:g} s, before its delay of {least_s:g} s was over")
        elif delay_s > most_s:
            self.result.problems.append(f"{what} after {delay_s:g} s, later than {most_s:g} s")

    def _acknowledge(self, now: Instant) -> None:
        if self.result.acknowledged_at is not None:
            if self.stimulus.is_told_at_once and self.result.notified_at is None:
                self.result.problems.append("raised, and nobody was handed a message of it")
            is_held = bool(self.stimulus.within)
            self._enter(Phase.WITHIN if is_held else Phase.RETURNING, now)
            self.result.returned_at = None if is_held else now
        elif now > after(self._since, ANSWER_S):
            self._fail(now, f"could not be acknowledged: it is {self._state}")

    def _stay_within(self, now: Instant) -> None:
        result = self.result
        if result.cleared_at is not None:
            self._fail(now, "cleared although the value had not come back beyond the deadband")
        elif now >= after(self._since, self.stimulus.within_s):
            result.held_within_s = (now - self._since) / SECOND_MS
            result.returned_at = now
            self._enter(Phase.RETURNING, now)

    def _return(self, now: Instant) -> None:
        result, stimulus = self.result, self.stimulus
        if result.back_at is None and self._witness.is_inside:
            result.back_at = now
        least_s, most_s = stimulus.clear_within_s
        if result.cleared_at is not None and (result.back_at is not None or least_s >= 0):
            self._judge("cleared", result.back_at, result.cleared_at, stimulus.clear_within_s)
            self._judge_latch(now)
        elif result.back_at is None:
            if now > after(self._since, stimulus.patience_s):
                self._fail(now, f"no reading showed the return within {stimulus.patience_s:g} s")
        elif now > after(result.back_at, most_s):
            self._fail(now, f"not cleared within {most_s:g} s of the first reading that shows it")

    def _judge_latch(self, now: Instant) -> None:
        is_latched = self._state in _LATCHED
        if self.stimulus.rule.latching is not is_latched:
            wanted = "latched" if self.stimulus.rule.latching else str(State.NORMAL)
            self.result.problems.append(f"is {self._state} after its condition has gone, not {wanted}")
        self._enter(Phase.RESETTING if is_latched else Phase.OVER, now)

    def _reset(self, now: Instant) -> None:
        if self._state is State.NORMAL:
            self._enter(Phase.OVER, now)
        elif now > after(self._since, ANSWER_S):
            self._fail(now, f"could not be reset: it is {self._state}")


def missed(reading: Reading, stimulus: Stimulus) -> str:
    """Say that a poll was missed that nobody planned; empty for any other reading."""
    is_watched = reading.channel in stimulus.rule.channels
    if not is_watched or stimulus.silences is not None or reading.reason not in COMMUNICATION_REASONS:
        return ""
    return f"{reading.channel} was missed and nobody planned it: {reading.reason.text}"


def after(instant: Instant, delay_s: float) -> Instant:
    """Return an instant so many seconds later."""
    return instant + round(delay_s * SECOND_MS)


def closely(now: Instant, expected: Instant) -> Instant:
    """Return the second before an expected instant, or the next second once that is over."""
    return expected - SECOND_MS if now < expected - SECOND_MS else now + SECOND_MS
