"""Holds, rejections, recalls, deviations and their repeats, adverse events, hand-overs: quality assurance at work."""

from dataclasses import replace

import pytest
from tests.unit.batch import karussis
from tests.unit.batch.bench import Bench, before, held
from tests.unit.batch.conftest import BATCH_ID, CL, LAB, OP, QA, QP, ST, TOKEN, WITNESS, Step, result
from tests.unit.batch.table import EXAMPLES, REACHED, STATES, deviation

from cultureops.batch import commands as do
from cultureops.batch.due import due
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS
from cultureops.errors import TransitionRefused
from cultureops.ledger import Actor

DEV = f"{BATCH_ID}.DEV-1"


@pytest.mark.parametrize("state", sorted(STATES[do.Hold], key=lambda state: state.step))
def test_a_hold_stops_a_batch_where_it_stands(state: State) -> None:
    bench = REACHED[state]()
    present = bench.known
    needing = ((do.Hold, "a hold needs its reason"), (do.Reject, "a rejection needs its reason"))
    for kind, text in needing[: 1 if state is State.ADMINISTERED else 2]:
        with pytest.raises(TransitionRefused, match=text):
            bench.ask(replace(EXAMPLES[kind], reason=""))
    batch = bench.ask(EXAMPLES[do.Hold])
    assert (batch.state, batch.held_from) == (State.HOLD, state) and batch.stage == f"HOLD from {state}"
    assert [item.text for item in due(batch, bench.recipe)].count("decide on the hold") == 1
    for kind in (do.Passage, do.Thaw, do.Release, do.Ship, do.Administer, do.Hold, do.Close):
        with pytest.raises(TransitionRefused, match=r"is not allowed in HOLD from|in HOLD"):
            bench.ask(EXAMPLES[kind])
    with pytest.raises(TransitionRefused, match="letting a batch go on needs its reason"):
        bench.ask(replace(EXAMPLES[do.Resume], reason=""))
    after = bench.ask(EXAMPLES[do.Resume])
    same = ("state", "passage", "groups", "occupancies", "vials", "washes", "doses", "qc", "counts", "excepted_gates")
    assert [getattr(after, name) for name in same] == [getattr(present, name) for name in same]
    assert after.held_from is None and after.since == bench.now


@pytest.mark.parametrize("state", sorted(STATES[do.Reject], key=lambda state: state.step))
def test_whatever_was_not_given_can_be_rejected_and_destroyed(state: State) -> None:
    bench = REACHED[state]()
    batch = bench.ask(EXAMPLES[do.Reject])
    assert batch.state is State.REJECTED and batch.held_from is None
    left = {stay.vessels for stay in batch.occupancies if stay.taken is None}
    in_store = any(vial.place is not None for vial in batch.vials)
    assert left == ({f"{BATCH_ID}-vials"} if in_store else set()), (
        "vials stay where they stand until they are taken out"
    )
    for kind in (do.Reject, do.Hold, do.Resume, do.Release, do.Close):
        with pytest.raises(TransitionRefused, match="not allowed in REJECTED"):
            bench.ask(EXAMPLES[kind])
    if state is not State.HOLD:
        assert bench.ask(EXAMPLES[do.Destroy]).state is State.DESTROYED


def test_destroying_takes_two_persons_and_everything() -> None:
    bench = before("authorise", "frozen")
    bench.ask(EXAMPLES[do.Reject])
    assert len(bench.known.vials_in("stored")) == 15 and bench.known.vials[0].place is not None
    destroy = EXAMPLES[do.Destroy]
    for witness in (None, destroy.actor, Actor("reviewer-1", "RV")):
        with pytest.raises(TransitionRefused, match="needs a second person"):
            bench.ask(replace(destroy, witness=witness))
    some = do.Destroy(method="autoclave", everything_destroyed=False)
    with pytest.raises(TransitionRefused, match="everything that is left must be destroyed"):
        bench.ask(replace(destroy, details=some))
    bench.ask(destroy)
    assert bench.known.state is State.DESTROYED
    assert all((vial.status, vial.place) == ("discarded", None) for vial in bench.known.vials)
    assert sorted(bench.events[-1].releases) == sorted(vial.place.claim for vial in karussis.vials())


