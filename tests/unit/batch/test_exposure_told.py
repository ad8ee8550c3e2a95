"""What a batch's record says of alarms: exposure with figures, a drafted deviation, and what a person makes of it."""

from dataclasses import replace

import pytest
from tests.unit.batch.bench import Bench, before, dispose, held
from tests.unit.batch.conftest import BATCH_ID, LAB, QA, Step
from tests.unit.batch.table import REACHED

from cultureops.alarms.activation import Activation
from cultureops.batch import commands as do
from cultureops.batch.alarm_told import EndangeredBatch, Known, Phase, tell
from cultureops.batch.batch import Batch
from cultureops.batch.due import due
from cultureops.batch.exposure import overlap
from cultureops.batch.parts import Occupancy
from cultureops.batch.state import State
from cultureops.batch.views import timeline
from cultureops.clock import MINUTE_MS, iso
from cultureops.errors import TransitionRefused
from cultureops.ledger import Actor

FIGURES = EndangeredBatch(BATCH_ID, 10.0, 8.125, 0.5, "% x min")
UNKNOWN = EndangeredBatch(BATCH_ID, None, None, None, reason="the disk is gone")


def alarm(raised_at: int, **changes: object) -> Activation:
    low = Activation(
        rule_id="incubator_1/co2/low",
        chamber="incubator_1",
        channel="incubator_1/co2",
        reference=None,
        kind="low",
        limit=4.0,
        unit="%",
        priority="high",
        level="alarm",
        alarm_class="environment",
        gmp_critical=True,
        raised_at=raised_at,
        since=raised_at - 10 * MINUTE_MS,
        last_at=raised_at,
        text="3.2 % for 600 s",
    )
    return replace(low, **changes)  # type: ignore[arg-type]


def told(bench: Bench, one: Activation, phase: Phase = "raised", figures: EndangeredBatch = FIGURES) -> Batch:
    _, events, version = tell(Known(bench.known), one, phase, figures, bench.now)
    assert version in (None, bench.known.version)
    for event in events:
        bench.record(event)
    return bench.known


def test_a_critical_alarm_drafts_a_deviation_with_its_figures() -> None:
    bench = before("P0 look")
    one = alarm(bench.now)
    batch = told(bench, one)
    (exposure,), (draft,) = batch.exposures, batch.open_deviations
    assert (exposure.id, exposure.minutes, exposure.degree_minutes, exposure.unknown_minutes) == (
        one.id, 10.0, 8.125, 0.5,
    )  # fmt: skip
    assert (draft.kind, draft.severity, draft.subject, draft.drafted) == ("alarm", "major", one.id, True)
    assert draft.description == (
        "incubator_1: alarm incubator_1/co2/low, so far 10.0 min, 8.12 % x min, 0.5 min unknown; 3.2 % for 600 s"
    )
    assert draft.id.startswith(f"{BATCH_ID}.ALM-") and len(draft.id) <= 80
    assert [event.actor.role for event in batch.history[-2:]] == ["system", "system"]
    rows = [row.text for row in timeline(batch)[-2:]]
    assert rows[0] == "Alarm raised: 3.2 % for 600 s; 10.0 min, 8.12 % x min, 0.5 min unknown"
    assert rows[1].startswith(f"Deviation {draft.id} (major, drafted), {one.id}: ")
    assert any(item.text == f"investigate deviation {draft.id}" for item in due(batch, bench.recipe))
    assert "cultureops" not in batch.operators


def test_figures_that_nobody_knows_say_why() -> None:
    bench = before("P0 look")
    batch = told(bench, alarm(bench.now), figures=UNKNOWN)
    assert batch.exposures[0].minutes is None
    assert "so far figures not known: the disk is gone" in batch.deviations[0].description
    assert batch.history[-2].data["figures_reason"] == "the disk is gone"
    assert "figures not known: the disk is gone" in timeline(batch)[-2].text


