"""Before hands are on a patient's material, container and patient are identified; machine values are kept."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.batch.bench import Bench, before
from tests.unit.batch.conftest import BATCH_ID, OP, TOKEN, Step, ending_at
from tests.unit.batch.karussis import thaw

from cultureops.batch import commands as do
from cultureops.batch.commands import Collected, Command, Identified
from cultureops.batch.containers import batch_with, containers_of
from cultureops.batch.decide import decide, rehearse
from cultureops.batch.events import Recorded, read_event
from cultureops.batch.facts import Facts
from cultureops.batch.identification import HANDS_ON, misidentified, named_in
from cultureops.batch.rules import RULES
from cultureops.errors import BatchError, GateFailed, TransitionRefused
from cultureops.ledger import NewEvent

DESK = {
    do.RecordConsent, do.CheckStorage, do.AuthoriseThaw, do.Review, do.Release, do.ReleaseConditionally,
    do.ReleaseExceptionally, do.Reject, do.RecordAdverseEvent, do.Close, do.OpenDeviation, do.InvestigateDeviation,
    do.PlanAction, do.CheckEffectiveness, do.CloseDeviation, do.Hold, do.Resume, do.Recall, do.Count, do.HoldCount,
    do.AcceptCount, do.RejectResultFile, do.RecordQcResult, do.Note, do.Correct,
}  # fmt: skip


def asked(bench: Bench, step: str, **more: Any) -> tuple[Command, Facts]:
    """Return the bench's next step as a command, and its facts."""
    wanted = bench.steps[step]
    now = bench.now + wanted.after_ms
    details = wanted.details
    facts = Facts(now, wanted.actor, bench.recipe, wanted.witness, equipment=bench.equipment, lots=bench.lots)
    return Command(BATCH_ID, details, None, wanted.reason, **more), facts


def recorded(decided: Sequence[NewEvent]) -> Recorded:
    return read_event(decided[0].type, decided[0].data)


@pytest.mark.requirement("R3")
def test_every_step_either_has_hands_on_material_or_is_desk_work() -> None:
    assert set(RULES) == HANDS_ON | DESK and not HANDS_ON & DESK
    for step in RULES:
        assert "scans" not in step.model_fields or step in HANDS_ON, step


@pytest.mark.requirement("R3")
@pytest.mark.parametrize(
    ("container", "token", "said"),
    [
        ("B-2026-002", TOKEN, "no container of this batch"),
        ("B-2026-001-P0.99", TOKEN, "no container of this batch"),
        (BATCH_ID, "COI-99999", "not this batch's patient"),
        ("B-2026-001-P0.3", "", "token"),
    ],
)
def test_a_wrong_pair_is_refused_whatever_the_step(container: str, token: str, said: str) -> None:
    bench = before("P0 look")
    try:
        scanned = Identified(container=container, token=token)
    except BatchError as refusal:
        assert said in str(refusal)
        return
    command, facts = asked(bench, "P0 look", identified=scanned)
    with pytest.raises(GateFailed, match=f"G2: .*{said}.*second person") as failed:
        decide(bench.batch, command, facts)
    assert "COI-99999" not in str(failed.value), "a foreign token is never repeated"


@pytest.mark.requirement("R3")
def test_a_right_pair_is_kept_with_the_step_and_another_group_is_not_right() -> None:
    bench = before("P0 look")
    right = Identified(container=f"{BATCH_ID}-P0.3", token=TOKEN)
    command, facts = asked(bench, "P0 look", identified=right)
    (check,) = recorded(decide(bench.batch, command, facts)).checks
    assert check.gate == "G2" and check.used == {"container": f"{BATCH_ID}-P0.3", "identified": True}
    assert recorded(decide(bench.batch, replace(command, identified=None), facts)).checks == ()
    assert not misidentified(bench.known, right, [f"{BATCH_ID}-P0"])
    assert "which this step is about" in misidentified(bench.known, right, [f"{BATCH_ID}-P1"])
    assert not misidentified(bench.known, Identified(container=BATCH_ID, token=TOKEN), [f"{BATCH_ID}-P1"])


