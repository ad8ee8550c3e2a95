"""A deviation is followed and disposed of on the pages; what holds a decision up is said before anybody signs it."""

import html
import re
from pathlib import Path
from typing import Any

import pytest
from tests.web.house import House, open_house
from tests.web.people import PASSWORD, Browser

from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.clock import MINUTE_MS
from cultureops.errors import BatchError
from cultureops.ledger.event import Actor

PAGE = "/batches/B-1/deviations/D-1"


def words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def part(page: str, name: str) -> str:
    """Return a section of a page in words."""
    found = re.search(rf'<section[^>]* id="{name}">(.*?)</section>', page, re.DOTALL)
    return "" if found is None else words(found[1])


def act(page: str, step: str) -> str:
    """Return the address of a step that a page offers."""
    found = re.search(rf'href="(/batches/B-1/sign/{step}[^"]*)"', page)
    assert found is not None, step
    return html.unescape(found[1])


async def sign(house: House, browser: Browser, step: str, **fields: str) -> str:
    """Take a step from the deviation's page, fill it in as it was offered, sign it, and return the page after it."""
    house.clock.advance(MINUTE_MS)
    path = act((await browser.look(PAGE)).text, step)
    form = (await browser.look(path)).text
    chosen = {
        name: value
        for name, options in re.findall(r'<select [^>]*name="(\w+)"[^>]*>(.*?)</select>', form, re.DOTALL)
        for value in re.findall(r'<option value="([^"]*)" selected', options)
    }
    shown = await browser.post(f"{path.partition('?')[0]}/shown", data={**chosen, **fields})
    assert shown.status_code == 200 and "You sign" in shown.text, words(shown.text)
    told = shown.text[shown.text.index("You sign") :]
    hidden = {n: html.unescape(v) for n, v in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', told)}
    done = await browser.post(path.partition("?")[0], data={**hidden, "csrf": browser.csrf, "password": PASSWORD})
    assert done.status_code == 303, words(done.text)
    assert done.headers["location"] == f"{PAGE}#story"
    return (await browser.look(PAGE)).text


async def deviate(house: House) -> None:
    details: Any = do.OpenDeviation(
        deviation_id="D-1", severity="major", subject="lid <b>open</b>", description="a lid was found loose"
    )
    await house.lab.execute(Command("B-1", details), Actor("operator-1", "OP"))


@pytest.mark.requirement("R5")
async def test_a_deviation_is_investigated_acted_on_checked_and_closed_on_its_page(
    people: Path, tmp_path: Path
) -> None:
    async with open_house(people, tmp_path) as house:
        await deviate(house)
        browser = await house.of("quality-1")
        listed = (await browser.get("/deviations?severity=major&batch=B-1")).text
        assert f'href="{PAGE}"' in listed and "investigate QA, QC" in words(listed) and "lid <b>" not in listed
        assert PAGE in (await browser.get("/quality")).text
        page = (await browser.get(PAGE)).text
        assert "Not yet: deviation D-1 was not investigated" in part(page, "next")
        assert "can't be released" in words(page)
        found = {"root_cause": "worn lid", "impact": "none: no growth"}
        page = await sign(house, browser, "InvestigateDeviation", **found)
        assert "worn lid" in part(page, "story") and "Quality One" in part(page, "story")
        due = {"action_id": "A-1", "action": "new lids", "owner": "operator-1", "due_at": "2026-01-08T09:00"}
        page = await sign(house, browser, "PlanAction", **due)
        assert "new lids" in words(page) and "not checked yet" in words(page)
        page = await sign(house, browser, "CheckEffectiveness", is_effective="true", evidence="ten lids held")
        assert "ten lids held" in part(page, "story") and "✓ yes" in words(page)
        page = await sign(house, browser, "CloseDeviation", conclusion="no harm to the cells")
        assert "Nothing: it is closed" in part(page, "next")
        assert words(page).count("VALID") == 4 and "INVALID" not in words(page)
        batch = house.lab.batches.get("B-1")
        assert batch is not None and not batch.open_deviations
        assert PAGE not in (await browser.get("/deviations")).text
        assert PAGE in (await browser.get("/deviations?state=closed")).text
        await _see_garbage_answered(house, browser)


async def _see_garbage_answered(house: House, browser: Browser) -> None:
    for query in ("state=none", "severity=grave", "batch=" + "x" * 60):
        assert (await browser.get(f"/deviations?{query}")).status_code == 400, query
    assert (await browser.get("/deviations?batch=%3Cscript%3E")).status_code == 200
    for name in ("nobody", "%3Cscript%3E", "..%2f..", "x" * 300):
        assert (await browser.get(f"/batches/B-1/deviations/{name}")).status_code == 404, name
    for path in ("/quality", "/deviations", PAGE, "/batches/B-1/papers"):
        assert (await house.browser().get(path)).status_code == 303, "a stranger logs in first"


async def test_a_review_says_what_would_hold_a_decision_up_and_records_nothing(people: Path, tmp_path: Path) -> None:
    async with open_house(people, tmp_path) as house:
        await deviate(house)
        with pytest.raises(BatchError):
            await house.lab.execute(Command("B-1", do.Release()), Actor("operator-1", "OP"))
        browser = await house.of("quality-1")
        before = house.lab.ledger.head().position
        overview = (await browser.get("/quality")).text
        assert "Release is not for role OP" in part(overview, "refusals") and "D-1" in part(overview, "deviations")
        assert "a review is due" in part(overview, "standings") and "no backup is on record" in words(overview)
        page = (await browser.get("/batches/B-1/review")).text
        assert "D-1" in part(page, "deviations") and "Stop or end the batch" in part(page, "next")
        hold = (await browser.look("/batches/B-1/sign/Hold")).text
        assert "You sign" not in hold
        fields = {"deviation_id": "D-1", "conclusion": "fine"}
        shown = await browser.post("/batches/B-1/sign/CloseDeviation/shown", data=fields)
        assert "It would be refused now:" in shown.text and "was not investigated" in shown.text
        assert house.lab.ledger.head().position == before, "looking at pages refuses nothing"
