"""The engine against a slow reference that keeps every sample and works each answer out from scratch.

Restarts in the midst of it (state from the ledger's events, delays from stored readings) must leave no trace.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.alarms import Act, AlarmError, Engine, Kind, Priority, Rule, Transition, alarm_event, replay
from cultureops.clock import Instant
from cultureops.device.reading import Quality, Reading, Reason, bad_reading

T0 = 1_767_600_000_000
LIMIT = 10


@dataclass
class Reference:
    """One limit alarm, said as the clause says it, without timers: only samples and what they show."""

    kind: Kind
    deadband: float
    on_delay_ms: int
    off_delay_ms: int
    condition: bool = False
    unacknowledged: bool = False
    samples: list[tuple[Instant, float | None]] = field(default_factory=list)

    def state(self) -> str:
        names = {
            (True, True): "UNACK",
            (True, False): "ACK",
            (False, True): "RTN_UNACK",
            (False, False): "NORMAL",
        }
        return names[self.condition, self.unacknowledged]

    def contradicts(self, value: float) -> bool:
        """Whether a value speaks for the other condition than the present one."""
        if self.kind is Kind.HIGH:
            return value < LIMIT - self.deadband if self.condition else value >= LIMIT
        return value > LIMIT + self.deadband if self.condition else value <= LIMIT

    def settle(self, now: Instant) -> list[tuple[str, str, Instant]]:
        """Change the condition if the samples since its last change demand it by now."""
        if not self.samples or self.samples[-1][1] is None:
            return []
        began: Instant | None = None
        for at, value in reversed(self.samples):
            if value is None:
                continue
            if not self.contradicts(value):
                break
            began = at
        if began is None or now - began < (self.off_delay_ms if self.condition else self.on_delay_ms):
            return []
        before = self.state()
        self.condition = not self.condition
        self.unacknowledged = self.unacknowledged or self.condition
        self.samples = []
        return [(before, self.state(), now)]

    def acknowledge(self, now: Instant) -> list[tuple[str, str, Instant]]:
        if not self.unacknowledged:
            return []
        before, self.unacknowledged = self.state(), False
        return [(before, self.state(), now)]


@dataclass(frozen=True)
class Recorded:
    """An event as it comes back from the ledger: through JSON."""

    type: str
    data: dict[str, Any]


def rule_of(kind: Kind, deadband: float, on_delay_s: float, off_delay_s: float) -> Rule:
    return Rule(
        id=f"d/x/{kind}",
        chamber="c",
        channel=None if kind is Kind.COMMUNICATION else "d/x",
        device="d",
        kind=kind,
        limit=None if kind is Kind.COMMUNICATION else LIMIT,
        unit="%",
        deadband=deadband,
        on_delay_s=on_delay_s,
        off_delay_s=off_delay_s,
        misses=3,
        priority=Priority.LOW,
        gmp_critical=False,
        consequence="c",
        response="r",
    )


def reading(value: float | None, at: Instant, channel: str = "d/x") -> Reading:
    if value is None:
        return bad_reading(channel, Reason.TIMEOUT, at, at)
    return Reading(channel, value, Quality.GOOD, Reason.NONE, at, at)


def restarted(rule: Rule, past: Sequence[Transition], stored: Sequence[Reading]) -> Engine:
    events = []
    for transition in past:
        _, event_type, data = alarm_event(transition, ("b-1",))
        events.append(Recorded(event_type, json.loads(json.dumps(data))))
    engine = Engine([rule])
    assert engine.restore(replay(events)) == ()
    engine.refill(stored)
    return engine


def facts(transitions: Sequence[Transition]) -> list[tuple[str, str, Instant]]:
    return [(str(change.from_state), str(change.to_state), change.at) for change in transitions]


VALUES = st.sampled_from([7, 8, 8.5, 9, 9.5, 10, 10.5, 11, 11.5, 12, 13])
STEPS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.one_of(VALUES, st.just(None), st.sampled_from(["tick", "acknowledge", "restart"])),
    ),
    max_size=80,
)


@settings(max_examples=600, deadline=None)
@given(
    kind=st.sampled_from([Kind.HIGH, Kind.LOW]),
    deadband=st.sampled_from([0, 0.5, 1, 2.5]),
    on_delay_s=st.sampled_from([0, 1, 30, 60]),
    off_delay_s=st.sampled_from([0, 1, 30, 60]),
    steps=STEPS,
)
def test_limits_delays_deadband_and_restarts_agree_with_the_reference(
    kind: Kind,
    deadband: float,
    on_delay_s: int,
    off_delay_s: int,
    steps: list[tuple[int, float | str | None]],
) -> None:
    rule = rule_of(kind, deadband, on_delay_s, off_delay_s)
    engine = Engine([rule])
    reference = Reference(kind, deadband, on_delay_s * 1000, off_delay_s * 1000)
    now, past, stored = T0, list[Transition](), list[Reading]()
    for wait_s, what in steps:
        now += wait_s * 1000
        expected: list[tuple[str, str, Instant]] = []
        got: tuple[Transition, ...] = ()
        if what == "restart":
            engine = restarted(rule, past, stored)
        elif what == "tick":
            got, expected = engine.tick(now), reference.settle(now)
        elif what == "acknowledge":
            expected = reference.acknowledge(now)
            try:
                got = (engine.acknowledge(rule.id, now, Act("op-7", "seen")),)
            except AlarmError:
                got = ()
        else:
            assert not isinstance(what, str)
            stored.append(reading(what, now))
            reference.samples.append((now, what))
            got, expected = engine.evaluate(stored[-1:]), reference.settle(now)
        assert facts(got) == expected
        past += got
        assert [view.state for view in engine.active()] == [
            state for state in (reference.state(),) if state != "NORMAL"
        ]


POLLS = st.lists(
    st.one_of(
        st.tuples(st.booleans(), st.booleans()),
        st.sampled_from(["other device", "acknowledge", "restart"]),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(POLLS)
def test_communication_loss_is_three_polls_without_any_channel(
    steps: list[tuple[bool, bool] | str],
) -> None:
    rule = rule_of(Kind.COMMUNICATION, 0, 0, 0)
    engine = Engine([rule])
    history: list[bool] = []
    now, past, stored = T0, list[Transition](), list[Reading]()
    for step in steps:
        now += 60_000
        if step == "restart":
            engine = restarted(rule, past, stored)
        elif step == "acknowledge":
            if engine.active() and engine.active()[0].state.wants_acknowledgement:
                past.append(engine.acknowledge(rule.id, now, Act("op-7", "seen")))
        elif step == "other device":
            assert engine.evaluate([reading(None, now, "e/x")]) == ()
        else:
            poll = [reading(1.0 if ok else None, now, f"d/{n}") for n, ok in enumerate(step)]
            stored += poll
            history.append(any(step))
            past += engine.evaluate(poll)
        is_lost = len(history) >= 3 and not any(history[-3:])
        assert any(view.state.is_active for view in engine.active()) == is_lost
