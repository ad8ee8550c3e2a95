"""The transition table: every pair of state and step that does not stand in it is refused, and every other role."""

from dataclasses import replace

import pytest
from tests.unit.batch.bench import Bench, before
from tests.unit.batch.conftest import BATCH_ID, OP, WITNESS, Lab, Step, look
from tests.unit.batch.table import EXAMPLES, PEOPLE, REACHED, ROLES, SIGNED, STATES, WITNESSES

from cultureops.access import Role
from cultureops.batch import commands as do
from cultureops.batch.batch import stream_of
from cultureops.batch.decide import decide
from cultureops.batch.facts import Facts
from cultureops.batch.field import Details
from cultureops.batch.rules import RULES
from cultureops.batch.state import State
from cultureops.clock import MINUTE_MS
from cultureops.errors import BatchError, TransitionRefused
from cultureops.ledger import Actor

ILLEGAL = sum(len(set(State) - allowed) for allowed in STATES.values())


def ask(bench: Bench, kind: type[Details], **changes: object) -> None:
    """Ask one step of a batch, by a person of the right role unless changed; what it would record is not kept."""
    step = EXAMPLES[kind]
    facts = Facts(bench.now, step.actor, bench.recipe, step.witness)
    decide(bench.batch, do.Command(BATCH_ID, step.details, reason=step.reason), replace(facts, **changes))


def test_the_table_is_that_of_the_specification() -> None:
    assert {kind: rule.states for kind, rule in RULES.items()} == STATES
    assert {kind: {str(role) for role in rule.roles} for kind, rule in RULES.items()} == ROLES
    witnessed = {kind: {str(role) for role in rule.witnesses} for kind, rule in RULES.items() if rule.witnesses}
    assert witnessed == WITNESSES
    assert {kind: (rule.signed, rule.countersigned) for kind, rule in RULES.items() if rule.signed} == SIGNED
    assert all(rule.countersigned is None or rule.witnesses for rule in RULES.values())
    assert set(RULES) == set(EXAMPLES) - {do.CreateBatch} and set(REACHED) == set(State)
    parts = "Assessment Collected Command CreateBatch DeviationKind Dose Identified ImageEvidence Place QcTest Route"
    more = "SeedingDetails Severity Share Vial"
    assert {kind.__name__ for kind in RULES} == set(do.__all__) - {*parts.split(), *more.split()}


@pytest.mark.parametrize("state", list(State))
def test_illegal_pairs_are_refused(state: State) -> None:
    bench = REACHED[state]()
    batch = bench.known
    assert batch.state is state
    illegal = [kind for kind, allowed in STATES.items() if state not in allowed]
    for kind in illegal:
        with pytest.raises(TransitionRefused, match=f"{kind.__name__} is not allowed in {state}") as refused:
            ask(bench, kind)
        assert BATCH_ID in str(refused.value) and "\n" not in str(refused.value)
    with pytest.raises(TransitionRefused, match="exists already"):
        ask(bench, do.CreateBatch)
    assert bench.batch is batch and len(illegal) >= 22


def test_so_many_illegal_pairs_are_tried() -> None:
    assert len(State) == 25 and len(STATES) == 53
    assert ILLEGAL == 885


@pytest.mark.parametrize("kind", list(STATES))
def test_a_wrong_role_is_refused(kind: type[Details]) -> None:
    bench = REACHED[min(STATES[kind], key=lambda state: state.step)]()
    for role in Role:
        if role in ROLES[kind]:
            continue
        with pytest.raises(TransitionRefused, match=f"{kind.__name__} is not for role {role}, only for"):
            ask(bench, kind, actor=Actor("somebody", str(role)))


@pytest.mark.parametrize("kind", list(WITNESSES))
def test_a_witness_is_a_second_person_of_the_right_role(kind: type[Details]) -> None:
    bench, actor = REACHED[min(STATES[kind], key=lambda state: state.step)](), EXAMPLES[kind].actor
    wrong = [Actor("second", str(role)) for role in Role if role not in WITNESSES[kind]]
    for witness in (None, actor, *(Actor(actor.id, str(role)) for role in WITNESSES[kind]), *wrong):
        with pytest.raises(TransitionRefused, match=f"{kind.__name__} needs a second person"):
            ask(bench, kind, witness=witness)


