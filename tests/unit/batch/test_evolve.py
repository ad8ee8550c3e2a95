"""Folding: the same events give the same batch, corrections reach every derived figure, random orders stay legal."""

import math
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.batch.conftest import BATCH_ID, START, Lab, Step, process

from cultureops.batch import commands as do
from cultureops.batch.batch import Batch, State, stream_of
from cultureops.batch.decide import decide
from cultureops.batch.evolve import evolve, fold
from cultureops.batch.facts import EquipmentFact, Facts
from cultureops.batch.recipe import load_recipe
from cultureops.batch.views import timeline
from cultureops.clock import DAY_MS, MINUTE_MS, SeededEntropy
from cultureops.errors import BatchError, TransitionRefused
from cultureops.ledger import NewEvent
from cultureops.ledger.event import Event, decode, draft, seal

LEGAL = {
    None: {State.CREATED},
    State.CREATED: {State.RECEIVED},
    State.RECEIVED: {State.ISOLATED},
    State.ISOLATED: {State.CULTURE},
    State.CULTURE: {State.HARVESTED},
    State.HARVESTED: {State.RESUSPENDED},
    State.RESUSPENDED: {State.FORMULATED},
    State.FORMULATED: {State.REVIEWED},
    State.REVIEWED: {State.RELEASED},
    State.RELEASED: {State.SHIPPED},
    State.SHIPPED: {State.RECEIVED_AT_SITE},
    State.RECEIVED_AT_SITE: {State.ADMINISTERED},
    State.ADMINISTERED: {State.CLOSED},
    State.CLOSED: set(),
    State.REJECTED: set(),
}
RECIPE = load_recipe("tavakol_afshari_2021")
NAMES = list(process())


@dataclass
class Bench:
    """A batch without a ledger file: events go through their canonical bytes all the same."""

    now: int = START
    batch: Batch | None = None
    events: tuple[Event, ...] = ()

    def ask(self, step: Step) -> None:
        self.now += step.after_ms
        details = step.details
        if isinstance(details, do.Administer):
            lasts = details.ended_at - details.started_at
            details = details.model_copy(update={"started_at": self.now - lasts, "ended_at": self.now})
        fit = EquipmentFact(True, START + 900 * DAY_MS)
        names = ("incubator_1", "incubator_2", "incubator_3", "counter_1")
        facts = Facts(self.now, step.actor, RECIPE, step.witness, equipment=dict.fromkeys(names, fit))
        for new in decide(self.batch, do.Command(BATCH_ID, details, reason=step.reason), facts):
            self.record(new)

    def record(self, new: NewEvent) -> None:
        version = len(self.events) + 1
        fields = draft(new, stream_of(BATCH_ID), SeededEntropy(version).event_id(self.now), self.now, "test")
        event = decode(seal(fields, stream_of(BATCH_ID), version, version, b"\0" * 32), b"\0" * 32)
        self.events = (*self.events, event)
        self.batch = evolve(self.batch, event)


def check_stays(batch: Batch) -> None:
    for before, after in zip(batch.occupancies, batch.occupancies[1:], strict=False):
        assert before.taken is not None and before.placed <= before.taken <= after.placed
    assert (batch.chamber is not None) == (batch.state is State.CULTURE)


def check_released(batch: Batch) -> None:
    """What must be true of a released product, told apart from the gates' own code."""
    types = [event.type for event in batch.history]
    assert types.count("released") == 1 and batch.is_eligible and batch.passage in (2, 3)
    assert batch.released_by not in batch.operators | batch.reviewers
    made = batch.resuspension
    assert made is not None
    counts = [count for count in batch.counts if count.stage == "product" and count.at >= made.at]
    assert len(counts) >= 2 and sum(count.viability_pct for count in counts) / len(counts) >= 80
    negative = {
        (sample.test, sample.passage)
        for sample in batch.qc
        if sample.stage == "passage" and any(reading.outcome == "negative" for reading in sample.readings)
    }
    tests = ("endotoxin", "mycoplasma", "sterility")
    assert {(test, passage) for test in tests for passage in range(batch.passage + 1)} <= negative
    release = max(index for index, kind in enumerate(types) if kind == "released")
    reviewed = max(index for index, kind in enumerate(types[:release]) if kind == "reviewed")
    assert set(types[reviewed + 1 : release]) <= {"noted", "command_refused"}


ORDERS = st.one_of(
    st.lists(st.sampled_from(NAMES), max_size=60),
    st.lists(st.tuples(st.sampled_from(["skip", "twice", "swap"]), st.integers(0, len(NAMES) - 2)), max_size=5),
)


