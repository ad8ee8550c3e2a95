"""The transition table: every pair of state and step that does not stand in it is refused."""

from dataclasses import replace

import pytest
from tests.unit.batch.conftest import (
    BATCH_ID,
    COUNTER,
    LAB,
    OP,
    QA,
    QP,
    TOKEN,
    WITNESS,
    Lab,
    Step,
    count,
    formulate,
    look,
    medium,
    passage,
    process,
    receive,
    seed,
)

from cultureops.batch import commands as do
from cultureops.batch.batch import State, stream_of
from cultureops.batch.decide import RULES, Role, decide
from cultureops.batch.field import Details
from cultureops.clock import DAY_MS, MINUTE_MS
from cultureops.errors import BatchError, TransitionRefused
from cultureops.ledger import Actor

REACHED_BEFORE = {
    State.CREATED: "consent",
    State.RECEIVED: "isolate",
    State.ISOLATED: "seed",
    State.CULTURE: "P0 sample endotoxin",
    State.HARVESTED: "resuspend",
    State.RESUSPENDED: "count product 1",
    State.FORMULATED: "sample IT",
    State.REVIEWED: "release",
    State.RELEASED: "ship",
    State.SHIPPED: "arrive",
    State.RECEIVED_AT_SITE: "give IT",
    State.ADMINISTERED: "give IV",
    State.CLOSED: "end",
}
STEPS: dict[type[Details], Step] = {type(step.details): step for step in process().values()}


@pytest.mark.parametrize("state", list(REACHED_BEFORE))
async def test_illegal_pairs_are_refused(lab: Lab, state: State) -> None:
    batch = await lab.play(REACHED_BEFORE[state])
    assert batch is not None and batch.state is state
    facts = lab.facts()
    tried = 0
    for kind, step in STEPS.items():
        if kind is do.CreateBatch or state in RULES[kind].states:
            continue
        asked = replace(facts, actor=step.actor, witness=step.witness)
        with pytest.raises(TransitionRefused, match=f"{kind.__name__} is not allowed in {state}"):
            decide(batch, do.Command(BATCH_ID, step.details), asked)
        tried += 1
    assert tried >= 8


@pytest.mark.parametrize("kind", list(RULES))
def test_an_administrator_has_no_hand_in_a_batch(kind: type[Details]) -> None:
    assert Role.ADMINISTRATOR not in RULES[kind].roles | RULES[kind].witnesses


@pytest.mark.parametrize(
    ("step", "role"), [("seed", "QC"), ("release", "RV"), ("release", "AD"), ("give IT", "OP"), ("close", "OP")]
)
async def test_a_wrong_role_is_refused(lab: Lab, step: str, role: str) -> None:
    await lab.play(step)
    lab.change(step, actor=Actor("somebody", role))
    with pytest.raises(TransitionRefused, match=f"is not for role {role}, only for"):
        await lab.do(step)


@pytest.mark.parametrize("witness", [None, OP, Actor("admin", "AD")])
async def test_a_witness_is_a_second_person(lab: Lab, witness: Actor | None) -> None:
    await lab.play("receive")
    lab.change("receive", witness=witness)
    with pytest.raises(TransitionRefused, match="needs a second person"):
        await lab.do("receive")
    lab.change("receive", witness=WITNESS)
    batch = await lab.do("receive")
    assert batch.history[-1].data["witness_id"] == WITNESS.id


async def test_there_is_one_batch_of_an_id(lab: Lab) -> None:
    await lab.do("create")
    with pytest.raises(TransitionRefused, match="exists already"):
        await lab.do("create")


async def test_late_entries_need_a_reason(lab: Lab) -> None:
    batch = await lab.play("P0 look")
    assert batch is not None
    facts, details = lab.facts(), look(0, 20.0)
    late = do.Command(BATCH_ID, details, facts.now - 6 * MINUTE_MS)
    with pytest.raises(TransitionRefused, match=r"a late entry .* needs a reason"):
        decide(batch, late, facts)
    (event,) = decide(batch, replace(late, reason="pen was empty"), facts)
    assert event.occurred_at == late.occurred_at and event.reason == "pen was empty"
    assert decide(batch, do.Command(BATCH_ID, details, facts.now - 5 * MINUTE_MS), facts)
    with pytest.raises(TransitionRefused, match="before it happens"):
        decide(batch, do.Command(BATCH_ID, details, facts.now + 1, "tomorrow"), facts)
    early = do.Command(BATCH_ID, details, batch.since - 1, "from memory")
    with pytest.raises(TransitionRefused, match="would lie before"):
        decide(batch, early, facts)


async def test_another_recipe_is_refused(lab: Lab) -> None:
    batch = await lab.play("P0 look")
    other = replace(lab.recipe, sha256="0" * 64, version=2)
    with pytest.raises(TransitionRefused, match="keeps to tavakol_afshari_2021 v1, not to tavakol_afshari_2021 v2"):
        decide(batch, do.Command(BATCH_ID, look(0, 20)), replace(lab.facts(), recipe=other))