def test_whatever_an_instrument_says_is_recorded() -> None:
    bench = before("P0 look")
    batch = told(
        bench, alarm(bench.now, text="said \x1b[2J\n" + "x" * 5_000), figures=replace(UNKNOWN, reason="\u202e")
    )
    assert batch.exposures[0].text.startswith("said \\x1b[2J") and len(batch.exposures[0].text) == 2_000
    assert "\\u202e" in batch.deviations[0].description


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({}, "major"),
        ({"level": "critical"}, "critical"),
        ({"suppressed": "SHELVED"}, "major"),
        ({"suppressed": "OUT_OF_SERVICE"}, "major"),
        ({"suppressed": "SUPPRESSED_BY_DESIGN"}, None),
        ({"gmp_critical": False}, None),
        ({"kind": "communication", "channel": None, "limit": None}, "major"),
    ],
)
def test_which_alarms_draft(changes: dict[str, object], severity: str | None) -> None:
    bench = before("P0 look")
    batch = told(bench, alarm(bench.now, **changes))
    assert [draft.severity for draft in batch.open_deviations] == ([] if severity is None else [severity])
    (exposure,) = batch.exposures
    assert exposure.wants_assessment == (severity is not None)
    assert batch.history[-2 if severity else -1].data.get("suppressed", "") == changes.get("suppressed", "")


def test_what_was_hidden_by_design_and_is_told_later_drafts_then() -> None:
    bench = before("P0 look")
    one = alarm(bench.now, suppressed="SUPPRESSED_BY_DESIGN")
    assert not told(bench, one).open_deviations
    batch = told(bench, replace(one, suppressed=""))
    assert len(batch.open_deviations) == 1 and batch.exposures[0].wants_assessment
    over = replace(one, suppressed="SUPPRESSED_BY_DESIGN", ended_at=bench.now)
    assert told(bench, over, "cleared").exposures[0].wants_assessment, "what was announced stays so"


def test_one_deviation_for_an_activation_and_one_for_a_chattering_alarm() -> None:
    bench = before("P0 look")
    first = alarm(bench.now)
    told(bench, first)
    told(bench, first)
    (draft,) = told(bench, replace(first, ended_at=bench.now), "cleared").deviations
    bench.ask(Step(do.InvestigateDeviation(deviation_id=draft.id, root_cause="gas", impact="none"), QA))
    for _ in range(20):
        bench.now += MINUTE_MS
        batch = told(bench, alarm(bench.now))
    (draft,) = batch.deviations
    assert len(draft.exposures) == len(batch.exposures) == 21
    assert draft.investigated_at is None, "what came since was not investigated"
    other = told(bench, alarm(bench.now, rule_id="incubator_1/temperature/high"))
    assert len(other.deviations) == 2
    dispose(bench)
    bench.now += MINUTE_MS
    assert len(told(bench, alarm(bench.now)).open_deviations) == 1, "what was closed is not opened again"


def test_an_extension_expects_that_nobody_closes_the_draft_meanwhile() -> None:
    bench = before("P0 look")
    assert tell(Known(bench.known), alarm(bench.now), "raised", FIGURES, bench.now)[2] is None
    told(bench, alarm(bench.now))
    later = alarm(bench.now + MINUTE_MS)
    assert tell(Known(bench.known), later, "raised", FIGURES, bench.now)[2] == bench.known.version


def test_release_waits_until_a_person_has_disposed_of_the_draft() -> None:
    bench = before("review")
    draft = told(bench, alarm(bench.now)).open_deviations[0]
    assess = do.Review(audit_trail_read=True, assessments=(do.Assessment(subject=draft.subject, impact="none"),))
    bench.change("review", details=assess)
    bench.ask("review")
    drafted = f"G12: major deviation {draft.id} drafted by alarm {draft.subject} is open"
    held(bench, "G12", "release", rf"{drafted} \(investigate and close it\)$")
    with pytest.raises(TransitionRefused, match="was not investigated"):
        bench.ask(Step(do.CloseDeviation(deviation_id=draft.id, conclusion="none"), QA))
    bench.ask(
        Step(
            do.InvestigateDeviation(
                deviation_id=draft.id, root_cause="gas", impact="none", severity="minor", severity_reason="short"
            ),
            QA,
        )
    )
    bench.ask("review")
    held(bench, "G12", "release", r"G12: minor deviation .* is open \(close it\)$")
    bench.ask(Step(do.CloseDeviation(deviation_id=draft.id, conclusion="none"), QA))
    bench.ask("review")
    assert bench.ask("release").state is State.RELEASED


