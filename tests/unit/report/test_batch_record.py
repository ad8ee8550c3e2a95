"""The batch record on paper: what an inspector reads is what the JSON says, and nothing changed goes unseen."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from tests.unit.batch.bench import Bench, before
from tests.unit.batch.conftest import LAB, OP, WITNESS, Step, result
from tests.unit.report import test_document
from tests.unit.report.dossiers import TREE, ZONE, bare, dossier_of, pages_of, place

from cultureops.batch import commands as do
from cultureops.clock import HOUR_MS, local_stamp, parse_iso
from cultureops.ledger import NewEvent, Source
from cultureops.report.batch_record import batch_record, record_pdf

OUTAGE = "entered from the paper form, no power"
NOW = 1_772_000_000_000
HOSTILE = '<script>alert(1)</script> =HYPERLINK("x") #panic() evil שלום '


def record_of(bench: Bench, **more: Any) -> dict[str, Any]:
    return batch_record(dossier_of(bench.events, **more), "qa-1", NOW)


def corrected(bench: Bench, event_type: str, field: str, value: object, reason: str) -> None:
    event = next(event for event in bench.events if event.type == event_type)
    bench.ask(Step(do.Correct(event_id=event.event_id, field=field, value=value), reason=reason))


@cache
def played() -> Bench:
    """A frozen batch until its release, with a corrected value, a late entry, a refused step and hostile notes."""
    bench = before("P0 medium", "frozen")
    late = replace(bench.steps["P0 medium"], witness=WITNESS, after_ms=9 * HOUR_MS, reason=OUTAGE)
    bench.ask(late, occurred_at=bench.now + HOUR_MS)
    corrected(bench, "marrow_received", "anticoagulant", "citrate", "label read again")
    corrected(bench, "marrow_received", "anticoagulant", "heparin, washed", "and again")
    refused = {"command": "Release", "error": "TransitionRefused", "message": "not for role OP"}
    bench.record(NewEvent("command_refused", refused, OP, Source.HUMAN, bench.now))
    return bench


@cache
def released() -> Bench:
    return before("ship", "frozen")


words_of = cache(test_document.words_of)


@cache
def paper(which: str) -> tuple[dict[str, Any], bytes]:
    record = record_of({"played": played, "released": released}[which]())
    return record, record_pdf(record, ZONE)


@pytest.mark.requirement("R5")
def test_compare_pdf_and_json_for_one_signature() -> None:
    record, pdf = paper("released")
    signature = next(row for row in record["signatures"] if row["step"] == "released")
    assert signature["signed_at_text"] == local_stamp(parse_iso(signature["signed_at"]), ZONE)
    assert signature["signed_at_text"].endswith("CET (UTC+01:00)") and signature["standing_text"] == "VALID"
    five = ("printed_name", "username", "role", "meaning", "signed_at_text")
    assert all(signature[name] for name in five) and signature["printed_name"] != signature["username"]
    (cover,) = pages_of(pdf, 0, 1)
    assert all(bare(signature[name]) in cover for name in five) and "VALID" in cover
    text = words_of(pdf)
    block = bare(f"printed name {signature['printed_name']} user name {signature['username']} role {signature['role']}")
    assert block + bare(f"meaning {signature['meaning']} (released") in text
    assert bare(f"date and time {signature['signed_at_text']}, Europe/Berlin") in text
    assert bare(signature["record_sha256"]) in text


@pytest.mark.requirement("R6")
def test_a_record_that_was_changed_after_a_signature_prints_unsigned() -> None:
    bench = before("transfer out", "frozen")
    assert {row["standing_text"] for row in record_of(bench)["signatures"]} == {"VALID"}
    corrected(bench, "marrow_received", "anticoagulant", "citrate", "label read again")
    record = record_of(bench)
    (signature,) = record["signatures"]
    assert signature["standing"] == "changed" and signature["standing_text"].startswith("UNSIGNED: corrected since by")
    assert bare(signature["standing_text"]) in words_of(record_pdf(record, ZONE))


@pytest.mark.requirement("R15")
def test_changed_values_are_flagged_on_the_pdf_with_old_new_who_when_and_why() -> None:
    record, pdf = paper("played")
    first, second = record["changed_values"]
    assert (first["old"], first["new"], second["old"], second["new"]) == (
        "heparin", "citrate", "citrate", "heparin, washed",
    )  # fmt: skip
    text = "".join(pages_of(pdf, 0, 3))
    for row in (first, second):
        flagged = f"CHANGED {row['name']} {row['step'].replace('_', ' ')}, position {row['event_position']}"
        assert bare(flagged + row["old_text"] + row["new_text"] + row["person"]) in text
        assert bare(row["at_text"]) in text and bare(row["reason"]) in text
    step = next(row for row in record["steps"] if row["step"] == "marrow_received")
    field = next(field for field in step["fields"] if field["field"] == "anticoagulant")
    assert field["value"] == "heparin, washed" and [was["value"] for was in field["was"]] == ["heparin", "citrate"]
    assert bare("anticoagulant heparin CHANGED citrate CHANGED heparin, washed changed by") in text


@pytest.mark.requirement("R23")
def test_a_late_entry_from_paper_shows_with_reason_and_witness() -> None:
    record, pdf = paper("played")
    (row,) = record["late_entries"]
    assert row["hours_late"] == pytest.approx(8.0) and row["witness"] and row["reason"] == OUTAGE
    text = words_of(pdf)
    assert bare(f"LATE {row['text']}") in text and bare(f"witness {row['witness']}") in text
    assert bare("LATE ENTRY") in text and bare(row["reason"]) in text


def test_the_signed_tree_head_stands_on_every_page() -> None:
    pages = pages_of(paper("played")[1])
    assert len(pages) > 5
    for number, page in enumerate(pages, 1):
        assert bare(f"tree head of 77 events, root {TREE.root}") in page
        assert bare(f"signed by key {TREE.key_id}, to be typed as {TREE.printed}") in page
        assert f"{number}of{len(pages)}" in page and bare("printed by qa-1") in page


def test_every_step_and_event_of_the_json_stands_on_paper() -> None:
    record, pdf = paper("released")
    text = words_of(pdf)
    assert json.loads(json.dumps(record)) == record
    assert [row["position"] for row in record["events"]] == list(range(1, len(released().events) + 1))
    assert all(row["hash_text"] in text for row in record["events"])
    for step in record["steps"]:
        for field in step["fields"]:
            assert bare(field["value_text"])[:150] in text, field
    times = [step["at"] for step in record["steps"]]
    assert times == sorted(times)


def test_wash_and_dose_are_worked_out_as_in_the_known_case() -> None:
    """10 % DMSO in 8.8 mL, + 40 mL, 1 mL left, + 40 mL, 1 mL left, to 6 mL: 0.00733 %, 0.161 mg in 2 mL."""
    record, pdf = paper("released")
    assert [row["residual_text"] for row in record["washes"]] == ["1.803", "0.04398"]
    assert any("= 0.00733 % = 0.0806 mg/mL" in line for line in record["calculations"])
    dose = next(row for row in record["doses"] if row["route"] == "IT")
    of_six_ml = 6 * dose["viable_cells"] / released().known.resuspension.viable_cells
    assert dose["dmso_mg"] == pytest.approx(0.0806 * of_six_ml, rel=1e-3)
    decided = next(row for row in record["decisions"] if row["decision"] == "released")
    washed = next(gate["used"] for gate in decided["gates"] if gate["gate"] == "G7")
    assert washed["intrathecal_mg"] == pytest.approx(dose["dmso_mg"], rel=1e-3)
    assert bare("wash 2: 1.803 % × 1 / (1 + 40) = 0.04398 % DMSO at most") in words_of(pdf)


def test_tests_are_judged_by_the_limits_of_the_recipe() -> None:
    record, _ = paper("released")
    judged = {row["sample_id"].partition(".")[2]: row["judgement"] for row in record["qc"]}
    assert judged["identity"] == judged["P0-sterility"] == "meets the limit"
    bench = before("read identity", "frozen")
    bench.ask(Step(result("identity", outcome="measured", panel={"CD73": 94.9, "CD34": 0.1}), LAB))
    assert next(r for r in record_of(bench)["qc"] if r["test"] == "identity")["judgement"] == "OUT OF LIMIT"


def test_hostile_and_endless_notes_are_all_there_and_stay_on_the_page() -> None:
    bench = before("P0 medium", "frozen")
    for _ in range(2):
        bench.ask(Step(do.Note(text=(HOSTILE * 60)[:1_990])))
    bench.ask(Step(do.Note(text="x" * 2_000)))
    record = record_of(bench, where=place(title="incubator\u202e1"))
    text = words_of(record_pdf(record, ZONE))
    assert text.count(bare("<script>alert(1)</script>")) >= 2 * 2 * 30
    assert "incubator<U+202E>1" in text and "\u202e" not in text and text.count("x") >= 4_000


def test_a_batch_that_has_just_begun_has_a_record_too() -> None:
    record = record_of(before("consent", "frozen"))
    text = words_of(record_pdf(record, ZONE))
    assert bare("Not decided: this product is not released.") in text and bare("carries no signature") in text


def test_simulated_sources_are_marked_on_every_page() -> None:
    record = record_of(before("seed", "frozen"), where=place(simulated=frozenset({"incubator_1"})))
    assert record["simulated"] is False  # not used yet
    record = record_of(before("P0 look", "frozen"), where=place(simulated=frozenset({"incubator_1"})))
    assert record["simulated"] is True
    text = words_of(record_pdf(record, ZONE))
    assert text.count("SIMULATEDSOURCES") == text.count(f"root{TREE.root}") > 5, "as often as there are pages"


def test_the_same_record_gives_the_same_bytes() -> None:
    record = record_of(before("seed", "frozen"))
    assert record_pdf(record, ZONE) == record_pdf(record, ZONE)


def test_the_chambers_stand_beside_their_limits_with_plot_and_doors() -> None:
    record, pdf = paper("released")
    stay = record["stays"][0]
    (temperature,) = stay["channels"]
    assert (temperature["low"], temperature["high"], temperature["mean_text"]) == (36.0, 38.0, "37.020")
    assert temperature["unknown_min"] > 60 and record["gaps"][0]["reason"] == "no reading"
    series = record["series"][0]
    assert len(series["x"]) == len(series["mean"]) >= 60 and series["limits"] == [36.0, 38.0]
    assert len(series["doors"]) == sum(row["chamber"].endswith("(incubator_1)") for row in record["stays"])
    assert bare("temperature in Incubator <1> (incubator_1)") in words_of(pdf)


def test_quality_judges_by_the_page_and_the_paper_alike() -> None:
    record, pdf = paper("played")
    kinds = {row["kind"] for row in record["exceptions"]}
    assert {"correction", "late entry", "refused command"} <= kinds
    assert bare("Release refused: not for role OP") in words_of(pdf)
