"""The board of a large lab, the list of what is due, and what a scan leads to."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright, expect
from tests.web.hall import Hall, open_hall
from tests.web.people import Browser, cookies_of

from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.ledger.event import Actor
from cultureops.web.server import serve

pytestmark = pytest.mark.asyncio(loop_scope="module")
BATCHES, CHAMBERS = 40, 14
COLD, SILENT = "i5", "i6"
LOT = "L1"
ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hall(people: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hall]:
    """A lab in which one chamber is too cold and one gives no values."""
    async with open_hall(people, tmp_path_factory.mktemp("hall"), BATCHES, CHAMBERS) as opened:
        await opened.read(**{COLD: 35.0, SILENT: None})
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(hall: Hall) -> Browser:
    return await hall.of("operator-1")


def ids(page: str) -> list[str]:
    """Return the batches of the tables, in their order."""
    return re.findall(r'<tr[^>]*>\s*<td><a class="batch-link" href="/batches/([^"]+)"', page)


async def test_what_calls_for_somebody_stands_first(hall: Hall, browser: Browser) -> None:
    page = (await browser.get("/")).text
    inside = hall.lab.batches.inside(COLD, hall.clock.now())
    assert inside and set(ids(page)[: len(inside)]) == set(inside)
    assert page.count("⚠ endangered") == len(inside)
    chambers = re.findall(r'<article class="card" data-chamber="([^"]+)"', page)
    assert set(chambers[:2]) == {COLD, SILENT} and chambers[2:4] == ["i1", "i2"] and len(chambers) == CHAMBERS
    assert "2 to see" in page
    shown, folded = page.split('<details id="rest"')
    assert len(ids(shown)) == 20 and f"{BATCHES} of {BATCHES} open batches" in page
    ended = folded.split('<details id="ended"')[1]
    assert len(ids(ended)) == BATCHES // 10 and "Closed" in ended
    assert page.count('class="spark"') == 4 * (CHAMBERS - 1)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=b-7", {"B-7"}),
        ("q=COI-00009", {"B-9"}),
        ("q=culture+incubator+4", {"B-4", "B-18", "B-32"}),
        ("q=isolation&state=RECEIVED", {f"B-{n}" for n in (2, 9, 16, 23, 30, 37)}),
        ("show=endangered", {"B-5", "B-19", "B-33"}),
        ("show=ended&q=B-42", {"B-42"}),
        ("show=late", set()),
        ("q=nothing+like+this", set()),
        ("q=%00%F0%9F%92%A9%3Cscript%3E", set()),
    ],
)
async def test_a_filter_finds_without_scripts(browser: Browser, query: str, found: set[str]) -> None:
    for path in ("/", "/board/batches"):
        page = await browser.get(f"{path}?{query}")
        assert page.status_code == 200
        assert found <= set(ids(page.text)), ids(page.text)
        if not query.startswith("q=culture"):
            assert set(ids(page.text)) == found
        assert "<script>" not in page.text


async def test_mine_is_what_waits_for_one_of_my_roles(hall: Hall, browser: Browser) -> None:
    mine = set(ids((await browser.get("/?show=mine")).text))
    quality = set(ids((await (await hall.of("quality-1")).get("/?show=mine")).text))
    assert mine and quality and not mine & quality
    assert (await browser.get("/?show=everything")).status_code == 400


async def test_what_is_due_is_sorted_by_role_and_leads_to_the_step(hall: Hall, browser: Browser) -> None:
    hall.clock.advance(40 * 60_000)
    page = (await browser.get("/due")).text
    everything, quality = (await browser.get("/due?role=all")).text, (await browser.get("/due?role=QA")).text
    assert page.count('<a class="do"') + quality.count('<a class="do"') == everything.count('<a class="do"')
    assert "investigate deviation" in quality and "investigate deviation" not in page
    assert re.search(r'class="do" href="/batches/B-\d+/do"', page)
    assert "● now, for" in page and page.index('<h2 id="h-due-') < page.index("After today")
    assert (await browser.get("/due?role=XX")).status_code == 400
    assert "/due?role=all" in (await (await hall.of("admin-1")).get("/due")).text


@pytest.mark.parametrize(
    ("code", "address"),
    [
        ("B-4", "/batches/B-4"),
        ("  B-4\r\n", "/batches/B-4"),
        ("b-4", "/batches/B-4"),
        ("B-4-P0", "/batches/B-4"),
        ("B-4-P0.12", "/batches/B-4"),
        ("COI-00004", "/batches/B-4"),
        ("COI-00042", "/batches/B-42"),
        ("i3", "/chambers/i3"),
        ("I3", "/chambers/i3"),
    ],
)
async def test_a_code_leads_straight_to_its_page(browser: Browser, code: str, address: str) -> None:
    answer = await browser.get("/scan", params={"code": code})
    assert (answer.status_code, answer.headers["location"]) == (303, address)
    assert answer.headers["cache-control"] == "no-store"
    assert (await browser.get(address)).status_code == 200


async def test_a_lot_leads_to_a_page_that_there_is(browser: Browser) -> None:
    answer = await browser.get("/scan", params={"code": LOT})
    assert answer.status_code == 303 and LOT in answer.headers["location"]
    assert LOT in (await browser.get(answer.headers["location"])).text


@pytest.mark.parametrize(
    "code", ["B-4-P0.13", "B-999", "<script>alert(1)</script>", "../etc/passwd", "\u202egnp", "x" * 10_000, "=1+1", "%"]
)
async def test_an_unknown_code_is_said_in_one_line_and_stays(hall: Hall, browser: Browser, code: str) -> None:
    head = hall.lab.ledger.head()
    answer = await browser.get("/scan", params={"code": code})
    assert answer.status_code == 404 and "Nothing here carries the code" in answer.text
    assert "<script>alert" not in answer.text and "autofocus" in answer.text and 'aria-invalid="true"' in answer.text
    assert len(answer.text) < 20_000
    assert hall.lab.ledger.head() == head, "a scan is kept nowhere"


async def test_a_patient_with_two_batches_is_a_choice(hall: Hall, browser: Browser) -> None:
    made = do.CreateBatch(patient_token="COI-00004", recipe="tavakol_afshari_2021")
    await hall.lab.execute(Command("B-again", made), Actor("operator-1", "OP"))
    page = await browser.get("/scan", params={"code": "COI-00004"})
    assert page.status_code == 200
    assert re.findall(r'<li><a href="([^"]+)">', page.text) == ["/batches/B-again", "/batches/B-4"]
    assert (await browser.get("/scan")).status_code == 200


async def test_parts_are_for_whoever_may_see_the_board(hall: Hall) -> None:
    stranger = Browser(transport=hall.transport, base_url="http://127.0.0.1")
    for path in ("/board/alarms", "/board/batches", "/board/sparks", "/due", "/scan?code=B-1"):
        assert (await stranger.get(path)).status_code == 303, path


@asynccontextmanager
async def port_of(hall: Hall, port: int = 0) -> AsyncIterator[str]:
    """Serve the pages on a port for as long as the block lasts; return where."""
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(hall.app, "127.0.0.1", port, listening.set_result))
    try:
        yield (await listening).rstrip("/")
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: str) -> AsyncIterator[Page]:
    """A phone's browser; an error of a script fails the test."""
    wrong: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        opened = await browser.new_page(viewport={"width": 390, "height": 844})
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        yield opened
        await browser.close()
    assert wrong == []


