"""What nobody may get past the pages of steps: by a link, a second tab, another's entry, a clock, a forged value."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.unit.batch.bench import before, transplant
from tests.web.house import House
from tests.web.people import PASSWORD
from tests.web.test_api import program
from tests.web.workshop import TOKEN, Hand, Workshop, open_workshop

from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS
from cultureops.ledger.event import Actor

NOTE = {"text": "seen"}
KEYED = {"if-match": "*", "idempotency-key": "1"}


@pytest.fixture
async def workshop(people: Path, tmp_path: Path) -> AsyncIterator[Workshop]:
    async with open_workshop(people, tmp_path) as opened:
        bench = before("P0 look")
        opened.clock.advance(bench.now - opened.clock.now() + MINUTE_MS)
        await transplant(opened.lab.ledger, bench, "B-9")
        made = do.CreateBatch(patient_token=TOKEN, recipe="tavakol_afshari_2021")
        await opened.lab.execute(Command("B-1", made), Actor("operator-1", "OP"))
        yield opened


def last(house: House, batch_id: str = "B-1") -> str:
    return house.events(f"batch:{batch_id}")[-1].type


async def enter(client: httpx.AsyncClient, step: str, details: object, batch_id: str = "B-1") -> httpx.Response:
    path = f"/api/batches/{batch_id}/steps/{step}"
    return await httpx.AsyncClient.post(client, path, json=details, headers=KEYED)


@pytest.mark.requirement("R3")
async def test_no_link_scans_and_no_entry_swallows_another(workshop: Workshop) -> None:
    hand = Hand(await workshop.of("operator-1"), workshop.clock)
    scans = f"scan_container=B-1&scan_token={TOKEN}&scans.0={TOKEN}&scans.1={TOKEN}"
    more = "witness=operator-2&entry=abcdefgh&anticoagulant=heparin&reason=preset&done_at=5"
    held = await hand.open("ReceiveMarrow", f"?{scans}&{more}")
    assert held["anticoagulant"] == "heparin" and held["entry"] != "abcdefgh"
    assert not any(held[name] for name in ("scan_container", "scans.0", "scans.1", "witness", "reason"))

    form = await hand.open("Note") | NOTE
    assert (await hand.send("Note", form)).status_code == 303
    deviation = {"severity": "major", "subject": "flask", "description": "leaked", "entry": form["entry"]}
    swallowed = await hand.send("OpenDeviation", await hand.open("OpenDeviation") | deviation)
    assert swallowed.status_code == 409 and "made for something else" in swallowed.text and "leaked" in swallowed.text
    other = await Hand(await workshop.of("operator-2"), workshop.clock).send("Note", form)
    assert other.status_code == 409, "what somebody else has recorded is not theirs"
    assert (await hand.send("Note", form)).status_code == 303, "one's own is known"

    for username, text in (("operator-1", "one"), ("operator-2", "two")):
        client = await program(workshop, username=username)
        assert (await enter(client, "Note", {"details": {"text": text}})).json()["already"] is False
        assert (await enter(client, "Note", {"details": {"text": text}})).json()["already"] is True
        assert "something else" in (await enter(client, "Note", {"details": {"text": "three"}})).text
    opened = {"deviation_id": "D-1", "severity": "minor", "subject": "flask", "description": "wet"}
    assert (await enter(client, "OpenDeviation", {"details": opened})).json()["already"] is False


async def test_nobody_dates_back_or_forges_what_an_instrument_gives(workshop: Workshop) -> None:
    hand, now = Hand(await workshop.of("operator-1"), workshop.clock), workshop.clock.now()
    form = await hand.open("Note") | NOTE
    assert (await hand.send("Note", form | {"done_at": str(now - HOUR_MS)})).status_code == 303
    assert workshop.events("batch:B-1")[-1].occurred_at == now, "no such time was asked about"
    old = str(now - 2 * DAY_MS)
    late = await hand.send("Note", form | {"entry": "a" * 32, "typed_at": old, "done_at": old})
    assert late.status_code == 409
    sent = {**form, "entry": "b" * 32, "csrf": hand.browser.csrf, "act": "record"}
    sent.pop("text")
    as_file = await httpx.AsyncClient.post(
        hand.browser, "/batches/B-1/do/Note", data=sent, files={"text": ("note.txt", b"hello", "text/plain")}
    )
    assert as_file.status_code == 400, "a file is no text"
    own = {"witness": "OPERATOR\u20131", "witness_password": PASSWORD, "marrow_ml": "12", "anticoagulant": "heparin",
           "collected_at": "2026-01-07T07:30", "receipt_temperature_c": "20", "donor_markers": "negative"}  # fmt: skip
    alone = await hand.do("ReceiveMarrow", **own)
    assert alone.status_code == 400 and "somebody else than you" in alone.text
    aimed = await hand.send("ReceiveMarrow", {"act": "identify", "scan_container": "]d1B-1", "scans.0": f"]Q3{TOKEN}"})
    assert aimed.status_code == 200, "what a scanner puts before a code is none of it"

    here = Hand(hand.browser, workshop.clock, "B-9")
    look = {"vessels": "B-9-P0", "confluence_pct": "80", "n_fields": "3", "image_sha256": "ab" * 32}
    assert (await here.do("ObserveConfluence", **look)).status_code == 303
    assert "image_sha256" not in workshop.events("batch:B-9")[-1].data, "no image was read"
    client = await program(workshop)
    seen = {"vessels": "B-9-P0", "confluence_pct": 96.0, "n_fields": 3, "method": "visual", "image_sha256": "ab" * 32}
    scanned = {"container": "B-9-P0", "token": TOKEN}
    forged = await enter(client, "ObserveConfluence", {"details": seen, "identified": scanned}, "B-9")
    assert forged.status_code == 422 and "/images" in forged.json()["detail"]
    assert (await enter(client, "Count", {"details": {}}, "B-9")).status_code == 403

    count = do.Count(sample_id="B-9.P0-harvest-1", device="counter_1", counted_at_local="now", viability_pct=45.0,
                     viable_density_1e6_per_ml=1.2, source_file="1.csv", source_sha256="ab" * 32)  # fmt: skip
    await workshop.lab.execute(Command("B-9", count), Actor("counter_1", "DEV"))
    counted = f"?event_id={workshop.events('batch:B-9')[-1].event_id}"
    wish = {"field": "viability_pct", "value": "97", "reason": "typing error"}
    asked = await here.do("Correct", query=counted, **wish)
    assert asked.status_code == 409 and "was given by counter_1" in asked.text and last(workshop, "B-9") == "counted"


@pytest.mark.requirement("R3")
async def test_no_name_of_one_batch_stands_for_another(workshop: Workshop) -> None:
    hand = Hand(await workshop.of("operator-1"), workshop.clock)
    for name in ("b-1", "B-I", "B-9-P0"):
        wish = {"patient_token": "COI-8G4L3", "recipe": "tavakol_afshari_2021", "batch_id": name}
        answer = await hand.browser.post("/batches/new", data=wish | {"act": "record", "confirmed": "COI-8G4L3"})
        assert answer.status_code == 409 and "is taken by batch:B-" in answer.text, name
    split = {"vessels": "B-9-P0", "into.0.vessels": "B-1", "into.0.n_vessels": "6", "into.1.vessels": "B-9-P0b",
             "into.1.n_vessels": "6"}  # fmt: skip
    taken = await Hand(hand.browser, workshop.clock, "B-9").do("Split", **split)
    assert taken.status_code == 409 and "vessels B-1 is taken" in taken.text
