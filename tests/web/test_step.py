"""Steps are done on pages without scripts: identified first, asked once, recorded once, nothing typed is lost."""

import asyncio
import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.batch.bench import before, transplant
from tests.web.people import PASSWORD
from tests.web.workshop import TOKEN, Hand, Workshop, open_workshop

from cultureops.batch import commands as do
from cultureops.batch.commands import Collected, Command
from cultureops.batch.identification import HANDS_ON
from cultureops.batch.rules import RULES
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS
from cultureops.errors import TransitionRefused
from cultureops.ledger.event import Actor
from cultureops.web.step.table import DOABLE, is_signed

OPERATOR = Actor("operator-1", "OP")
SECOND = {"witness": "operator-2", "witness_password": PASSWORD}
HOLDERS = {
    "OP": "operator-1", "QC": "control-1", "QA": "quality-1", "QP": "qualified-1", "RV": "reviewer-1",
    "ST": "storage-1", "CL": "clinic-1",
}  # fmt: skip
HOSTILE = "<script>alert(1)</script>=HYPERLINK(\u202e../../"


@pytest.fixture
async def workshop(people: Path, tmp_path: Path) -> AsyncIterator[Workshop]:
    async with open_workshop(people, tmp_path) as opened:
        yield opened


def kinds(workshop: Workshop, batch_id: str = "B-1") -> list[str]:
    return [event.type for event in workshop.events(f"batch:{batch_id}")]


async def opened(workshop: Workshop, token: str = TOKEN) -> Hand:
    """Open a batch on the page of new batches, and record the consent."""
    hand = Hand(await workshop.of("operator-1"), workshop.clock)
    page = await hand.browser.look("/batches/new")
    assert 'value="B-2026-001"' in page.text and "Karussis" in page.text
    wrong = {"patient_token": "Jane Doe", "recipe": "tavakol_afshari_2021", "batch_id": "B-1", "act": "record"}
    refused = await hand.browser.post("/batches/new", data=wrong)
    assert refused.status_code == 400 and "never a name" in refused.text
    made = await hand.browser.post("/batches/new", data=wrong | {"patient_token": token})
    assert made.headers["location"] == "/batches/B-1/do/RecordConsent"
    assert (await hand.do("RecordConsent", form="F-1", eligible="true")).status_code == 303
    steps = (await hand.browser.get("/batches/B-1/do")).text
    assert steps.index("Receive the marrow") < steps.index("Record the consent"), "what is done is due no more"
    return hand


