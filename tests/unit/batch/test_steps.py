"""Steps of the fresh process with wrong contents: each is refused in one line and changes nothing."""

import pytest
from tests.unit.batch.bench import before
from tests.unit.batch.conftest import (
    BATCH_ID,
    COUNTER,
    LAB,
    OP,
    QA,
    QP,
    TOKEN,
    WITNESS,
    Step,
    count,
    formulate,
    look,
    medium,
    passage,
    receive,
    seed,
)

from cultureops.batch import commands as do
from cultureops.batch.field import Details
from cultureops.batch.state import State
from cultureops.clock import DAY_MS
from cultureops.errors import TransitionRefused

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
    ("P0 look again", count("product-1"), "there is no product suspension yet"),
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
def test_a_step_with_wrong_contents_is_refused(step: str, details: Details, said: str) -> None:
    bench = before(step)
    present = bench.known
    actor = {"AcceptCount": OP, "Count": COUNTER}.get(type(details).__name__, bench.steps[step].actor)
    with pytest.raises(TransitionRefused) as refused:
        witness = WITNESS if isinstance(details, do.AcceptCount) else bench.steps[step].witness
        bench.ask(Step(details, actor, witness))
    assert said in str(refused.value) and "\n" not in str(refused.value)
    assert bench.batch is present


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"route": "IV"}, "container IT-1 is for IT, not for IV; stop"),
        ({"container": "IT-2"}, "container 'IT-2' is none of this batch's"),
        ({"volume_ml": 2.3}, "2.3 mL can't come from a container of 2 mL"),
    ],
)
def test_a_dose_comes_from_its_own_container(changes: dict[str, object], said: str) -> None:
    bench = before("give IT")
    bench.alter("give IT", **changes)
    with pytest.raises(TransitionRefused, match=said):
        bench.ask("give IT")


@pytest.mark.parametrize("rate", [None, 300.0])
def test_an_infusion_keeps_the_recipe_s_rate(rate: float | None) -> None:
    bench = before("give IV")
    bench.alter("give IV", rate_ml_per_h=rate)
    with pytest.raises(TransitionRefused, match="IV at 120 mL/h ± 10 %, not"):
        bench.ask("give IV")


def test_no_dose_is_given_before_it_arrived() -> None:
    bench = before("give IT")
    arrived_at = bench.known.arrived_at
    assert arrived_at is not None
    bench.alter("give IT", started_at=arrived_at - 1, ended_at=bench.now)
    with pytest.raises(TransitionRefused, match="a dose starts after the product arrived"):
        bench.ask("give IT")


def test_no_dose_is_given_twice() -> None:
    bench = before("give IV")
    with pytest.raises(TransitionRefused, match="was given already"):
        bench.ask("give IT")


def test_harvest_waits_for_the_second_passage() -> None:
    details = do.Harvest(
        vessels=f"{BATCH_ID}-P1", enzyme="trypsin", enzyme_pct=0.125, exposure_min=4.0, suspension_ml=50.0
    )
    with pytest.raises(TransitionRefused, match="used from P2 on, these are P1; passage them"):
        before("passage 2").ask(Step(details))


def test_cells_are_detached_only_with_a_sterility_sample() -> None:
    bench = before("P0 sample sterility")
    bench.play("P0 sample sterility", "passage 1", skip=("P0 sample sterility", "P0 read sterility"))
    with pytest.raises(TransitionRefused, match="no sterility sample of P0 was drawn"):
        bench.ask("passage 1")


def test_a_reason_lets_a_passage_go_ahead_early() -> None:
    bench = before("P0 look again")
    bench.play("P0 look again", "passage 1", skip=("P0 look again",))
    bench.change("passage 1", reason="colonies grow into multilayers")
    batch = bench.ask("passage 1")
    assert batch.passage == 1 and batch.history[-1].reason == "colonies grow into multilayers"


def test_a_batch_is_rejected_with_a_reason_and_then_stays_so() -> None:
    bench = before("passage 1")
    with pytest.raises(TransitionRefused, match="a rejection needs its reason"):
        bench.ask(Step(do.Reject(), QA))
    batch = bench.ask(Step(do.Reject(), QP, reason="contaminated"))
    assert batch.state is State.REJECTED and batch.chamber is None and batch.ended_at == batch.since
    with pytest.raises(TransitionRefused, match="not allowed in REJECTED"):
        bench.ask("passage 1")


def test_a_record_is_closed_when_everything_is_read() -> None:
    bench = before("give IV")
    bench.play("give IV", "close", skip=("late P1", "give IV"))
    with pytest.raises(TransitionRefused, match="P1-sterility has no final reading; container IV-1 was not given"):
        bench.ask("close")
    bench.ask("late P1")
    bench.change("close", reason="IV not given: fever before the infusion")
    assert bench.ask("close").state is State.CLOSED


def test_sterility_is_final_after_fourteen_days() -> None:
    early = do.RecordQcResult(sample_id=f"{BATCH_ID}.P0-sterility", outcome="negative", final=True, lab="house")
    with pytest.raises(TransitionRefused, match=r"is final after 14 d, not 9\.0 d"):
        before("passage 1").ask(Step(early, LAB))


def test_warnings_stop_nothing_and_are_kept() -> None:
    bench = before("receive")
    bench.change("receive", details=receive(marrow_ml=19.0))
    bench.change("P0 medium", after_ms=6 * DAY_MS)
    bench.play("receive", "P0 look again")
    kept = {event.type: event.data.get("warnings") for event in bench.known.history}
    assert kept["marrow_received"] == ["marrow 19 mL is +58 % off the recipe's 12"]
    assert "medium older than 5 d" in kept["medium_changed"]  # type: ignore[operator]