def test_a_grade_is_changed_with_a_reason_by_somebody_who_had_no_hand_in_the_batch() -> None:
    bench = before("P0 look")
    (draft,) = told(bench, alarm(bench.now)).open_deviations
    found = {"deviation_id": draft.id, "root_cause": "gas", "impact": "none"}
    with pytest.raises(TransitionRefused, match=f"deviation {draft.id} is major; say why it becomes critical"):
        bench.ask(Step(do.InvestigateDeviation(**found, severity="critical"), QA))
    graded = do.InvestigateDeviation(**found, severity="critical", severity_reason="twice in a week")
    with pytest.raises(TransitionRefused, match="operator-1 operated on this batch; somebody else must grade"):
        bench.ask(Step(graded, Actor("operator-1", "QC")))
    batch = bench.ask(Step(graded, QA))
    (draft,) = batch.open_deviations
    assert draft.severity == "critical" and draft.investigated_at == bench.now
    assert batch.history[-1].data["severity_before"] == "major"
    assert timeline(batch)[-1].text.endswith("graded critical instead of major: twice in a week")
    confirmed = bench.ask(Step(do.InvestigateDeviation(**found, severity="critical"), Actor(LAB.id, "QC")))
    assert "severity_before" not in confirmed.history[-1].data
    bench.now += MINUTE_MS
    assert told(bench, alarm(bench.now)).open_deviations[0].severity == "critical", "the worse grade holds"


def test_a_withdrawn_exposure_stays_on_record_and_counts_no_longer() -> None:
    bench = before("review")
    one = alarm(bench.now)
    told(bench, one)
    dispose(bench)
    bench.ask("review")
    held(bench, "G12", "release", f"G12: alarm {one.id} is not assessed$")
    batch = told(bench, replace(one, ended_at=bench.now), "withdrawn")
    (exposure,) = batch.exposures
    assert exposure.withdrawn_at == bench.now and exposure.minutes == 10.0
    assert len(batch.deviations) == 1, "what was drafted stays for a person"
    bench.ask("review")
    assert bench.ask("release").state is State.RELEASED


def test_an_exposure_that_comes_back_after_it_was_withdrawn_is_disposed_of_anew() -> None:
    bench = before("P0 look")
    one = alarm(bench.now)
    told(bench, one)
    told(bench, one, "withdrawn")
    assert len(told(bench, one).deviations) == 1, "the first draft is still open"
    told(bench, one, "withdrawn")
    dispose(bench)
    batch = told(bench, one)
    assert len(batch.open_deviations) == 1 and len({draft.id for draft in batch.deviations}) == 2
    assert batch.exposures[0].withdrawn_at is None


def test_an_alarm_takes_back_what_an_exceptional_release_excepted() -> None:
    bench = before("P0 look")
    excepted = bench.known.changed(excepted_gates=frozenset({"G12", "G8"}))
    for one, left in ((alarm(bench.now, suppressed="SUPPRESSED_BY_DESIGN"), {"G12", "G8"}), (alarm(bench.now), {"G8"})):
        bench.batch = excepted
        assert told(bench, one).excepted_gates == left


@pytest.mark.parametrize("state", [State.CLOSED, State.REJECTED, State.DESTROYED, State.RECALLED, State.RELEASED])
def test_where_nobody_can_dispose_of_a_draft_the_exposure_alone_is_told(state: State) -> None:
    bench = REACHED[state]()
    batch = told(bench, alarm(bench.now))
    assert [exposure.id for exposure in batch.exposures][-1:] == [alarm(bench.now).id]
    assert bool(batch.open_deviations) == (state in (State.RECALLED, State.RELEASED))


def test_time_in_a_chamber_counts_once_however_many_vessels_stand_there() -> None:
    bench = before("P0 look")
    stays = (("a", 0, 10), ("b", 5, 20), ("c", 30, 40), ("d", 60, None), ("e", 35, 35))
    rows = tuple(Occupancy(vessels, "incubator_1", placed, taken) for vessels, placed, taken in stays)
    batch = bench.known.changed(occupancies=(*rows, Occupancy("f", "incubator_2", 0, None)))
    assert overlap(batch, ["incubator_1"], 2, 70) == ((2, 20), (30, 40), (60, 70))
    assert overlap(batch, ["incubator_1"], 20, 29) == ()
    assert overlap(batch, ["incubator_1"], 60, 60) == ((60, 60),)


def test_events_of_a_former_version_load() -> None:
    bench = before("P0 look")
    batch = told(bench, alarm(bench.now, gmp_critical=False))
    old = {"since", "minutes", "degree_minutes", "degree_unit", "unknown_minutes"}
    assert old <= batch.history[-1].data.keys()
    new = {name: value for name, value in batch.history[-1].data.items() if name not in old}
    from cultureops.batch.events import AlarmExposed, read_event

    read = read_event("alarm_exposed", new)
    assert isinstance(read, AlarmExposed) and read.minutes is None and read.raised_at == bench.now
    assert iso(bench.now) in read.exposure_id