async def test_a_batch_goes_from_intake_to_first_passage_through_forms_alone(workshop: Workshop) -> None:
    hand = await opened(workshop)
    marrow = {
        "marrow_ml": "12", "collected_at": "2026-01-05T07:30", "anticoagulant": "heparin",
        "receipt_temperature_c": "20", "donor_markers": "negative",
    }  # fmt: skip
    lonely = await hand.do("ReceiveMarrow", **marrow)
    assert lonely.status_code == 400 and "a second person confirms this step" in lonely.text
    assert 'value="heparin"' in lonely.text, "what was typed is still there"
    wrong = await hand.do("ReceiveMarrow", **marrow, witness="operator-2", witness_password="guessed")
    assert wrong.status_code == 403 and 'value="heparin"' in wrong.text and "guessed" not in wrong.text
    assert (await hand.do("ReceiveMarrow", **marrow, **SECOND)).status_code == 303
    assert workshop.events("batch:B-1")[-1].data["witness_id"] == "operator-2"

    isolate = await hand.open("Isolate")
    assert isolate["method"] == "Ficoll-Paque Premium density gradient", "the recipe's"
    done = await hand.do("Isolate", reagent_lots="L1\n", mnc_count="40 000 000", viability_pct="97")
    listed = (await hand.browser.look(done.headers["location"])).text
    assert "Recorded." in listed and "Correct this entry" in listed
    assert listed.index("Seed the primary culture") < listed.index("Write a note"), "what is due comes first"
    assert "this is for the state culture" in listed, "what is closed says why"

    seed = {"vessel_type": "T175", "medium_lot": "M1", "chamber": "incubator_1", "cells_total": "36e6"}
    page = (await hand.browser.look("/batches/B-1/do/Seed")).text
    for told in ("17 143 cells/cm²", "T 2.4: computed, 3e6 / 175", "proposed default", "M1</code> medium, until"):
        assert told in page, told
    asked = await hand.do("Seed", **seed, n_vessels="8", discarded_cells="4000000")
    assert asked.status_code == 409 and "+50 % off the recipe" in asked.text and kinds(workshop)[-1] == "isolated"
    assert (await hand.do("Seed", **seed, n_vessels="12", discarded_cells="4000000")).status_code == 303

    workshop.clock.advance(2 * DAY_MS)
    wrong_group = await hand.do("ChangeMedium", scan="B-1-P0.13", volume_ml="300", medium_lot="M1")
    assert wrong_group.status_code == 409 and "Stop." in wrong_group.text
    feed = {"volume_ml": "300", "medium_lot": "M1", "removed_nonadherent": "true"}
    assert (await hand.do("ChangeMedium", scan="B-1-P0.12", **feed)).status_code == 303
    look = await hand.do("ObserveConfluence", scan="B-1-P0", confluence_pct="83", n_fields="3")
    assert look.status_code == 303, look.text
    assert (
        "Waits for the sterility sample of P0 and counts, 0 of 2 are in"
        in (await hand.browser.get("/batches/B-1/do/Passage")).text
    )
    for _ in range(3):  # each form offers the test that is missing still
        assert (await hand.do("SampleQc", method="of the house")).status_code == 303
    assert {one.test for one in workshop.lab.batches.get("B-1").qc} == {"endotoxin", "mycoplasma", "sterility"}  # type: ignore[union-attr]
    for replicate in (1, 2):
        count = do.Count(
            sample_id=f"B-1.P0-harvest-{replicate}", device="counter_1", counted_at_local="now", viability_pct=96.0,
            viable_density_1e6_per_ml=1.2, source_file=f"{replicate}.csv", source_sha256="ab" * 32,
        )  # fmt: skip
        await workshop.lab.execute(Command("B-1", count), Actor("counter_1", "DEV"))
    passage = await hand.open("Passage")
    assert (passage["new_vessels"], passage["enzyme_pct"], passage["area_cm2"]) == ("B-1-P1", "0.125", "175")
    done = await hand.do(
        "Passage", scan="B-1-P0.1", exposure_min="4", suspension_ml="50", n_vessels="80", medium_lot="M1",
        enzyme_lot="L1", chamber="incubator_2", cells_seeded="56000000", discarded_cells="4000000",
    )  # fmt: skip
    assert done.status_code == 303, html.unescape(done.text)
    batch = workshop.lab.batches.get("B-1")
    assert batch is not None and batch.passage == 1 and batch.chamber == "incubator_2"
    hands_on = [event for event in workshop.events("batch:B-1") if event.type in ("isolated", "seeded", "passaged")]
    for event in hands_on:
        (identity,) = [check for check in event.data["checks"] if check["gate"] == "G2"]  # type: ignore[union-attr,index,call-overload]
        assert identity["used"]["identified"] is True, "who was identified is kept with the step"  # type: ignore[index,call-overload]


@pytest.mark.requirement("R3")
async def test_a_wrong_scan_is_refused_at_once_and_on_record(workshop: Workshop) -> None:
    hand = await opened(workshop)
    form = await hand.open("Isolate")
    scans = {"scan_container": "B-1", "scan_token": "COI-99999", "act": "identify", "method": "my own"}
    wrong = await hand.send("Isolate", form | scans)
    assert wrong.status_code == 409 and "second person" in wrong.text and 'value="my own"' in wrong.text
    assert "COI-99999" not in wrong.text, "scans that did not fit are made anew"
    refused = workshop.events("batch:B-1")[-1]
    assert refused.data["gates"] == ["G2"] and refused.data["command"] == "Isolate"
    assert "COI-99999" not in refused.canonical.decode(), "a foreign token goes nowhere"
    right = await hand.send("Isolate", form | scans | {"scan_token": TOKEN})
    assert right.status_code == 200 and "are this batch" in right.text
    half = await hand.send("Isolate", form | {"scan_container": "B-1", "act": "identify"})
    assert [name for name in re.findall(r"<input[^>]* name=.([a-z_]+)[^>]* autofocus", half.text)] == ["scan_token"], (
        "without scripts the next scan goes where it is missing"
    )
    unscanned = await hand.send("Isolate", form)
    assert unscanned.status_code == 400 and unscanned.text.count("scan this first") == 2
    assert "fill this in" in unscanned.text, "everything that is missing is told at once"
    checked = (await hand.browser.post("/batches/B-1/do/Isolate/check", data=form | scans)).json()
    assert "not this batch" in checked["refused"] and set(checked["errors"]) == {
        "reagent_lots", "mnc_count", "viability_pct"
    }  # fmt: skip
    assert kinds(workshop).count("command_refused") == 1, "a check is no refusal"


