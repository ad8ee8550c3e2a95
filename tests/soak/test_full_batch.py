"""The whole batch by hand in a real browser: from the clinic's word to both doses given and the record closed."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright
from tests import by_hand
from tests.by_hand import CO2_RULE
from tests.person import Lab, Person, lab_by_hand
from tests.web.test_browser import ARGS

BATCH, TOKEN, ANOTHERS = "B-2026-001", "COI-7F3K2", "COI-4H9T6"
NEEDED_CELLS = 2 * 68_000_000 + 2_000_000
"""Both doses for 68 kg, and what is retained."""
WHO = {
    "batch_created": {"operator-1"},
    "qc_resulted": {"quality-control-1"},
    "deviation_investigated": {"quality-assurance-1"},
    "deviation_closed": {"quality-assurance-1"},
    "reviewed": {"reviewer-1"},
    "released": {"qualified-person-1"},
    "shipped": {"storage-1"},
    "received_at_site": {"clinic-1"},
    "administered": {"clinic-1"},
    "closed": {"quality-assurance-1"},
}


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_a_whole_batch_through_the_pages_only(
    chromium: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    began, folder = time.monotonic(), tmp_path / "lab"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        async with lab_by_hand(browser, folder) as lab:
            people = {
                name: await lab.person(name)
                for name in ("operator-1", "quality-control-1", "quality-assurance-1", "reviewer-1", "storage-1")
            }
            cells = await culture(people["operator-1"], people["quality-control-1"])
            await by_hand.make_product(people["operator-1"], BATCH, cells, "operator-2")
            await people["operator-1"].wait("6 h")
            assert await by_hand.enter_results(people["quality-control-1"]) == 3
            assert await by_hand.dispose_of_deviations(people["quality-assurance-1"], BATCH) == 1
            await by_hand.review(people["reviewer-1"], BATCH)
            await decide(lab, people["reviewer-1"])
            clinic = await lab.person("clinic-1")
            await by_hand.deliver(people["storage-1"], clinic, BATCH, "clinic-2")
            await by_hand.close(people["quality-assurance-1"], people["quality-control-1"], BATCH)
            await look_at_papers(people["quality-assurance-1"])
            assert [(one.username, one.wrong) for one in (*people.values(), clinic) if one.wrong] == []
        await browser.close()
    record_property("whole batch [s]", round(time.monotonic() - began, 1))
    check_record(folder)


async def culture(operator: Person, control: Person) -> int:
    """From the marrow to the harvest of the second or third passage; returns the harvested cells."""
    await by_hand.open_batch(operator, BATCH, TOKEN)
    await by_hand.receive_marrow(operator, BATCH, "operator-2")
    cells = await by_hand.isolate(operator, BATCH)
    assert "not this batch's patient" in await operator.scan_wrongly(BATCH, "Seed", ANOTHERS)
    await by_hand.seed(operator, BATCH, cells)
    await by_hand.sample_passage(operator, BATCH, 0)
    await operator.by_hand("empty_co2", chamber="incubator_1")
    await operator.wait("next morning")
    await by_hand.acknowledge(operator, CO2_RULE, "bottle empty; changed")
    await operator.by_hand("mend", chamber="incubator_1")
    for passage in range(4):
        await by_hand.grow(operator, control, BATCH, passage)
        volume_ml, cells = await by_hand.detach(operator, BATCH, passage)
        if passage >= 2 and cells * 0.9 >= NEEDED_CELLS:
            await by_hand.harvest(operator, BATCH, passage, volume_ml)
            return cells
        await by_hand.passage_on(operator, BATCH, passage, volume_ml, cells)
        await by_hand.sample_passage(operator, BATCH, passage + 1)
    raise AssertionError("three passages did not bring enough cells")


async def decide(lab: Lab, reviewer: Person) -> None:
    """Every gate is open before the release, which somebody else than the reviewer signs."""
    await reviewer.see(f"/batches/{BATCH}/review")
    checklist = await reviewer.page.locator("#h-checklist").inner_text()
    assert "0 not met" in checklist, await reviewer.page.locator("#checklist").inner_text()
    qualified = await lab.person("qualified-person-1")
    await by_hand.release(qualified, BATCH)
    assert qualified.wrong == []


async def look_at_papers(person: Person) -> None:
    """The record of the batch is a file that anybody can read."""
    answer = await person.page.context.request.get(f"{person.lab.url}/batches/{BATCH}/record.pdf", timeout=60_000)
    assert answer.status == 200 and (await answer.body()).startswith(b"%PDF-")


def check_record(folder: Path) -> None:
    """Every step is by who did it, and every hash, signature and root fits."""
    with closing(sqlite3.connect(f"file:{folder / 'ledger.sqlite'}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT canonical FROM events WHERE stream = ? ORDER BY position", (f"batch:{BATCH}",))
        events: list[dict[str, Any]] = [json.loads(canonical) for (canonical,) in rows]
    for event_type, who in WHO.items():
        assert {event["actor"]["id"] for event in events if event["type"] == event_type} == who, event_type
    (refused,) = [event["data"]["message"] for event in events if event["type"] == "command_refused"]
    assert "G2" in refused and ANOTHERS not in refused
    witnessed = {event["type"]: event["data"]["witness_id"] for event in events if event["data"].get("witness_id")}
    assert witnessed == {"marrow_received": "operator-2", "formulated": "operator-2", "administered": "clinic-2"}
    assert sum(event["type"] == "administered" for event in events) == 2
    verified = subprocess.run(
        (sys.executable, "-m", "cultureops", "verify", "--data-dir", str(folder), "--json"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