def script(order: list[Any]) -> list[str]:
    """Return an order of steps: at random, or the process with a few mistakes."""
    if not order or isinstance(order[0], str):
        return [str(name) for name in order]
    names = list(NAMES)
    for mistake, at in order:
        at = min(at, len(names) - 2)
        if mistake == "skip":
            names.pop(at)
        elif mistake == "twice":
            names.insert(at, names[at])
        else:
            names[at], names[at + 1] = names[at + 1], names[at]
    return names


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ORDERS)
def test_no_order_of_commands_reaches_an_illegal_state(order: list[Any]) -> None:
    bench, steps = Bench(), process()
    for name in script(order):
        before = bench.batch
        try:
            bench.ask(steps[name])
        except BatchError as refusal:
            assert bench.batch is before and "\n" not in str(refusal) and BATCH_ID in str(refusal)
            continue
        after = bench.batch
        assert after is not None
        state = None if before is None else before.state
        assert after.state is state or after.state in LEGAL[state], f"{state} -> {after.state} by {name}"
        assert (after.passage or 0) <= 3
        check_stays(after)
        if after.state is State.RELEASED and state is State.REVIEWED:
            check_released(after)
    assert fold(bench.events) == bench.batch


def test_mistakes_do_reach_a_release() -> None:
    """The property above is worth something only where orders get that far."""
    bench, steps = Bench(), process()
    for name in script([("twice", NAMES.index("P0 look"))]):
        bench.ask(steps[name])
    assert bench.batch is not None and bench.batch.state is State.CLOSED


def test_folding_is_fast_and_its_time_is_known() -> None:
    import time

    bench, steps = Bench(), process()
    for name in NAMES[: NAMES.index("P0 look again")]:
        bench.ask(steps[name])
    while len(bench.events) < 500:
        bench.ask(Step(do.Note(text="nothing new"), after_ms=MINUTE_MS))
    began = time.perf_counter()
    assert fold(bench.events) == bench.batch
    took_ms = 1000 * (time.perf_counter() - began)
    print(f"fold of 500 events: {took_ms:.1f} ms")
    assert took_ms < 200


async def test_a_correction_reaches_what_was_derived(lab: Lab) -> None:
    batch = await lab.play("P0 medium")
    assert batch is not None
    seen = batch.history[-1]
    slip = do.Correct(event_id=seen.event_id, field="confluence_pct", value=38.0)
    with pytest.raises(TransitionRefused, match="a correction needs its reason"):
        await lab.do(Step(slip))
    batch = await lab.do(Step(slip, reason="read the wrong line"))
    assert batch.confluences[-1].pct == 38.0 and batch.confluences[-1].at == seen.occurred_at
    assert next(event for event in batch.history if event.event_id == seen.event_id).data["confluence_pct"] == 35
    assert fold(batch.history) == batch
    again = do.Correct(event_id=seen.event_id, field="n_fields", value=5)
    batch = await lab.do(Step(again, reason="five fields"))
    assert batch.confluences[-1].pct == 38.0, "a second correction keeps the first"
    (row,) = [row for row in timeline(batch) if row.event_id == seen.event_id]
    assert row.correction == "confluence_pct: 35 -> 38; n_fields: 3 -> 5" and "35 %" in row.text
    for later in ("P0 medium", "P0 look again"):
        batch = await lab.do(later)
    assert batch.confluences[0].pct == 38.0 and batch.medium_changed_at is not None


@pytest.mark.parametrize(
    ("field", "value", "error", "said"),
    [
        ("confluence_pct", 138.0, BatchError, "confluence_pct"),
        ("confluence_pct", math.nan, BatchError, "Correct: value"),
        ("confluence_pct", "high", BatchError, "confluence_pct"),
        ("vessels", "other", TransitionRefused, "vessels of confluence_observed can't be corrected"),
        ("made_up", 1, TransitionRefused, "can't be corrected, only confluence_pct, n_fields"),
    ],
)
async def test_a_correction_keeps_to_the_schema(
    lab: Lab, field: str, value: Any, error: type[Exception], said: str
) -> None:
    batch = await lab.play("P0 medium")
    assert batch is not None
    with pytest.raises(error, match=said):
        await lab.do(Step(do.Correct(event_id=batch.history[-1].event_id, field=field, value=value), reason="slip"))
    assert lab.batch().confluences == batch.confluences


async def test_decisions_can_t_be_corrected(lab: Lab) -> None:
    batch = await lab.play("ship")
    assert batch is not None
    for event in batch.history:
        if event.type in ("batch_created", "released", "reviewed", "formulated"):
            with pytest.raises(TransitionRefused, match="only nothing"):
                await lab.do(Step(do.Correct(event_id=event.event_id, field="reason", value="x"), reason="slip"))


def test_a_stream_that_is_no_batch_is_refused() -> None:
    bench, steps = Bench(), process()
    for name in NAMES[:3]:
        bench.ask(steps[name])
    first, second = bench.events[:2]
    with pytest.raises(BatchError, match=r"begins with 'consent_recorded', expected batch_created"):
        fold([second])
    with pytest.raises(BatchError, match="is not known to this version"):
        fold([first, replace(second, type="teleported")])
    with pytest.raises(BatchError, match="ConsentRecorded: weather: Extra inputs"):
        fold([first, replace(second, data=dict(second.data) | {"weather": "fine"})])
    assert fold([]) is None
