"""Folding: the same events give the same batch, corrections reach every derived figure, random orders stay legal."""

import math
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.batch.bench import before
from tests.unit.batch.conftest import Lab, Step
from tests.unit.batch.orders import EXTRAS, KINDS, Act, actions_at_random, walk

from cultureops.batch import commands as do
from cultureops.batch.evolve import fold
from cultureops.batch.state import State
from cultureops.batch.views import timeline
from cultureops.clock import MINUTE_MS
from cultureops.errors import BatchError, TransitionRefused

WALKS = 30_000

ACTS = st.one_of(
    st.tuples(st.sampled_from(["go", "skip", "back"]), st.integers(1, 9)),
    st.tuples(st.just("late"), st.integers(1, 60)),
    st.tuples(st.sampled_from(["extra", "late extra"]), st.sampled_from(sorted(EXTRAS))),
)


@pytest.mark.requirement("R14")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(KINDS), st.integers(0, 60), st.lists(ACTS, max_size=16))
def test_no_order_of_commands_reaches_an_illegal_state(kind: str, begin: int, acts: list[Act]) -> None:
    walk(kind, begin, acts)


def test_walks_reach_everything_worth_looking_at() -> None:
    """The property above is worth something only where orders get that far, and are refused on their way."""
    ends, refused = Counter[str](), 0
    orders = [actions_at_random(random.Random(seed)) for seed in range(200)]
    shipped = list(before("end", "frozen").steps).index("arrive")
    orders.append(("frozen", shipped, [("extra", "recall"), ("extra", "destroy")]))
    for order in orders:
        walked = walk(*order)
        ends.update({event.type for event in walked.bench.events})
        refused += walked.refused
    wanted = {"released", "administered", "closed", "washed", "labelling_ended", "held", "resumed", "rejected"}
    wanted |= {"recalled", "destroyed", "corrected", "vials_moved", "vials_discarded", "vessels_split"}
    assert min(ends[kind] for kind in wanted) >= 1 and refused > 2_000, ends


@pytest.mark.parametrize("kind", KINDS)
def test_a_walk_without_mistakes_ends_well(kind: str) -> None:
    walked = walk(kind, 0, [])
    assert walked.bench.known.state is State.CLOSED and walked.refused == 3, "but for what comes after its end"


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_thirty_thousand_orders_of_commands(record_property: Callable[[str, object], None]) -> None:
    carried_out = refused = 0
    ends = Counter[str]()
    for seed in range(WALKS):
        walked = walk(*actions_at_random(random.Random(seed)))
        carried_out, refused = carried_out + walked.done, refused + walked.refused
        ends["none" if walked.bench.batch is None else str(walked.bench.batch.state)] += 1
    record_property("orders", WALKS)
    record_property("commands_carried_out", carried_out)
    record_property("commands_refused", refused)
    record_property("states_at_the_end", dict(ends))
    assert len(ends) >= 15


def test_folding_is_fast_and_its_time_is_known() -> None:
    bench = before("P0 look again")
    while len(bench.events) < 500:
        bench.ask(Step(do.Note(text="nothing new"), after_ms=MINUTE_MS))
    began, began_cpu = time.perf_counter(), time.process_time()
    assert fold(bench.events) == bench.batch
    took_ms, waited_ms = 1000 * (time.process_time() - began_cpu), 1000 * (time.perf_counter() - began)
    print(f"fold of 500 events: {took_ms:.1f} ms ({waited_ms:.1f} ms by the clock on the wall)")
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
    first, second = before("isolate").events[:2]
    with pytest.raises(BatchError, match=r"begins with 'consent_recorded', expected batch_created"):
        fold([second])
    with pytest.raises(BatchError, match="is not known to this version"):
        fold([first, replace(second, type="teleported")])
    with pytest.raises(BatchError, match="ConsentRecorded: weather: Extra inputs"):
        fold([first, replace(second, data=dict(second.data) | {"weather": "fine"})])
    assert fold([]) is None