async def test_an_entry_is_recorded_once_however_often_it_is_sent(workshop: Workshop) -> None:
    hand = await opened(workshop)
    form = await hand.open("Note") | {"text": "seen"}
    answers = await asyncio.gather(*(hand.send("Note", form) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {303}
    assert kinds(workshop).count("noted") == 1
    again = await hand.send("Note", form | {"text": "changed since"})
    page = (await hand.browser.get(again.headers["location"])).text
    assert "recorded before; nothing was added" in page and "seen" in page and "changed since" not in page
    second = {"patient_token": TOKEN, "recipe": "tavakol_afshari_2021", "batch_id": "B-2"}
    asked = await hand.browser.post("/batches/new", data=second)
    assert asked.status_code == 409 and "this patient has B-1 open" in asked.text and not workshop.events("batch:B-2")
    assert (await hand.browser.post("/batches/new", data=second | {"confirmed": TOKEN})).status_code == 303
    other = await Hand(hand.browser, hand.clock, "B-2").send("Note", form)
    assert other.status_code == 409 and "was made for" in other.text
    assert (await hand.send("Note", form | {"entry": "x"})).status_code == 409


async def test_late_and_offline_entries_say_when_and_why(workshop: Workshop) -> None:
    hand = await opened(workshop)
    workshop.clock.advance(HOUR_MS)
    late = await hand.do("Note", text="door was open", occurred_at="2026-01-05T09:30")
    assert late.status_code == 409 and "late entry" in late.text and "door was open" in late.text
    typed_at = workshop.clock.now() - 11 * MINUTE_MS
    form = await hand.open("Note") | {"text": "fed", "typed_at": str(typed_at)}
    asked = await hand.send("Note", form)
    assert asked.status_code == 409 and "When was it done?" in asked.text
    then = await hand.send("Note", form | {"done_at": str(typed_at)})
    assert then.status_code == 303
    event = workshop.events("batch:B-1")[-1]
    assert (event.occurred_at, event.reason) == (typed_at, "entered offline")
    form = await hand.open("Note") | {"text": "fed again", "typed_at": str(typed_at), "done_at": "now"}
    assert (await hand.send("Note", form)).status_code == 303
    assert workshop.events("batch:B-1")[-1].occurred_at == workshop.clock.now()


async def test_an_entry_is_undone_by_a_correction_only(workshop: Workshop) -> None:
    hand = await opened(workshop)
    assert (await hand.do("Note", text="37.0")).status_code == 303
    page = (await hand.browser.get("/batches/B-1/do/Correct")).text
    assert "Which entry?" in page
    event_id = workshop.events("batch:B-1")[-1].event_id
    fields = {"query": f"?event_id={event_id}", "field": "text", "value": "37.4"}
    silent = await hand.do("Correct", **fields)
    assert silent.status_code == 400 and "say why" in silent.text and "37.0" in silent.text, "the old value is shown"
    assert (await hand.do("Correct", **fields, reason="misread")).status_code == 303
    assert workshop.events("batch:B-1")[-1].data["old_value"] == "37.0"


async def test_what_an_instrument_shows_is_taken_marked_and_never_forged(workshop: Workshop) -> None:
    bench = before("authorise", "frozen")
    workshop.clock.advance(bench.now - workshop.clock.now() + MINUTE_MS)
    await transplant(workshop.lab.ledger, bench, "B-9")
    hand = Hand(await workshop.of("operator-1"), workshop.clock, "B-9")
    cold = await workshop.read("tank/temp_a", -181.2)
    page = (await hand.browser.look("/batches/B-9/do/CheckStorage")).text
    origin = f"tank/temp_a@{cold.source_time}"
    assert "Take -181.20 °C from cryostore_1 temp_a, 0 s ago (simulated)" in page and origin in page
    form = await hand.open("CheckStorage")
    taken = await hand.send("CheckStorage", form | {"take.temperature_c": origin})
    assert taken.status_code == 303, taken.text
    (kept,) = workshop.events("batch:B-9")[-1].data["collected"]  # type: ignore[misc,union-attr]
    assert kept["channel"] == "tank/temp_a" and kept["value"] == -181.2  # type: ignore[index,call-overload]
    assert "machine-collected" in (await hand.browser.get(taken.headers["location"])).text
    form = await hand.open("CheckStorage")
    typed = await hand.send("CheckStorage", form | {"take.temperature_c": origin, "temperature_c": "-180"})
    assert typed.status_code == 303
    assert "collected" not in workshop.events("batch:B-9")[-1].data, "what was typed over is typed by hand"
    forged = form | {"entry": "f" * 32, "collected.temperature_c": origin, "temperature_c": "-160"}
    refused = await hand.send("CheckStorage", forged)
    assert refused.status_code == 409 and "is not what tank/temp_a gave" in refused.text
    assert kinds(workshop, "B-9")[-1] == "command_refused"
    now = workshop.clock.now()
    for channel, at in (("tank/level", now), ("nobody/temp_a", now), ("tank/temp_a", now - DAY_MS)):
        one = Collected(field="temperature_c", channel=channel, at=at, value=-181.2)
        step = Command("B-9", do.CheckStorage(store="cryostore_1", temperature_c=-181.2), collected=(one,))
        with pytest.raises(TransitionRefused):
            await workshop.lab.execute(step, OPERATOR)
    workshop.clock.advance(HOUR_MS)
    stale = (await hand.browser.get("/batches/B-9/do/CheckStorage")).text
    assert "data-take" not in stale, "an old value is not offered"


async def test_every_step_has_a_form_that_keeps_what_was_typed_and_takes_no_garbage(workshop: Workshop) -> None:
    await opened(workshop)
    hands: dict[str, Any] = {}
    for step, details in DOABLE.items():
        role = sorted(RULES[details].roles)[0]
        hand = hands.setdefault(role, Hand(await workshop.of(HOLDERS[role]), workshop.clock))
        if is_signed(step):
            page = await hand.browser.get(f"/batches/B-1/do/{step}?deviation_id=D-1")
            assert page.headers["location"] == f"/batches/B-1/sign/{step}?deviation_id=D-1"
            continue
        held = await hand.open(step, "?event_id=none")
        assert ("scan_container" in held) == (details in HANDS_ON), step
        known = {name.partition(".")[0] for name in held} | {"evidence", "image_sha256"}
        asked = {name for name, field in details.model_fields.items() if field.annotation is not bool}
        assert asked - known <= ({"vials"} if step == "MoveVials" else set()), (step, "every field can be filled in")
        garbage = {name: HOSTILE for name in held if name not in ("entry", "act", "typed_at", "witness")}
        before_it = kinds(workshop)
        answer = await hand.send(step, garbage)
        assert answer.status_code in (400, 409), (step, answer.status_code)
        assert "<script>alert" not in answer.text, step
        assert html.escape(HOSTILE) in answer.text or html.escape(HOSTILE, quote=False) in answer.text, step
        assert set(kinds(workshop)[len(before_it) :]) <= {"command_refused", "noted"}, step
    stranger = hands["CL"].browser
    assert (await stranger.get("/batches/B-1/do/Nothing")).status_code == 404
    assert (await stranger.get("/batches/B-1/do/Wash")).status_code == 403, "not for this role"
    assert (await stranger.get("/batches/B-7/do")).status_code == 404
    assert (await workshop.browser().get("/batches/B-1/do")).status_code in (303, 401)