@pytest.mark.parametrize("batch_id", ["", "a b", "x" * 41, "../etc", "B.1", "é"])
def test_what_can_t_be_a_batch_s_id(batch_id: str) -> None:
    with pytest.raises(BatchError, match="is no batch id"):
        stream_of(batch_id)


REFUSED: list[tuple[str, Details, str]] = [
    ("receive", receive(collected_at=0), "h old, allowed are 24 h"),
    ("receive", receive(collected_at=2**45), "collected after it was received"),
    ("receive", receive(receipt_temperature_c=25.1), r"came at 25.1 °C, allowed are 2-25"),
    ("seed", seed(cells_total=42_000_001), "can't come from the 40,000,000 that were isolated"),
    ("P0 look", look(1, 20.0), "vessels 'B-2026-001-P1' are not in culture; present are 'B-2026-001-P0'"),
    ("P0 look again", look(0, 34.9), "is below the 35 % seen before; give a reason"),
    ("P0 look again", medium(1), "are not in culture"),
    ("P0 look again", passage(1), "passage at 80 % confluence, the last was 35 %; wait or give a reason"),
    (
        "P0 look again",
        do.Move(vessels=f"{BATCH_ID}-P0", to_chamber="incubator_1"),
        "already stand in incubator_1",
    ),
    ("passage 1", passage(1, new_vessels=f"{BATCH_ID}-P0"), "were used before"),
    ("passage 1", passage(1, cells_seeded=63_787_501), "can't come from the 60,750,000 that were counted"),
    ("P0 look again", count("P1-harvest-1"), "of a passage that has not begun; present is P0"),
    ("P0 look again", count("product-1"), "there is no product yet"),
    ("P0 look again", count("harvest-1"), "names no passage"),
    ("passage 1", count("P0-harvest-1"), "was counted already"),
    (
        "passage 1",
        do.AcceptCount(sample_id="x", viability_pct=90.0, viable_density_1e6_per_ml=1.0),
        "is on hold",
    ),
    (
        "resuspend",
        do.Resuspend(diluent="saline", diluent_lot="S", volume_ml=5.3, viable_density_1e6_per_ml=38.0),
        "201,400,000 cells in suspension, 182,250,000 were harvested; they must agree within 10 %",
    ),
    ("formulate", formulate(weighed_at=0), "d old, allowed are 0-14"),
    (
        "formulate",
        formulate(weight_kg=60.0),
        "IT dose of 70,000,000 cells, 60,000,000 ± 10 % expected for 60 kg",
    ),
    (
        "formulate",
        formulate(retained_cells=80_000_000),
        "doses and retained cells are 220,000,000, resuspended were",
    ),
    ("formulate", formulate(doses=formulate().doses[:1]), "one dose for each of IT, IV expected"),
    (
        "formulate",
        formulate(doses=tuple(dose.model_copy(update={"container": "C"}) for dose in formulate().doses)),
        "two doses share a container",
    ),
    (
        "formulate",
        formulate(doses=tuple(dose.model_copy(update={"volume_ml": 3.0}) for dose in formulate().doses)),
        "IT dose in 3 mL, 2-2 mL expected",
    ),
    ("review", do.Review(audit_trail_read=False), "read the audit trail"),
    (
        "review",
        do.Review(audit_trail_read=True, assessments=(do.Assessment(subject="x", impact="y"),)),
        "'x' is neither an alarm nor a gap",
    ),
    ("ship", do.Ship(shipper="S", logger="L", temperature_c=8.1, scans=(TOKEN, TOKEN)), "the box is at 8.1 °C"),
    (
        "arrive",
        do.ReceiveAtSite(temperature_min_c=3.0, temperature_max_c=9.0, out_of_range_min=31.0, scans=(TOKEN, TOKEN)),
        "31 min outside 2-8 °C, allowed are 30 min; do not use it",
    ),
    (
        "arrive",
        do.ReceiveAtSite(temperature_min_c=3.0, temperature_max_c=9.0, out_of_range_min=0.0, scans=(TOKEN, TOKEN)),
        "contradict each other",
    ),
    (
        "arrive",
        do.ReceiveAtSite(temperature_min_c=9.0, temperature_max_c=3.0, out_of_range_min=0.0, scans=(TOKEN, TOKEN)),
        "lowest temperature is above the highest",
    ),
]