@pytest.mark.parametrize("role", ["AD", "EQ", "XX", ""])
def test_no_hand_in_a_batch(role: str) -> None:
    for kind in RULES:
        assert role not in RULES[kind].roles | RULES[kind].witnesses
    with pytest.raises(TransitionRefused, match="may not create a batch"):
        decide(None, do.Command("B-1", EXAMPLES[do.CreateBatch].details), Facts(1, Actor("a", role), Bench().recipe))


@pytest.mark.parametrize("role", sorted(PEOPLE - {"OP", "QA"}))
def test_who_may_create_a_batch(role: str) -> None:
    with pytest.raises(TransitionRefused, match=f"role {role} may not create a batch"):
        decide(None, do.Command("B-1", EXAMPLES[do.CreateBatch].details), Facts(1, Actor("a", role), Bench().recipe))


async def test_a_witness_is_on_record(lab: Lab) -> None:
    await lab.play("receive")
    lab.change("receive", witness=OP)
    with pytest.raises(TransitionRefused, match="needs a second person"):
        await lab.do("receive")
    lab.change("receive", witness=WITNESS)
    batch = await lab.do("receive")
    assert batch.history[-1].data["witness_id"] == WITNESS.id


def test_a_second_person_where_none_is_needed_is_on_record_too() -> None:
    bench = before("P0 look")
    batch = bench.ask(replace(bench.steps["P0 look"], witness=WITNESS))
    assert batch.history[-1].data["witness_id"] == WITNESS.id
    for nobody in (OP, Actor("OPERATOR-1", "QA"), Actor("counter_1", "DEV"), Actor("admin-1", "AD")):
        bench = before("P0 look")
        with pytest.raises(TransitionRefused, match="needs a second person"):
            bench.ask(replace(bench.steps["P0 look"], witness=nobody))


async def test_there_is_one_batch_of_an_id(lab: Lab) -> None:
    await lab.do("create")
    with pytest.raises(TransitionRefused, match="exists already"):
        await lab.do("create")


def test_late_entries_need_a_reason() -> None:
    bench = before("P0 look")
    details = look(0, 20.0)
    facts = Facts(bench.now, OP, bench.recipe)
    late = do.Command(BATCH_ID, details, facts.now - 6 * MINUTE_MS)
    with pytest.raises(TransitionRefused, match=r"a late entry .* needs a reason"):
        decide(bench.batch, late, facts)
    (event,) = decide(bench.batch, replace(late, reason="pen was empty"), facts)
    assert event.occurred_at == late.occurred_at and event.reason == "pen was empty"
    assert decide(bench.batch, do.Command(BATCH_ID, details, facts.now - 5 * MINUTE_MS), facts)
    with pytest.raises(TransitionRefused, match="before it happens"):
        decide(bench.batch, do.Command(BATCH_ID, details, facts.now + 1, "tomorrow"), facts)
    early = do.Command(BATCH_ID, details, bench.known.since - 1, "from memory")
    with pytest.raises(TransitionRefused, match="would lie before"):
        decide(bench.batch, early, facts)


def test_no_step_lies_within_a_hold() -> None:
    bench = before("P0 look")
    bench.ask(EXAMPLES[do.Hold])
    bench.ask(EXAMPLES[do.Resume])
    with pytest.raises(TransitionRefused, match="would lie before"):
        bench.ask(Step(look(0, 20.0), reason="entered late"), bench.known.since - 1)
    assert bench.ask(Step(look(0, 20.0))).state is State.CULTURE


def test_vials_that_move_leave_no_stay_that_ends_before_it_began() -> None:
    bench = before("transfer in", "frozen")
    bench.ask(EXAMPLES[do.MoveVials])
    moved_at = bench.known.occupancies[-1].placed
    with pytest.raises(TransitionRefused, match="would lie before"):
        bench.ask(replace(EXAMPLES[do.DiscardVials], reason="entered late"), moved_at - 1)


def test_another_recipe_is_refused() -> None:
    bench = before("P0 look")
    other = replace(bench.recipe, sha256="0" * 64, version=3)
    with pytest.raises(TransitionRefused, match="keeps to tavakol_afshari_2021 v2, not to tavakol_afshari_2021 v3"):
        decide(bench.batch, do.Command(BATCH_ID, look(0, 20)), Facts(bench.now, OP, other))


@pytest.mark.parametrize("batch_id", ["", "a b", "x" * 41, "../etc", "B.1", "é"])
def test_what_can_t_be_a_batch_s_id(batch_id: str) -> None:
    with pytest.raises(BatchError, match="is no batch id"):
        stream_of(batch_id)