def test_containers_are_what_labels_of_the_batch_carry_now() -> None:
    grown, frozen = before("P0 look").known, before("transfer out", "frozen").known
    assert [code for code in containers_of(grown) if "P0" in code][:2] == [f"{BATCH_ID}-P0", f"{BATCH_ID}-P0.1"]
    vials = [code for code in containers_of(frozen) if ".V" in code]
    assert len(vials) == 15 and containers_of(frozen)[vials[0]] == "vial, authorised"
    assert not any("-P" in code for code in containers_of(frozen) if "sterility" not in code), "cells are in vials now"
    found = batch_with([grown], f"{BATCH_ID}-P0.2")
    assert found is not None and " 2 of " in found[1]
    patient = batch_with([grown], TOKEN)
    assert patient is not None and patient[0] is grown
    assert batch_with([grown], "B-1") is None


def test_a_value_of_an_instrument_is_kept_as_such_and_not_believed_of_another_number() -> None:
    bench = before("thaw", "frozen")
    details = thaw()
    command, facts = asked(bench, "thaw")
    now = facts.now
    details = details.model_copy(update={"started_at": now - 120_000, "ended_at": now - 60_000})
    taken = Collected(field="bath_temperature_c", channel="bath/temperature", at=now - 1_000, value=37.1)
    event = recorded(decide(bench.batch, replace(command, details=details, collected=(taken,)), facts))
    assert event.collected == (taken,)
    forged = taken.model_copy(update={"value": 36.5})
    with pytest.raises(TransitionRefused, match="type it by hand"):
        decide(bench.batch, replace(command, details=details, collected=(forged,)), facts)
    plain = decide(bench.batch, replace(command, details=details), facts)[0]
    assert "collected" not in plain.data, "events without it keep their bytes"


def test_a_rehearsal_says_what_a_decision_would_and_asks_nobody_else() -> None:
    bench = before("receive")
    command, facts = asked(bench, "receive")
    alone = replace(facts, witness=None)
    with pytest.raises(TransitionRefused, match="second person"):
        decide(bench.batch, command, alone)
    details = command.details.model_copy(update={"collected_at": facts.now - 3_600_000, "marrow_ml": 19.0})
    plan = rehearse(bench.batch, replace(command, details=details), alone)
    assert plan.warnings == ("marrow 19 mL is +58 % off the recipe's 12",)
    warm = details.model_copy(update={"receipt_temperature_c": 30.0})
    with pytest.raises(TransitionRefused, match="30 °C"):
        rehearse(bench.batch, replace(command, details=warm), alone)


@pytest.mark.requirement("R3")
@pytest.mark.parametrize("step", ["transfer out", "transfer in", "thaw"])
def test_a_vial_that_stays_behind_is_the_wrong_one_in_hand(step: str) -> None:
    bench = before(step, "frozen")
    for number, fits in (("01", True), ("15", False)):
        command, facts = asked(bench, step, identified=Identified(container=f"{BATCH_ID}.V{number}", token=TOKEN))
        if fits:
            decide(bench.batch, replace(command, details=ending_at(command.details, facts.now)), facts)
            continue
        with pytest.raises(GateFailed, match=r"V15 is not .*V01 or .*V02 or .*V03 or another 5, which this step"):
            decide(bench.batch, replace(command, details=ending_at(command.details, facts.now)), facts)


@pytest.mark.requirement("R3")
def test_a_dose_is_scanned_from_its_own_container() -> None:
    bench = before("give IT")
    details = bench.steps["give IT"].details
    (named,) = named_in(bench.known, details)
    others = [dose.container for dose in bench.known.doses if dose.container != named]
    assert not misidentified(bench.known, Identified(container=named, token=TOKEN), [named])
    for wrong in (BATCH_ID, *others):
        assert "which this step is about" in misidentified(
            bench.known, Identified(container=wrong, token=TOKEN), [named]
        )


def test_what_is_corrected_by_hand_is_no_value_of_an_instrument() -> None:
    bench = before("thaw", "frozen")
    command, facts = asked(bench, "thaw")
    details = ending_at(command.details, facts.now)
    taken = Collected(field="bath_temperature_c", channel="bath/temperature", at=facts.now - 1_000, value=37.1)
    (thawed, *_) = decide(bench.batch, replace(command, details=details, collected=(taken,)), facts)
    bench.now = facts.now
    bench.record(thawed)
    fix = do.Correct(event_id=bench.events[-1].event_id, field="bath_temperature_c", value=36.8)
    bench.ask(Step(fix, OP, reason="read off the bath"))
    corrected = bench.events[-1].data["data"]
    assert corrected["bath_temperature_c"] == 36.8 and "collected" not in corrected  # type: ignore[index,call-overload,operator]