def test_what_was_thawed_is_not_said_to_be_destroyed() -> None:
    bench = before("ship", "frozen")
    bench.ask(EXAMPLES[do.Recall])
    bench.ask(EXAMPLES[do.Destroy])
    assert len(bench.known.vials_in("thawed")) == 8 and len(bench.known.vials_in("discarded")) == 7


def test_the_life_of_a_deviation() -> None:
    bench = before("P0 look")
    late = deviation(due_at=bench.now + 7 * DAY_MS)
    (opened,) = bench.ask(Step(late, OP)).open_deviations
    assert (opened.severity, opened.kind, opened.due_at) == ("major", "deviation", late.due_at)
    with pytest.raises(TransitionRefused, match="deviation DEV-A exists; give the new one its own name"):
        bench.ask(Step(deviation(), OP))
    close = EXAMPLES[do.CloseDeviation]
    with pytest.raises(TransitionRefused, match="DEV-A was not investigated; record its cause and impact first"):
        bench.ask(close)
    assert [item.text for item in due(bench.known, bench.recipe) if "DEV-A" in item.text] == [
        "investigate deviation DEV-A"
    ]
    bench.ask(EXAMPLES[do.InvestigateDeviation])
    assert ("close deviation DEV-A", late.due_at) in [
        (item.text, item.latest) for item in due(bench.known, bench.recipe)
    ]
    bench.ask(EXAMPLES[do.PlanAction])
    with pytest.raises(TransitionRefused, match="action CAPA-1 exists"):
        bench.ask(EXAMPLES[do.PlanAction])
    bench.ask(Step(deviation("DEV-B", "minor"), OP))
    planned = EXAMPLES[do.PlanAction].details.model_copy(update={"deviation_id": "DEV-B"})
    with pytest.raises(TransitionRefused, match="action CAPA-1 exists"):
        bench.ask(replace(EXAMPLES[do.PlanAction], details=planned))
    bench.ask(Step(do.CloseDeviation(deviation_id="DEV-B", conclusion="opened twice"), QA))
    with pytest.raises(TransitionRefused, match="has actions; say how they are known to work"):
        bench.ask(close)
    ended = do.CloseDeviation(deviation_id="DEV-A", conclusion="none", effectiveness="10 transports without a fall")
    with pytest.raises(TransitionRefused, match="operator-1 operated on this batch; somebody else"):
        bench.ask(replace(close, details=ended, actor=Actor(OP.id, "QA")))
    closed = bench.ask(replace(close, details=ended)).deviations[0]
    assert closed.closed_at == bench.now and not bench.known.open_deviations
    assert [action.id for action in closed.actions] == ["CAPA-1"]
    for kind in (do.InvestigateDeviation, do.PlanAction, do.CloseDeviation):
        with pytest.raises(TransitionRefused, match="deviation DEV-A is closed; open a new one"):
            bench.ask(EXAMPLES[kind])


@pytest.mark.parametrize("kind", [do.InvestigateDeviation, do.PlanAction, do.CloseDeviation])
def test_a_deviation_that_nobody_opened(kind: type[do.CloseDeviation]) -> None:
    with pytest.raises(TransitionRefused, match="no deviation DEV-A in this batch"):
        before("P0 look").ask(EXAMPLES[kind])


def test_a_minor_deviation_holds_up_nothing_and_closes_without_an_investigation() -> None:
    bench = before("review")
    bench.ask(Step(deviation(severity="minor"), OP))
    bench.ask("review")
    assert bench.ask("release").state is State.RELEASED
    assert not bench.ask(EXAMPLES[do.CloseDeviation]).open_deviations


@pytest.mark.parametrize("severity", ["major", "critical"])
def test_an_open_deviation_holds_up_release_and_dose(severity: str) -> None:
    bench = before("review")
    bench.ask(Step(deviation(severity=severity), OP))
    bench.ask("review")
    held(bench, "G12", "release", f"G12: {severity} deviation DEV-A is open$")
    bench = before("give IT")
    bench.ask(Step(deviation(severity=severity), CL))
    held(bench, "G12", "give IT", f"G12: {severity} deviation DEV-A is open$")
    bench = before("give IV")
    bench.ask(Step(deviation(severity=severity), CL))
    held(bench, "G12", "give IV", f"G12: {severity} deviation DEV-A is open$")