async def test_it_filters_at_once_follows_what_happens_and_comes_back_with_the_truth(hall: Hall, page: Page) -> None:
    link, found = page.locator("#link"), page.locator("#batches-found")
    value = page.locator('[data-channel="i2/temperature"] .value')
    async with port_of(hall) as url:
        await page.context.add_cookies(await cookies_of(url, "operator-1"))
        await page.goto(url)
        await expect(link).to_have_attribute("data-state", "live", timeout=10_000)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        await page.evaluate("window.isSamePage = true")
        await page.fill("#filter input[name=q]", "B-12")
        await expect(found.locator("tbody tr")).to_have_count(1)
        await expect(page).to_have_url(re.compile(r"/\?q=B-12$"))
        await page.focus('#batches-found a[href="/batches/B-12"]')
        look = do.ObserveConfluence(vessels="B-12-P0", confluence_pct=77.0, method="visual", n_fields=3)
        await hall.lab.execute(Command("B-12", look), Actor("operator-1", "OP"))
        await expect(found.locator("td[data-label=Confluence]")).to_have_text("77 %")
        assert await page.evaluate("document.activeElement.getAttribute('href')") == "/batches/B-12"
        await expect(value).to_have_text("37.00")
    await expect(link).to_have_attribute("data-state", "lost", timeout=10_000)
    await hall.read(36.5)
    async with port_of(hall, int(url.rpartition(":")[2])):
        await expect(link).to_have_attribute("data-state", "live", timeout=15_000)
        await expect(value).to_have_text("36.50")
        assert await page.evaluate("window.isSamePage") is True
