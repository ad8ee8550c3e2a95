"""Review by exception: a batch that went by its recipe lists nothing, each thing to judge is listed once and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.batch.bench import Bench, before
from tests.unit.batch.conftest import BATCH_ID, LOTS, OP, QA, WITNESS, Step, count

from cultureops.batch import commands as do
from cultureops.batch.checklist import GateState, checklist
from cultureops.batch.events import CommandRefused, CountHeld, data_of
from cultureops.batch.exceptions import Kind, Matter, Nearness, exceptions
from cultureops.batch.exposure import alarm_exposure
from cultureops.batch.facts import EquipmentFact, Facts, LotFact, TelemetryGap
from cultureops.batch.gates import GATES
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS
from cultureops.kernel_clock import ClockQuality
from cultureops.ledger import Actor, NewEvent, Source


def facts_of(bench: Bench, **more: Any) -> Facts:
    fields = {"equipment": bench.equipment, "lots": bench.lots} | more
    return Facts(bench.now, Actor("cultureops", "system"), bench.recipe, **fields)


def found(bench: Bench, *simulated: str, **more: Any) -> list[Matter]:
    return list(exceptions(bench.known, facts_of(bench, **more), simulated))


@pytest.mark.parametrize("kind", ["fresh", "frozen", "labelled"])
@pytest.mark.parametrize("step", ["review", "release", "ship", "end"])
def test_a_batch_that_went_by_its_recipe_has_no_exception(kind: str, step: str) -> None:
    """Of the played processes the recipe itself warns here and there; nothing else is to judge."""
    assert {one.kind for one in found(before(step, kind))} <= {Kind.WARNING}


def _correct(bench: Bench) -> None:
    counted = next(event for event in reversed(bench.events) if event.type == "counted")
    fix = do.Correct(event_id=counted.event_id, field="viability_pct", value=95.0)
    bench.ask(Step(fix, OP, WITNESS, reason="typing error: 59"))


def _late(bench: Bench) -> None:
    bench.now += HOUR_MS
    bench.ask(Step(do.Note(text="medium was cloudy"), OP, reason="on paper"), occurred_at=bench.now - HOUR_MS)


def _refused(bench: Bench) -> None:
    data = CommandRefused(command="Release", error="TransitionRefused", message="not for role OP")
    bench.record(NewEvent("command_refused", data_of(data), OP, Source.HUMAN, bench.now))


def _held(bench: Bench) -> None:
    data = CountHeld(
        sample_id=f"{BATCH_ID}.P2-harvest-9",
        device="counter_1",
        counted_at_local="2026-01-05T09:00:00",
        source_file="x.csv",
        source_sha256="ab" * 32,
        reasons=("no cells",),
        raw={},
    )
    bench.record(NewEvent("count_held", data_of(data), Actor("counter_1", "DEV"), Source.DEVICE, bench.now))


def _by_hand(bench: Bench) -> None:
    bench.ask(Step(count("P2-harvest-3"), OP))


def _deviation(bench: Bench) -> None:
    opened = do.OpenDeviation(deviation_id="DEV-1", severity="major", subject="lid", description="a lid fell off")
    bench.ask(Step(opened, OP))


def _oos(bench: Bench) -> None:
    opened = do.OpenDeviation(
        deviation_id="OOS-1", kind="oos", severity="critical", subject="count", description="too few cells"
    )
    bench.ask(Step(opened, QA))


def _alarm(bench: Bench) -> None:
    bench.record(
        alarm_exposure(
            rule_id="incubator_1/co2/low",
            chamber="incubator_1",
            channel="incubator_1/co2",
            kind="low",
            priority="high",
            gmp_critical=True,
            raised_at=bench.now - HOUR_MS,
            at=bench.now,
            is_cleared=False,
            text="CO2 is low",
        )
    )


MATTERS = {
    Kind.CORRECTION: (_correct, "major", "96.4 -> 95"),
    Kind.LATE_ENTRY: (_late, "minor", "entered 70 min later: medium was cloudy"),
    Kind.REFUSAL: (_refused, "minor", "Release refused: not for role OP"),
    Kind.COUNT: (_held, "minor", "held: no cells"),
    Kind.MANUAL: (_by_hand, "minor", "Counted"),
    Kind.DEVIATION: (_deviation, "major", "DEV-1, open: a lid fell off"),
    Kind.OUT_OF_SPECIFICATION: (_oos, "critical", "OOS-1, open"),
    Kind.ALARM: (_alarm, "major", "CO2 is low"),
}


@pytest.mark.requirement("R3")
@pytest.mark.parametrize("kind", list(MATTERS))
def test_what_needs_judgement_is_listed_once_with_what_disposes_of_it(kind: Kind) -> None:
    happen, severity, said = MATTERS[kind]
    bench = before("harvest")
    happen(bench)
    (one,) = (matter for matter in found(bench) if matter.kind is kind)
    assert one.severity == severity and said in one.what and one.disposal and not one.is_read
    assert one.event_id in {event.event_id for event in bench.events} and one.position is not None


def test_what_a_gate_would_hold_up_is_listed_from_the_formulation_on() -> None:
    bench = before("review")
    lot = next(iter(LOTS))
    bench.lots = dict(bench.lots) | {lot: LotFact("recalled", None)}
    (one,) = found(bench)
    assert (one.kind, one.severity) == (Kind.GATE, "critical") and f"G4: lot {lot} is recalled" in one.what
    assert not [one for one in found(before("harvest")) if one.kind is Kind.GATE]


def test_a_long_gap_is_listed_and_a_short_one_is_not() -> None:
    bench = before("review")
    longest_ms = round(bench.recipe.culture.max_gap.value * MINUTE_MS)
    stay = bench.known.occupancies[0]

    def gap(length_ms: int) -> TelemetryGap:
        start = stay.placed + HOUR_MS
        return TelemetryGap(stay.chamber, f"{stay.chamber}/co2", start, start + length_ms, "no answer")

    assert not [one for one in found(bench, telemetry_gaps=(gap(longest_ms),)) if one.kind is Kind.GAP]
    (one,) = (one for one in found(bench, telemetry_gaps=(gap(longest_ms + 1),)) if one.kind is Kind.GAP)
    assert "no answer" in one.what


def test_a_calibration_or_a_lot_that_ended_soon_after_its_use_is_listed() -> None:
    bench = before("seed")
    bench.equipment = dict(bench.equipment) | {"incubator_1": EquipmentFact(True, bench.now + 5 * DAY_MS)}
    bench.lots = dict(bench.lots) | {"MED-1": LotFact("released", bench.now + 2 * DAY_MS)}
    bench.ask("seed")
    assert {(one.kind, one.severity) for one in found(bench)} == {(Kind.CALIBRATION, "minor"), (Kind.LOT, "minor")}
    far = exceptions(bench.known, facts_of(bench), nearness=Nearness(calibration_d=1, lot_d=1))
    assert far == ()


def test_a_simulated_counter_and_an_unsteered_clock_are_told() -> None:
    bench = before("harvest")
    (one,) = found(bench, "counter_1")
    assert (one.kind, one.severity) == (Kind.SIMULATED, "critical") and "counter_1 is simulated" in one.what
    unsynced = replace(bench.events[4], clock_quality=ClockQuality.UNSYNCED)
    bench.batch = bench.known.changed(history=(*bench.events[:4], unsynced, *bench.events[5:]))
    (one,) = found(bench)
    assert one.kind is Kind.CLOCK and one.event_id == unsynced.event_id


@pytest.mark.requirement("R6", "R4")
def test_a_decision_without_a_signature_is_critical() -> None:
    bench = before("release")
    bare = [replace(e, data={k: v for k, v in e.data.items() if k != "signatures"}) for e in bench.events]
    bench.batch = bench.known.changed(history=tuple(bare))
    critical = [one for one in found(bench) if one.kind is Kind.SIGNATURE]
    assert [one.what for one in critical] == ["reviewed carries no signature"]


def test_what_a_review_has_covered_is_marked_as_read() -> None:
    bench = before("review")
    bench.ask(Step(do.Note(text="for the record"), OP, reason="on paper"), occurred_at=bench.now - HOUR_MS)
    assert [one.is_read for one in found(bench)] == [False]
    seen = bench.known.version
    bench.batch = bench.known.changed(reviewed_version=seen)
    assert [one.is_read for one in found(bench)] == [True]


@pytest.mark.parametrize("step", ["create", "harvest", "review", "release", "ship", "end"])
@pytest.mark.parametrize("kind", ["fresh", "frozen"])
def test_the_checklist_names_every_gate_at_any_stage(kind: str, step: str) -> None:
    bench = before(step, kind)
    if bench.batch is None:
        bench.ask("create")
    checks = checklist(bench.known, facts_of(bench))
    assert [check.gate for check in checks] == list(GATES)
    assert all(bool(check.problem) == (check.state in (GateState.NOT_MET, GateState.EXCEPTED)) for check in checks)
    if step in ("ship", "end"):
        assert {check.gate for check in checks if check.state is not GateState.MET} == {"G16"}
    if step == "release":
        assert not [check for check in checks if check.is_not_met]


@pytest.mark.requirement("R20")
def test_the_checklist_says_who_may_not_sign() -> None:
    (four_eyes,) = (c for c in checklist(before("release").known, facts_of(before("release"))) if c.gate == "G14")
    assert four_eyes.used["reviewers"] == ["reviewer-1"] and WITNESS.id in four_eyes.used["operators"]


def test_an_event_that_nobody_can_read_is_no_reason_to_show_nothing() -> None:
    bench = before("harvest")
    odd = replace(bench.events[3], type="unheard_of")
    bench.batch = bench.known.changed(history=(*bench.events[:3], odd, *bench.events[4:]))
    (one,) = found(bench)
    assert (one.kind, one.severity) == (Kind.UNREADABLE, "critical")


HAPPENINGS: list[Callable[[Bench], None]] = [happen for happen, _, _ in MATTERS.values()]


def test_the_gravest_stand_first() -> None:
    bench = before("harvest")
    for happen in HAPPENINGS:
        happen(bench)
    grades = [one.severity for one in found(bench)]
    assert grades == sorted(grades, key=("critical", "major", "minor").index) and len(grades) >= len(MATTERS)