def test_a_deviation_that_opens_by_itself_takes_a_free_name() -> None:
    bench = before("authorise", "frozen")
    warm = Step(do.CheckStorage(store="cryostore_1", temperature_c=-120.0), ST)
    bench.ask(Step(deviation(f"{BATCH_ID}.DEV-2"), OP))
    bench.ask(warm)
    bench.ask(warm)
    names = [deviation.id for deviation in bench.known.deviations]
    assert len(set(names)) == 3, names
    bench.ask(Step(do.InvestigateDeviation(deviation_id=names[1], root_cause="lid was open", impact="none"), QA))
    assert [d.investigated_at is not None for d in bench.known.deviations] == [False, True, False]


def repeat(name: str, **changes: object) -> Step:
    fields = {"sample_id": f"{BATCH_ID}.{name}", "test": "endotoxin", "method": "LAL", "stage": "passage"}
    return Step(do.SampleQc.model_validate(fields | changes))


def failed_endotoxin() -> Bench:
    bench = before("P0 read endotoxin")
    bench.alter("P0 read endotoxin", outcome="positive")
    bench.ask("P0 read endotoxin")
    return bench


def test_a_result_out_of_specification_is_repeated_only_under_its_own_record() -> None:
    bench = failed_endotoxin()
    first = f"{BATCH_ID}.P0-endotoxin"
    for step, said in (
        (repeat("again"), f"{first} is positive; a repeat names it and its out-of-specification record"),
        (repeat("again", repeats=first), "None is no open out-of-specification record"),
        (repeat("again", deviation_id=DEV), "None is no failed sample of this test and passage"),
        (repeat("again", repeats="other", deviation_id=DEV), "other is no failed sample"),
        (repeat("again", repeats=first, deviation_id="DEV-9"), "DEV-9 is no open out-of-specification record"),
        (repeat("again", test="mycoplasma", repeats=first, deviation_id=DEV), "is no failed sample of this test"),
    ):
        with pytest.raises(TransitionRefused, match=said):
            bench.ask(step)
    bench.ask(repeat("again", repeats=first, deviation_id=DEV))
    bench.ask(Step(result("again"), LAB))
    first_sample = next(sample for sample in bench.known.qc if sample.sample_id == first)
    assert [reading.outcome for reading in first_sample.readings] == ["positive"], "a repeat replaces nothing"


def test_a_plain_deviation_is_no_record_of_a_failed_test() -> None:
    bench = failed_endotoxin()
    bench.ask(Step(deviation(), OP))
    with pytest.raises(TransitionRefused, match="DEV-A is no open out-of-specification record"):
        bench.ask(repeat("again", repeats=f"{BATCH_ID}.P0-endotoxin", deviation_id="DEV-A"))


def test_a_closed_record_allows_no_further_repeat() -> None:
    bench = failed_endotoxin()
    bench.ask(Step(do.InvestigateDeviation(deviation_id=DEV, root_cause="spiked by hand", impact="none"), QA))
    bench.ask(Step(do.CloseDeviation(deviation_id=DEV, conclusion="laboratory error"), QA))
    with pytest.raises(TransitionRefused, match="is no open out-of-specification record"):
        bench.ask(repeat("again", repeats=f"{BATCH_ID}.P0-endotoxin", deviation_id=DEV))


def test_a_final_reading_is_the_last() -> None:
    bench = before("P0 read mycoplasma")
    bench.ask("P0 read mycoplasma")
    with pytest.raises(TransitionRefused, match="was read to its end; a repeat is a sample of its own"):
        bench.ask("P0 read mycoplasma")


def event(term: str = "fever", *, onset_at: int, seriousness: str = "not serious") -> Step:
    fields = {"term": term, "grade": 2, "onset_at": onset_at, "seriousness": seriousness}
    return Step(do.RecordAdverseEvent.model_validate(fields), CL, after_ms=MINUTE_MS)


