"""The first days of a batch by hand in a real browser; the whole of it, to the closed record, is a soak test."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright
from tests import by_hand
from tests.by_hand import CO2_RULE
from tests.person import Lab, Person, lab_by_hand
from tests.web.test_browser import ARGS

from cultureops.ledger.verify import verify

BATCH, TOKEN, ANOTHERS = "B-2026-001", "COI-7F3K2", "COI-4H9T6"


@pytest.mark.timeout(300)
async def test_from_the_marrow_to_a_culture_in_trouble_by_pages_only(chromium: str, tmp_path: Path) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        async with lab_by_hand(browser, tmp_path / "lab", step_min=60) as lab:
            operator = await lab.person("operator-1")
            await take_in(operator)
            await trouble(lab, operator)
            await without_scripts(lab)
            await look_by_keyboard(lab)
            assert operator.wrong == []
        await browser.close()
    check_record(tmp_path / "lab")


async def take_in(operator: Person) -> None:
    await by_hand.open_batch(operator, BATCH, TOKEN)
    await by_hand.receive_marrow(operator, BATCH, "operator-2")
    cells = await by_hand.isolate(operator, BATCH)
    assert "not this batch's patient" in await operator.scan_wrongly(BATCH, "Seed", ANOTHERS)
    assert ANOTHERS not in await operator.page.locator("main").inner_text(), "it may be another patient's"
    await by_hand.seed(operator, BATCH, cells)
    await by_hand.sample_passage(operator, BATCH, 0)


async def trouble(lab: Lab, operator: Person) -> None:
    """Two gas bottles run empty at once: one alarm is acknowledged on a phone, one by keyboard, and both mended."""
    for chamber in ("incubator_1", "incubator_2"):
        await operator.by_hand("empty_co2", chamber=chamber)
    await operator.wait("next morning")
    phone = await lab.person("operator-2", viewport={"width": 390, "height": 844}, has_touch=True)
    for path in ("/", "/alarms"):
        await phone.see(path)
        width = await phone.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{path} is {width} px wide on a phone"
        assert await phone.page.locator(f'.alarm[data-rule="{CO2_RULE}"]').count()
    await by_hand.acknowledge(phone, CO2_RULE, "bottle empty; changed")
    await operator.see("/alarms")
    await operator.tab_to('.alarm[data-rule="incubator_2/co2/low"] form.ack input[name="reason"]')
    await operator.page.keyboard.type("bottle empty; changed")
    await operator.page.keyboard.press("Enter")
    await operator.page.locator(".acked", has_text="Acknowledged by operator-1").wait_for()
    for chamber in ("incubator_1", "incubator_2"):
        await operator.by_hand("mend", chamber=chamber)
    await operator.wait("1 h")
    quality = await lab.person("quality-assurance-1")
    assert await by_hand.dispose_of_deviations(quality, BATCH) == 1
    assert quality.wrong == phone.wrong == []


async def without_scripts(lab: Lab) -> None:
    """A step without a single script: what is wrong is said, what was typed stays, what is sent is recorded."""
    person = await lab.person("operator-1", java_script_enabled=False)
    page = person.page
    await person.see(f"/batches/{BATCH}/do/ObserveConfluence")
    await page.fill('[name="scan_container"]', f"{BATCH}-P0.3")
    await page.fill('[name="scan_token"]', TOKEN)
    await page.fill('[name="confluence_pct"]', "1")
    await page.select_option('[name="method"]', "visual")
    await page.fill('[name="n_fields"]', "many")
    await page.click('button.main[name="act"][value="record"]')
    await page.locator('[data-field="n_fields"] .problem', has_text="number").wait_for()
    assert await page.input_value('[name="confluence_pct"]') == "1", "what was typed stays"
    await page.fill('[name="n_fields"]', "3")
    await page.click('button.main[name="act"][value="record"]')
    await page.wait_for_url("**done=*")


async def look_by_keyboard(lab: Lab) -> None:
    """Log-in and a step with scans without a pointer."""
    person = await lab.person("operator-2", by_keyboard=True)
    page = person.page
    await person.see(f"/batches/{BATCH}/do/ObserveConfluence")
    await person.scan(f"{BATCH}-P0.4", TOKEN)
    await page.get_by_text("Container and patient belong together").wait_for()
    for name, text in (("confluence_pct", "2"), ("n_fields", "3")):
        await person.tab_to(f'[name="{name}"]')
        await page.keyboard.type(text)
    await person.tab_to('button.main[value="record"]')
    await page.keyboard.press("Enter")
    await page.wait_for_url("**done=*")


def check_record(folder: Path) -> None:
    """Whoever did a step stands in its event, the wrong scan too, and every hash fits."""
    path = folder / "ledger.sqlite"
    assert verify(path).position > 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT canonical FROM events WHERE stream = ? ORDER BY position", (f"batch:{BATCH}",))
        events = [json.loads(canonical) for (canonical,) in rows]
    done: dict[str, Any] = {event["type"]: event for event in events}
    assert done["marrow_received"]["data"]["witness_id"] == "operator-2"
    assert {"operator-1", "operator-2"} == {
        event["actor"]["id"] for event in events if event["type"] == "confluence_observed"
    }
    assert "G2" in done["command_refused"]["data"]["message"]
    assert done["deviation_closed"]["actor"] == {"id": "quality-assurance-1", "role": "QA"}