@pytest.mark.parametrize(("step", "details", "said"), REFUSED, ids=[f"{a}: {c[:30]}" for a, _, c in REFUSED])
async def test_a_step_with_wrong_contents_is_refused(lab: Lab, step: str, details: Details, said: str) -> None:
    await lab.play(step)
    before = lab.batch()
    actor = {"AcceptCount": OP, "Count": COUNTER}.get(type(details).__name__, lab.steps[step].actor)
    with pytest.raises(TransitionRefused) as refused:
        await lab.do(Step(details, actor, lab.steps[step].witness))
    assert said in str(refused.value) and "\n" not in str(refused.value)
    after = lab.batch()
    assert (after.state, after.counts, after.qc) == (before.state, before.counts, before.qc)
    assert after.refusals[-1].command == type(details).__name__


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"route": "IV"}, "container IT-1 is for IT, not for IV; stop"),
        ({"container": "IT-2"}, "container 'IT-2' is none of this batch's"),
        ({"volume_ml": 2.3}, "2.3 mL can't come from a container of 2 mL"),
    ],
)
async def test_a_dose_comes_from_its_own_container(lab: Lab, changes: dict[str, object], said: str) -> None:
    await lab.play("give IT")
    lab.change("give IT", details=lab.steps["give IT"].details.model_copy(update=changes))
    with pytest.raises(TransitionRefused, match=said):
        await lab.do("give IT")


@pytest.mark.parametrize("rate", [None, 300.0])
async def test_an_infusion_keeps_the_recipe_s_rate(lab: Lab, rate: float | None) -> None:
    await lab.play("give IV")
    lab.change("give IV", details=lab.steps["give IV"].details.model_copy(update={"rate_ml_per_h": rate}))
    with pytest.raises(TransitionRefused, match="IV at 120 mL/h ± 10 %, not"):
        await lab.do("give IV")


async def test_no_dose_is_given_twice(lab: Lab) -> None:
    await lab.play("give IV")
    with pytest.raises(TransitionRefused, match="was given already"):
        await lab.do("give IT")


async def test_harvest_waits_for_the_second_passage(lab: Lab) -> None:
    await lab.play("passage 2")
    details = do.Harvest(
        vessels=f"{BATCH_ID}-P1", enzyme="trypsin", enzyme_pct=0.125, exposure_min=4.0, suspension_ml=50.0
    )
    with pytest.raises(TransitionRefused, match="used from P2 on, these are P1; passage them"):
        await lab.do(Step(details))


async def test_cells_are_detached_only_with_a_sterility_sample(lab: Lab) -> None:
    await lab.play("passage 1", skip=("P0 sample sterility", "P0 read sterility"))
    with pytest.raises(TransitionRefused, match="no sterility sample of P0 was drawn"):
        await lab.do("passage 1")


async def test_a_reason_lets_a_passage_go_ahead_early(lab: Lab) -> None:
    await lab.play("passage 1", skip=("P0 look again",))
    lab.change("passage 1", reason="colonies grow into multilayers")
    batch = await lab.do("passage 1")
    assert batch.passage == 1 and batch.history[-1].reason == "colonies grow into multilayers"


async def test_a_batch_is_rejected_with_a_reason_and_then_stays_so(lab: Lab) -> None:
    await lab.play("passage 1")
    with pytest.raises(TransitionRefused, match="a rejection needs its reason"):
        await lab.do(Step(do.Reject(), QA))
    batch = await lab.do(Step(do.Reject(), QP, reason="contaminated"))
    assert batch.state is State.REJECTED and batch.chamber is None and batch.ended_at == batch.since
    with pytest.raises(TransitionRefused, match="not allowed in REJECTED"):
        await lab.do("passage 1")


async def test_a_record_is_closed_when_everything_is_read(lab: Lab) -> None:
    await lab.play("close", skip=("late P1", "give IV"))
    with pytest.raises(TransitionRefused, match="P1-sterility has no final reading; container IV-1 was not given"):
        await lab.do("close")
    await lab.do("late P1")
    lab.change("close", reason="IV not given: fever before the infusion")
    assert (await lab.do("close")).state is State.CLOSED


async def test_sterility_is_final_after_fourteen_days(lab: Lab) -> None:
    await lab.play("passage 1")
    with pytest.raises(TransitionRefused, match=r"is final after 14 d, not 9\.0 d"):
        await lab.do(Step(do.RecordQcResult(
            sample_id=f"{BATCH_ID}.P0-sterility", outcome="negative", final=True, lab="house"), LAB))  # fmt: skip


async def test_warnings_stop_nothing_and_are_kept(lab: Lab) -> None:
    lab.change("receive", details=receive(marrow_ml=19.0))
    lab.change("P0 medium", after_ms=6 * DAY_MS)
    await lab.play("P0 look again")
    kept = {event.type: event.data.get("warnings") for event in lab.batch().history}
    assert kept["marrow_received"] == ["marrow 19 mL is +58 % off the recipe's 12"]
    assert "medium older than 5 d" in kept["medium_changed"]  # type: ignore[operator]


def test_every_step_of_the_process_stands_in_the_table() -> None:
    assert set(STEPS) - {do.CreateBatch} <= set(RULES)
    assert {kind.__name__ for kind in RULES} == set(do.__all__) - {
        "Assessment", "Command", "CreateBatch", "Dose", "QcTest", "Route"}  # fmt: skip