def test_adverse_events_come_after_a_dose() -> None:
    bench = before("give IT")
    with pytest.raises(TransitionRefused, match="RecordAdverseEvent is not allowed in RECEIVED_AT_SITE"):
        bench.ask(event(onset_at=bench.now))
    bench.ask("give IT")
    given_at = bench.known.doses[0].given_at
    assert given_at is not None
    for onset_at in (given_at - 1, bench.now + 2 * DAY_MS):
        with pytest.raises(TransitionRefused, match="begins after the first dose and before it is recorded"):
            bench.ask(event(onset_at=onset_at))
    assert not bench.ask(replace(event(onset_at=given_at + 8 * HOUR_MS), after_ms=DAY_MS)).open_deviations


def test_a_serious_adverse_event_opens_a_critical_deviation_and_stops_the_next_dose() -> None:
    bench = before("give IV")
    meningitis = event("aseptic meningitis", onset_at=bench.now + MINUTE_MS, seriousness="serious")
    (opened,) = bench.ask(replace(meningitis, after_ms=2 * MINUTE_MS)).open_deviations
    assert (opened.severity, opened.subject) == ("critical", "adverse event")
    assert opened.description == "serious: aseptic meningitis, grade 2"
    held(bench, "G12", "give IV", f"G12: critical deviation {DEV} is open")
    with pytest.raises(TransitionRefused, match=f"deviation {DEV} is open"):
        bench.ask(Step(do.Close(), QA, reason="the patient is in hospital"))


@pytest.mark.parametrize("scans", [(TOKEN, "COI-9Z9Z9"), ("COI-9Z9Z9", TOKEN), ("", ""), (TOKEN, TOKEN + " ")])
def test_a_hand_over_is_scanned_twice(scans: tuple[str, str]) -> None:
    bench = before("P0 look")
    if not all(scans):
        with pytest.raises(Exception, match="scans"):
            do.HandOver(from_place="room 1", to_place="room 2", scans=scans)
        return
    step = EXAMPLES[do.HandOver]
    held(bench, "G2", replace(step, details=step.details.model_copy(update={"scans": scans})), "G2: scan")
    batch = bench.ask(step)
    assert batch.history[-1].data["witness_id"] == WITNESS.id and batch.state is State.CULTURE


def test_a_recalled_or_rejected_batch_keeps_taking_deviations() -> None:
    for state in (State.REJECTED, State.RECALLED, State.DESTROYED):
        bench = REACHED[state]()
        bench.ask(EXAMPLES[do.OpenDeviation])
        bench.ask(EXAMPLES[do.InvestigateDeviation])
        close = replace(EXAMPLES[do.CloseDeviation], actor=Actor("qa-2", "QA"))
        assert not bench.ask(close).open_deviations


def test_only_who_decides_may_reject() -> None:
    assert before("P0 look").ask(replace(EXAMPLES[do.Reject], actor=QP)).state is State.REJECTED
    for role in ("OP", "RV", "QC", "ST", "CL", "AD", "DEV"):
        with pytest.raises(TransitionRefused, match=f"Reject is not for role {role}"):
            before("P0 look").ask(replace(EXAMPLES[do.Reject], actor=Actor("x", role)))


@pytest.mark.parametrize(
    ("begin", "changed", "days", "said"),
    [
        ("P0 look", ("P1 look again", "P2 look again"), 4, "harvested after 33"),
        ("P2 look again", ("P2 look again",), 31, "harvested after 63"),
    ],
)
def test_a_culture_off_its_duration_opens_a_minor_deviation(
    begin: str, changed: tuple[str, ...], days: int, said: str
) -> None:
    bench = before(begin, "frozen")
    for name in changed:
        bench.change(name, after_ms=days * DAY_MS)
    bench.play(begin, "harvest")
    (opened,) = bench.ask("harvest").open_deviations
    assert opened.severity == "minor" and opened.description.startswith(said)
    assert opened.description.endswith("the process has 40 to 60 d")
