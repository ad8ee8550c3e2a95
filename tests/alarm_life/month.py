"""The month itself: physics a day ahead, then polls, ticks and people against the engine, in order of time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from tests.alarm_life.instrument import Instruments, Poll
from tests.alarm_life.kind import DeviationKind
from tests.alarm_life.plan import Action, Plan
from tests.alarm_life.site import PERIOD_S, Place, model_of

from cultureops.alarms import Act, Engine, Rule, State, Transition
from cultureops.clock import MINUTE_MS, Instant, parse_iso
from cultureops.device.reading import Reading

__all__ = ["ORIGIN", "Course", "live"]

ORIGIN: Final = parse_iso("2026-01-05T00:00:00Z")
DAY_MINUTES: Final = 1440
ACKNOWLEDGED_AFTER_MS: Final = 4 * MINUTE_MS
TECHNICIAN: Final = "tech-3"


@dataclass
class Course:
    """What happened: every transition, when each planted deviation began to endanger [s], and what it cost."""

    transitions: list[Transition] = field(default_factory=list)
    danger_s: dict[int, float] = field(default_factory=dict)
    readings: int = 0
    engine_s: float = 0.0


class _Life:
    """One chamber: its physics with what is done to it, and its instruments."""

    def __init__(self, place: Place, number: int, plan: Plan, seed: int) -> None:
        self.place = place
        phase_s = 1.0 + 1.3 * (number % 40)
        self.model = model_of(place, (number % 7) / 7)
        self.instruments = Instruments(place, phase_s, plan.deviations, plan.outages, 1000 * seed + number)
        self._actions: Iterator[Action] = iter(plan.actions[place.id])
        self._next = next(self._actions, None)
        self._now_s = 0.0

    def truth(self, day: int) -> np.ndarray:
        """Let a day pass and return what was true at each poll."""
        first = day * 86_400.0 + self.instruments.phase_s
        rows = np.empty((DAY_MINUTES, len(self.model.truth())))
        for minute in range(DAY_MINUTES):
            at = first + minute * PERIOD_S
            while self._next is not None and self._next.at_s <= at:
                self._go_to(self._next.at_s)
                self.model.act(self._next.verb, self._next.argument)
                self._next = next(self._actions, None)
            self._go_to(at)
            rows[minute] = self.model.truth()
        return rows

    def _go_to(self, at_s: float) -> None:
        if at_s > self._now_s:
            self.model.step(at_s - self._now_s)
            self._now_s = at_s


def live(places: Sequence[Place], rules: Sequence[Rule], plan: Plan, days: int, seed: int) -> Course:
    """Run the days and return what the engine said."""
    course, engine = Course(), Engine(rules)
    lives = [_Life(place, number, plan, seed) for number, place in enumerate(places)]
    people = _People(engine, rules, plan)
    for day in range(days):
        start = ORIGIN + day * DAY_MINUTES * MINUTE_MS
        polls: list[list[Poll]] = []
        for life in lives:
            truth = life.truth(day)
            _find_danger(course, plan, life, day, truth)
            polls.append(life.instruments.polls(start, ORIGIN, truth))
        for minute in range(DAY_MINUTES):
            readings: list[Reading] = [reading for of_chamber in polls for reading in of_chamber[minute]]
            now = start + (minute + 1) * MINUTE_MS
            began = time.thread_time()
            changed = [*engine.evaluate(readings), *engine.tick(now)]
            course.engine_s += time.thread_time() - began
            course.readings += len(readings)
            course.transitions += changed
            course.transitions += people.at_work(now, changed)
    return course


def _find_danger(course: Course, plan: Plan, life: _Life, day: int, truth: np.ndarray) -> None:
    """Note when each deviation of the chamber began to endanger."""
    first = day * 86_400.0 + life.instruments.phase_s
    for number, deviation in enumerate(plan.deviations):
        kind: DeviationKind = deviation.kind
        if deviation.chamber != life.place.id or number in course.danger_s:
            continue
        if kind.danger is None:
            course.danger_s[number] = deviation.start_s + kind.begins_s
            continue
        for minute in range(DAY_MINUTES):
            at = first + minute * PERIOD_S
            if deviation.start_s <= at <= deviation.end_s and kind.danger(tuple(truth[minute])):
                course.danger_s[number] = at
                break


class _People:
    """Acknowledge what is announced a few minutes later; take alarms out of service where the plan names a person."""

    def __init__(self, engine: Engine, rules: Sequence[Rule], plan: Plan) -> None:
        self._engine = engine
        self._rules = rules
        self._due: list[tuple[Instant, str]] = []
        self._planned = sorted(
            (ORIGIN + round(at * 1000), is_start, number)
            for number, service in enumerate(plan.services)
            for at, is_start in ((service.start_s, True), (service.end_s, False))
        )
        self._services = plan.services
        self._out: dict[int, list[str]] = {}
        self._coming_back: list[tuple[str, int]] = []

    def at_work(self, now: Instant, changed: Sequence[Transition]) -> list[Transition]:
        """Do what is due and return what changed by it."""
        self._due += [(now + ACKNOWLEDGED_AFTER_MS, change.rule.id) for change in changed if change.is_annunciated]
        done: list[Transition] = []
        while self._due and self._due[0][0] <= now:
            _, rule_id = self._due.pop(0)
            done += self._settle(rule_id, now)
        while self._planned and self._planned[0][0] <= now:
            _, is_start, number = self._planned.pop(0)
            done += self._take_out(number, now) if is_start else ()
            self._coming_back += [] if is_start else [(rule_id, number) for rule_id in self._out.pop(number)]
        done += self._put_back(now)
        self._due += [(now + ACKNOWLEDGED_AFTER_MS, change.rule.id) for change in done if change.is_annunciated]
        return done

    def _settle(self, rule_id: str, now: Instant) -> list[Transition]:
        view = next((view for view in self._engine.active() if view.rule.id == rule_id), None)
        if view is None:
            return []
        done = []
        act = Act(TECHNICIAN, "seen, being looked after")
        if view.state.wants_acknowledgement:
            change = self._engine.acknowledge(rule_id, now, act)
            done.append(change)
            if change.to_state is State.LATCH_ACK:
                done.append(self._engine.reset(rule_id, now, act))
        elif view.state is State.LATCH_ACK:
            done.append(self._engine.reset(rule_id, now, act))
        return done

    def _take_out(self, number: int, now: Instant) -> list[Transition]:
        service = self._services[number]
        act = Act(TECHNICIAN, service.reason, witness_id="tech-4")
        meant = [
            rule.id
            for rule in self._rules
            if rule.chamber == service.chamber and _is_meant(rule, service.rules) and not self._is_out(rule.id)
        ]
        self._out[number] = meant
        return [self._engine.take_out(rule_id, now, act) for rule_id in meant]

    def _is_out(self, rule_id: str) -> bool:
        view = self._engine.view(rule_id)
        return view is not None and view.state is State.OUT_OF_SERVICE

    def _put_back(self, now: Instant) -> list[Transition]:
        """Put back into service what is as it should be; nobody puts back what would ring at once."""
        done = []
        for rule_id, number in tuple(self._coming_back):
            view = self._engine.view(rule_id)
            if view is not None and not view.is_active:
                act = Act(TECHNICIAN, self._services[number].reason + " is over", witness_id="tech-4")
                done.append(self._engine.release(rule_id, now, act))
                self._coming_back.remove((rule_id, number))
        return done


def _is_meant(rule: Rule, which: str) -> bool:
    """Whether a plan speaks of the rule: all of a chamber, or what watches for too low a temperature."""
    return which == "all" or ((rule.channel or "").endswith("/temperature") and rule.kind.value in ("low", "rate"))
