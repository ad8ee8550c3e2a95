"""Carries out all trials: each chamber's one after the other, chambers side by side, on one lab clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cultureops.alarms.rule import ChamberId
from cultureops.alarms.state import State
from cultureops.challenge.bench import Bench
from cultureops.challenge.drilling import Drilling
from cultureops.challenge.result import Result, Verdict
from cultureops.challenge.stimulus import Stimulus
from cultureops.challenge.trial import Trial
from cultureops.clock import DAY_MS, Instant
from cultureops.device.channel import ChannelId

__all__ = ["carry_out"]

MOST_ATTEMPTS: Final = 2
"""A twin that misses a poll nobody planned, on a busy machine, proves nothing: it is tried once more."""


class Lane:
    """The trials of one chamber, one at a time."""

    def __init__(self, chamber: ChamberId, stimuli: Sequence[Stimulus]) -> None:
        self.chamber = chamber
        self.trial: Trial | Drilling | None = None
        self._waiting = deque(stimuli)

    def begin(self, bench: Bench) -> None:
        """Begin the next trial where none is running."""
        if self.trial is None and self._waiting:
            stimulus = self._waiting.popleft()
            self.trial = Trial(stimulus, bench.now, bench.history(stimulus.rule.channels))

    def end(self, bench: Bench) -> Result | None:
        """Return the result of an alarm that is done with; drills follow a trial that passed."""
        trial = self.trial
        if trial is None or not (trial.is_over or trial.disturbance):
            return None
        before = bench.history(trial.stimulus.rule.channels)
        if trial.disturbance and trial.attempt < MOST_ATTEMPTS:
            again = trial.attempt + 1
            is_drill = isinstance(trial, Drilling)
            self.trial = (
                Drilling(trial.result, bench.now, before, again)
                if is_drill
                else Trial(trial.stimulus, bench.now, before, again)
            )
            return None
        if trial.disturbance and not trial.is_over:
            trial.give_up(bench.now, trial.disturbance)
        self.trial = None
        if isinstance(trial, Trial) and trial.result.verdict is Verdict.PASS and trial.stimulus.drills:
            self.trial = Drilling(trial.result, bench.now, before)
            return None
        return trial.result


async def carry_out(
    bench: Bench, stimuli: Sequence[Stimulus], at_rest: Mapping[ChannelId, float], on_done: Callable[[Result], None]
) -> None:
    """Carry out every stimulus and hand over each result as it comes; ``at_rest`` is shown where no trial says else."""
    chambers = tuple(dict.fromkeys(stimulus.rule.chamber for stimulus in stimuli))
    lanes = [Lane(name, [row for row in stimuli if row.rule.chamber == name]) for name in chambers]
    while True:
        for lane in lanes:
            lane.begin(bench)
        if not (trials := [lane.trial for lane in lanes if lane.trial is not None]):
            return
        await _answer(bench, trials)
        _look(bench, lanes)
        await _show(bench, trials, at_rest)
        for reading in await bench.step(_next_look(bench.now, trials)):
            for trial in trials:
                trial.take(reading)
        _look(bench, lanes)
        for lane in lanes:
            if (result := lane.end(bench)) is not None:
                on_done(result)


async def _answer(bench: Bench, trials: Sequence[Trial | Drilling]) -> None:
    """Do what the trials want done, and acknowledge and reset whatever else was raised."""
    wishes = {trial.stimulus.rule.id: trial.wish(bench.now) for trial in trials}
    for rule_id, wish in wishes.items():
        if wish.shelve_s is not None:
            await bench.shelve(rule_id, wish.shelve_s)
    for rule_id, state in bench.standing().items():
        wished = wishes.get(rule_id)
        if state.wants_acknowledgement and (wished is None or wished.acknowledge):
            await bench.acknowledge(rule_id)
        elif state is State.LATCH_ACK and (wished is None or wished.reset):
            await bench.reset(rule_id)


async def _show(bench: Bench, trials: Sequence[Trial | Drilling], at_rest: Mapping[ChannelId, float]) -> None:
    shown, silent = dict(at_rest), []
    for trial in trials:
        wish = trial.wish(bench.now)
        shown |= wish.show
        if wish.silence is not None:
            silent.append(wish.silence)
    await bench.show(shown, silent)


def _next_look(now: Instant, trials: Sequence[Trial | Drilling]) -> Instant:
    instants = [instant for trial in trials if (instant := trial.next_instant(now)) is not None]
    return min((instant for instant in instants if instant > now), default=now + DAY_MS)


def _look(bench: Bench, lanes: Sequence[Lane]) -> None:
    """Tell trials what alarms did, their own chamber's and those of chambers in which nothing is going on; conclude."""
    busy = {lane.chamber for lane in lanes if lane.trial is not None}
    for change in bench.changes():
        for lane in lanes:
            if lane.trial is not None and (change.chamber == lane.chamber or change.chamber not in busy):
                lane.trial.hear(change)
    for rule_id, at in bench.told():
        for lane in lanes:
            if lane.trial is not None:
                lane.trial.learn_told(rule_id, at)
    standing = bench.standing()
    for lane in lanes:
        if lane.trial is not None:
            lane.trial.look(bench.now, standing.get(lane.trial.stimulus.rule.id, State.NORMAL))
