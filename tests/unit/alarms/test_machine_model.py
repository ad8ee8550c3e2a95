"""The complete alarm machine against a reference written from the standard's words, through commands and restarts.

The reference knows no table of states: it keeps what is true (is the condition there, is there an activation nobody has
dealt with, who suppressed it until when) and reads the state's name off that. Source: ISA-18.2 / IEC 62682 states,
OPC 10000-9 for shelving and latching.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from cultureops.alarms import (
    Act,
    AlarmError,
    Engine,
    Kind,
    Priority,
    Rule,
    State,
    Suppressor,
    Transition,
    What,
    alarm_event,
    replay,
)
from cultureops.clock import Instant
from cultureops.device.reading import Quality, Reading, Reason, bad_reading

T0 = 1_767_600_000_000
S = 1000
LIMIT, DEADBAND = 10.0, 1.0
LONGEST_SHELVING_S = 600
RECOVERY_S, MOST_S = 120, 300
PERSON = Act("tech-3", "looked at it", witness_id="tech-4")
SHELVED, BY_DESIGN, OUT = "SHELVED", "SUPPRESSED_BY_DESIGN", "OUT_OF_SERVICE"


@dataclass
class Reference:
    """What is true of one alarm."""

    rule: Rule
    condition: bool = False
    stands: bool = False
    acknowledged_at: Instant | None = None
    suppressed: str = ""
    until: Instant | None = None
    shelved_at: Instant = 0
    last: float | None = None
    restless_since: Instant | None = None
    shut_since: Instant | None = None
    one_shot: bool = False
    owes_latch: bool = False
    samples: list[tuple[Instant, float | None]] = field(default_factory=list)
    door_since: Instant | None = None
    door_until: Instant | None = None
    door: bool = False

    @property
    def state(self) -> str:
        if self.suppressed:
            return self.suppressed
        if not self.stands:
            return "NORMAL"
        acknowledged = self.acknowledged_at is not None
        if self.condition:
            return "ACK" if acknowledged else "UNACK"
        if self.rule.latching:
            return "LATCH_ACK" if acknowledged else "LATCH_UNACK"
        return "RTN_UNACK"

    def sample(self, at: Instant, value: float | None) -> None:
        self.samples.append((at, value))
        self.last = value

    def is_contradicted(self, value: float) -> bool:
        return value < LIMIT - DEADBAND if self.condition else value >= LIMIT

    def judge(self, now: Instant) -> bool:
        """Let the condition come or go; return whether it did."""
        if not self.samples or self.samples[-1][1] is None:
            return False
        began: Instant | None = None
        for at, value in self.samples:
            if value is not None:
                began = (at if began is None else began) if self.is_contradicted(value) else None
        delay_s = self.rule.off_delay_s if self.condition else self.rule.on_delay_s
        if began is None or now - began < delay_s * S:
            return False
        if not self.condition:
            self.explain(now)
        self.condition, self.samples = not self.condition, []
        if self.suppressed:
            self.owes_latch = self.owes_latch or (self.condition and self.rule.latching)
            if not self.condition and self.suppressed == SHELVED and self.one_shot:
                self.uncover()
        elif self.condition:
            self.stands, self.acknowledged_at = True, None
        elif self.acknowledged_at is not None and not self.rule.latching:
            self.stands = False
        return True

    def see_door(self, at: Instant, is_open: bool) -> None:
        """A door that opens explains anew, unless what it would explain is there already and explained."""
        if not self.rule.suppressors:
            return
        self.is_explained(at)
        explains = self.door_since is not None
        if is_open and not self.door and not (explains and self.condition):
            self.door_since, self.door_until = at, None
            self.restless_since = at if self.restless_since is None else self.restless_since
        if is_open:
            self.door_until = None
        elif self.door:
            self.door_until, self.shut_since = at + RECOVERY_S * S, at
        self.door = is_open
        self.explain(at)

    def pass_time(self, now: Instant) -> None:
        self.judge(now)
        self.explain(now)
        if self.suppressed == SHELVED and self.until is not None and now >= self.until:
            self.uncover()
        elif self.state == "ACK" and self.rule.realarm_s:
            assert self.acknowledged_at is not None
            if now - self.acknowledged_at >= self.rule.realarm_s * S:
                self.acknowledged_at = None

    def is_explained(self, now: Instant) -> bool:
        """Whether the door explains the condition; an opening that does no more, and is over, is forgotten."""
        if not self.door and self.shut_since is not None and now >= self.shut_since + RECOVERY_S * S:
            self.restless_since = None
        is_explained = self.door_since is not None and now < self.door_since + MOST_S * S
        if self.restless_since is not None and now >= self.restless_since + 3 * MOST_S * S:
            is_explained = False
        if self.door_until is not None and now >= self.door_until:
            is_explained = False
        if not is_explained and not self.door:
            self.door_since = self.door_until = None
        return is_explained

    def explain(self, now: Instant) -> None:
        """Suppress what an opened door explains, for as long as it does; what has been announced stays announced."""
        is_explained = self.is_explained(now)
        if is_explained and self.state == "NORMAL":
            self.suppressed = BY_DESIGN
        elif not is_explained and self.suppressed == BY_DESIGN and not self.is_nearly_over:
            self.uncover()

    @property
    def is_nearly_over(self) -> bool:
        """Whether the value is known and back within the limit: what the door explained is not raised at its end."""
        return self.condition and self.last is not None and self.last < LIMIT

    def uncover(self) -> None:
        """End a suppression: the present truth counts, as a new activation."""
        self.suppressed, self.until, self.one_shot = "", None, False
        self.stands = self.condition or self.owes_latch
        self.acknowledged_at, self.owes_latch = None, False

    def hide(self, how: str) -> None:
        self.owes_latch = self.owes_latch or (self.rule.latching and self.stands)
        self.suppressed, self.stands, self.acknowledged_at = how, False, None
        self.until, self.one_shot = None, False

    def command(self, verb: str, now: Instant, duration_s: int) -> bool:
        """Obey a person; return whether it could be done."""
        state = self.state
        if verb == "acknowledge" and state in ("UNACK", "RTN_UNACK", "LATCH_UNACK"):
            self.acknowledged_at = now
            self.stands = self.condition or self.rule.latching
        elif verb == "reset" and state == "LATCH_ACK":
            self.stands, self.acknowledged_at = False, None
        elif verb in ("shelve", "one shot") and state != OUT and 0 < duration_s <= LONGEST_SHELVING_S:
            if verb == "one shot" and not self.condition:
                return False
            began = self.shelved_at if state == SHELVED else now
            if now + duration_s * S - began > LONGEST_SHELVING_S * S:
                return False
            self.hide(SHELVED)
            self.shelved_at = began
            self.until, self.one_shot = now + duration_s * S, verb == "one shot"
        elif verb == "take out" and state != OUT:
            self.hide(OUT)
        elif verb == "release" and state in (SHELVED, OUT):
            self.uncover()
        else:
            return False
        return True


@dataclass(frozen=True)
class Recorded:
    """An event as it comes back from the ledger: through JSON."""

    type: str
    data: dict[str, Any]


def rule_of(*, latching: bool, realarm_s: int, on_delay_s: int, off_delay_s: int, has_door: bool) -> Rule:
    return Rule(
        id="d/x/high", chamber="c", channel="d/x", device="d", kind=Kind.HIGH, limit=LIMIT, unit="%",
        deadband=DEADBAND, on_delay_s=on_delay_s, off_delay_s=off_delay_s, misses=0, priority=Priority.LOW,
        gmp_critical=False, consequence="c", response="r", latching=latching, realarm_s=realarm_s,
        suppressors=(Suppressor("d/door", RECOVERY_S, MOST_S),) if has_door else (), shelve_max_s=LONGEST_SHELVING_S,
    )  # fmt: skip


def reading(channel: str, value: float | None, at: Instant) -> Reading:
    if value is None:
        return bad_reading(channel, Reason.TIMEOUT, at, at)
    return Reading(channel, value, Quality.GOOD, Reason.NONE, at, at)


def recorded(transitions: Sequence[Transition]) -> list[Recorded]:
    events = []
    for transition in transitions:
        if transition.is_noted:
            _, event_type, data = alarm_event(transition, ("b-1",))
            events.append(Recorded(event_type, json.loads(json.dumps(data))))
    return events


def restarted(rule: Rule, past: Sequence[Transition], stored: Sequence[Reading], now: Instant) -> Engine:
    engine = Engine([rule])
    assert engine.restore(replay(recorded(past))) == ()
    recent = [one for one in stored if one.channel == "d/x" or one.source_time >= now - (MOST_S + RECOVERY_S) * S]
    engine.refill(recent)
    return engine


def openings(stored: Sequence[Reading], now: Instant) -> int:
    """Count how often the door was opened as far back as it still matters."""
    doors = [one for one in stored if one.channel == "d/door"]
    return sum(
        one.value == 1.0 and (number == 0 or doors[number - 1].value == 0.0)
        for number, one in enumerate(doors)
        if one.source_time >= now - (MOST_S + RECOVERY_S) * S
    )


def commanded(engine: Engine, rule: Rule, verb: str, now: Instant, duration_s: int) -> tuple[Transition, ...]:
    try:
        match verb:
            case "acknowledge":
                return (engine.acknowledge(rule.id, now, PERSON),)
            case "reset":
                return (engine.reset(rule.id, now, PERSON),)
            case "take out":
                return (engine.take_out(rule.id, now, PERSON),)
            case "release":
                return (engine.release(rule.id, now, PERSON),)
            case _:
                until = now + duration_s * S
                return (engine.shelve(rule.id, now, PERSON, until, one_shot=verb == "one shot"),)
    except AlarmError:
        return ()


def state_of(engine: Engine, rule: Rule) -> str:
    """Return the state as everybody sees it: in one of the two lists, or NORMAL."""
    seen = [view for view in (*engine.active(), *engine.suppressed()) if view.rule.id == rule.id]
    assert len(seen) <= 1
    return seen[0].state.value if seen else State.NORMAL.value


RULES = st.builds(
    rule_of,
    latching=st.booleans(),
    realarm_s=st.sampled_from([0, 200]),
    on_delay_s=st.sampled_from([0, 60]),
    off_delay_s=st.sampled_from([0, 60]),
    has_door=st.booleans(),
)
VERBS = ("acknowledge", "reset", "shelve", "one shot", "take out", "release")
ORDERS = st.sampled_from(VERBS)
VALUES = st.sampled_from([5.0, 8.9, 9.5, 10.0, 12.0])
STEPS = st.lists(
    st.tuples(
        st.integers(0, 90),
        st.one_of(
            VALUES, VALUES, st.none(), ORDERS, ORDERS, st.sampled_from(["tick", "restart", "open", "open", "shut"])
        ),
        st.sampled_from([30, 90, 300, 600, 601, 0]),
    ),
    max_size=60,
)  # fmt: skip


LATCHING = rule_of(latching=True, realarm_s=0, on_delay_s=0, off_delay_s=0, has_door=True)


@settings(max_examples=700, deadline=None)
@given(rule=RULES, steps=STEPS)
@example(rule=LATCHING, steps=[(0, "shelve", 30), (0, "shelve", 30), (30, 5.0, 30)])
@example(rule=LATCHING, steps=[(0, "open", 30), (0, "take out", 30), (30, "release", 30)])
def test_the_machine_agrees_with_the_reference_through_commands_doors_and_restarts(
    rule: Rule, steps: list[tuple[int, float | str | None, int]]
) -> None:
    engine, reference = Engine([rule]), Reference(rule)
    now, past, stored, is_open = T0, list[Transition](), list[Reading](), False
    for wait_s, what, duration_s in steps:
        now += wait_s * S
        before, was_there = reference.state, reference.condition
        changes: list[Transition] = []
        is_open = what == "open" if what in ("open", "shut") else is_open
        if what == "restart":
            if openings(stored, now) > 1:
                continue  # which of them began the suppression is not kept; it may end a little sooner or later
            engine = restarted(rule, past, stored, now)
            if state_of(engine, rule) != before:  # a door alone is not kept as an event; its readings tell the same
                assert (before, state_of(engine, rule), reference.condition) == (BY_DESIGN, "NORMAL", False)
                before = "NORMAL"
        elif rule.suppressors:
            stored.append(reading("d/door", float(is_open), now))
            reference.see_door(now, is_open)
            changes += engine.evaluate(stored[-1:])
        if what in VERBS:
            obeyed = commanded(engine, rule, str(what), now, duration_s)
            assert bool(obeyed) == reference.command(str(what), now, duration_s)
            changes += obeyed
        elif not isinstance(what, str):
            stored.append(reading("d/x", what, now))
            reference.sample(now, what)
            changes += engine.evaluate(stored[-1:])
        reference.pass_time(now)
        changes += engine.tick(now)
        past += changes
        assert state_of(engine, rule) == reference.state
        check_told(changes, before, reference, was_there)
        event(reference.state)


def check_told(changes: Sequence[Transition], before: str, reference: Reference, was_there: bool) -> None:
    """What is told leads without a break from one state to the next, and no change of the condition is kept back."""
    state = before
    for change in changes:
        assert change.from_state == state
        state = change.to_state
    assert state == reference.state
    if reference.condition != was_there:
        first = next(change for change in changes if change.is_active is reference.condition)
        assert first.what is What.CONDITION or not first.from_state.is_suppressed
    if changes:
        assert changes[-1].is_active is reference.condition
    if reference.condition and not reference.suppressed:
        assert reference.state in ("UNACK", "ACK"), "an activation is lost"


@settings(max_examples=200, deadline=None)
@given(rule=RULES, steps=STEPS)
def test_whatever_was_kept_before_a_kill_is_where_it_stands_after_it(
    rule: Rule, steps: list[tuple[int, float | str | None, int]]
) -> None:
    engine, reference = Engine([rule]), Reference(rule)
    now, past, stored = T0, list[Transition](), list[Reading]()
    for wait_s, what, duration_s in steps:
        now += wait_s * S
        if isinstance(what, str) and what not in ("tick", "restart", "open", "shut"):
            past += commanded(engine, rule, what, now, duration_s)
            reference.command(what, now, duration_s)
        elif what in ("open", "shut"):
            stored.append(reading("d/door", float(what == "open"), now))
            reference.see_door(now, what == "open")
            past += engine.evaluate(stored[-1:])
        elif not isinstance(what, str):
            stored.append(reading("d/x", what, now))
            reference.sample(now, what)
            past += engine.evaluate(stored[-1:])
        reference.pass_time(now)
        past += engine.tick(now)
    kept = recorded(past)
    noted = [transition for transition in past if transition.is_noted]
    for length in range(len(kept) + 1):
        found = replay(kept[:length])
        expected = noted[length - 1].to_state if length else State.NORMAL
        assert [alarm.state for alarm in found] == ([] if expected is State.NORMAL else [expected])
        if found:
            assert found[0].is_active is noted[length - 1].is_active
            assert found[0].shelf == noted[length - 1].shelf
    for lost in (0, 1, 2):  # the last were not written, their readings were
        woken = Engine([rule])
        woken.restore(replay(kept[: max(0, len(kept) - lost)]))
        woken.refill(stored)
        for later_s in (0, 30, 60):  # at the limit since the end of the trace, the on-delay is over
            woken.evaluate([reading("d/x", LIMIT, now + later_s * S)])
            woken.tick(now + later_s * S)
        view = woken.view(rule.id)
        assert view is not None and view.is_active
        assert view.state.is_suppressed or view.state in (State.UNACK, State.ACK)


@settings(max_examples=200, deadline=None)
@given(
    duration_s=st.integers(1, LONGEST_SHELVING_S),
    one_shot=st.booleans(),
    steps=st.lists(
        st.tuples(st.integers(1, 120), st.sampled_from(["tick", "restart", "back", "hot"])), min_size=1, max_size=40
    ),
)
def test_no_shelving_outlives_its_time_though_restarts_and_clocks_set_back_come_between(
    duration_s: int, one_shot: bool, steps: list[tuple[int, str]]
) -> None:
    rule = rule_of(latching=False, realarm_s=0, on_delay_s=0, off_delay_s=0, has_door=False)
    engine = Engine([rule])
    now = T0
    past = list(engine.evaluate([reading("d/x", 12.0, now)]))
    past.append(engine.shelve(rule.id, now, PERSON, now + duration_s * S, one_shot=one_shot))
    lasted_s, ended = 0, False
    for wait_s, what in steps:
        lasted_s += wait_s
        now += -wait_s * S if what == "back" else wait_s * S
        if what == "restart":
            engine = restarted(rule, past, [], now)
        elif what == "hot":
            past += engine.evaluate([reading("d/x", 12.0, now)])
        past += engine.tick(now)
        is_shelved = state_of(engine, rule) == SHELVED
        assert not (ended and is_shelved), "a shelving that was over came back"
        ended = not is_shelved
        if "back" not in [earlier for _, earlier in steps] and lasted_s >= duration_s:
            assert not is_shelved
        if now < T0 or now >= T0 + duration_s * S:
            assert not is_shelved
        if not is_shelved:
            assert state_of(engine, rule) == "UNACK", "what was shelved and is still there is told"


@settings(max_examples=100, deadline=None)
@given(
    duration_s=st.integers(60, LONGEST_SHELVING_S),
    steps=st.lists(st.tuples(st.integers(1, 120), st.integers(0, 120)), min_size=1, max_size=40),
)
def test_a_clock_set_back_gives_a_shelving_no_more_time_than_it_was_given(
    duration_s: int, steps: list[tuple[int, int]]
) -> None:
    """Each step runs the clock on for a while and then sets it back by another."""
    rule = rule_of(latching=False, realarm_s=0, on_delay_s=0, off_delay_s=0, has_door=False)
    engine, now, lasted_s = Engine([rule]), T0, 0
    engine.evaluate([reading("d/x", 12.0, now)])
    engine.shelve(rule.id, now, PERSON, now + duration_s * S)
    for on_s, back_s in steps:
        lasted_s, now = lasted_s + on_s, now + on_s * S
        engine.tick(now)
        if lasted_s >= duration_s:
            assert state_of(engine, rule) == "UNACK"
        now -= back_s * S
        engine.tick(now)


@settings(max_examples=200, deadline=None)
@given(
    rule=RULES,
    steps=st.lists(
        st.tuples(
            st.integers(-3600, 600),
            st.one_of(VALUES, ORDERS, st.sampled_from(["tick", "restart", "open", "shut"])),
            st.sampled_from([30, 600]),
        ),
        max_size=40,
    ),
)
def test_a_clock_that_jumps_loses_no_activation_and_suppresses_nothing_for_ever(
    rule: Rule, steps: list[tuple[int, float | str, int]]
) -> None:
    engine = Engine([rule])
    now, past, stored = T0, list[Transition](), list[Reading]()
    for wait_s, what, duration_s in steps:
        now += wait_s * S
        if what == "restart":
            engine = restarted(rule, past, stored, now)
        elif what in ("open", "shut"):
            stored.append(reading("d/door", float(what == "open"), now))
            past += engine.evaluate(stored[-1:])
        elif isinstance(what, str):
            if what not in ("tick", "take out"):
                past += commanded(engine, rule, what, now, duration_s)
        else:
            stored.append(reading("d/x", what, now))
            past += engine.evaluate(stored[-1:])
        past += engine.tick(now)
        view = engine.view(rule.id)
        assert view is not None
        if view.is_active and not view.state.is_suppressed:
            assert view.state in (State.UNACK, State.ACK)
    # Time now runs on as it should, the door is shut and it is too hot.
    for _ in range(LONGEST_SHELVING_S // 60 + 5):
        now += 60 * S
        past += engine.evaluate([reading("d/door", 0.0, now), reading("d/x", 12.0, now)])
        past += engine.tick(now)
    assert state_of(engine, rule) in ("UNACK", "ACK")
