"""A real browser sees values change and charts drawn, and asks nobody but the lab."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, Request, async_playwright, expect
from tests.unit.batch.bench import before, transplant
from tests.web.people import PASSWORD, cookies_of

from cultureops.batch import commands as do

QUIET = ("background-networking", "component-update", "sync", "quic")
ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", *(f"--disable-{name}" for name in QUIET)]


@pytest.fixture
async def page(chromium: str, served: Any) -> AsyncIterator[Page]:
    """A page that fails the test for an error, or for a request that leaves the machine."""
    wrong: list[str] = []

    def asked(request: Request) -> None:
        if not request.url.startswith((served.url, "data:", "blob:")):
            wrong.append(f"asked {request.url}")

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        opened = await browser.new_page(viewport={"width": 820, "height": 1180})
        await opened.context.add_cookies(await cookies_of(served.url, "operator-1"))
        opened.on("request", asked)
        opened.on("pageerror", lambda error: wrong.append(f"error {error}"))
        opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        yield opened
        await browser.close()
    assert wrong == []


async def test_the_board_changes_without_a_reload(served: Any, page: Page) -> None:
    await served.read("temperature", 36.91)
    await page.goto(served.url)
    value = page.locator('[data-channel="incubator_1/temperature"] .value')
    assert await value.inner_text() == "36.91"
    await page.locator("#link[data-state=live]").wait_for(timeout=5000)
    await page.evaluate("window.isSamePage = true")
    await served.read("temperature", 35.47)
    await page.locator('[data-channel="incubator_1/temperature"] .value', has_text="35.47").wait_for(timeout=5000)
    await served.read("temperature", None)
    await page.locator('[data-channel="incubator_1/temperature"][data-quality="BAD"]').wait_for(timeout=5000)
    assert await page.evaluate("window.isSamePage") is True


async def test_an_alarm_appears_and_is_acknowledged_by_keyboard(served: Any, page: Page) -> None:
    await page.goto(served.url)
    await page.locator("#link[data-state=live]").wait_for(timeout=5000)
    await served.read("co2", 3.0)
    reason = page.locator('[data-rule="incubator_1/co2/low"] input[name="reason"]')
    await reason.wait_for(timeout=5000)
    await reason.focus()
    await page.keyboard.type("gas changed")
    await page.keyboard.press("Enter")
    await page.get_by_text("Acknowledged by operator-1").wait_for(timeout=5000)


async def test_the_batch_page_draws_its_charts(served: Any, page: Page) -> None:
    await page.goto(f"{served.url}/batches/B-1")
    await page.locator("section[data-drawn=true]").wait_for(timeout=15_000)
    for plot in ("culture", "temperature", "co2"):
        assert await page.locator(f"#plot-{plot} .scatterlayer path.js-line").count() >= 1
    assert await page.locator("ol.timeline li").count() >= 6


async def test_clocks_of_a_batch_count_and_its_sections_open(served: Any, page: Page) -> None:
    bench = before("wash 1", "frozen")
    served.clock.advance(bench.now - served.clock.now())
    await transplant(served.lab.ledger, bench, "B-9")
    await page.set_viewport_size({"width": 390, "height": 800})
    await page.goto(f"{served.url}/batches/B-9")
    left = page.locator(".running [data-left]").first
    told = await left.inner_text()
    await expect(left).not_to_have_text(told, timeout=5000)
    await page.locator("section[data-drawn=true]").wait_for(timeout=15_000)
    assert not await page.locator("#plot-temperature .xtick", has_text="2000").count()
    await expect(page.locator("#cryo")).not_to_have_attribute("open", "")
    await page.evaluate("location.hash = 'cryo'")
    await expect(page.locator("#cryo svg.box")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_every_form_works_without_scripts(chromium: str, served: Any) -> None:
    await served.read("co2", 3.0)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        page = await browser.new_page(java_script_enabled=False)
        await page.goto(served.url)
        await page.fill('input[name="username"]', "operator-1")
        await page.fill('input[name="password"]', PASSWORD)
        await page.click("form.fields button.main")
        await page.fill('input[name="reason"]', "gas changed")
        await page.click("form.ack button")
        await page.get_by_text("Acknowledged by operator-1").wait_for(timeout=5000)
        await browser.close()


async def test_ages_go_on_and_a_value_grows_stale_when_nothing_is_told(served: Any, page: Page) -> None:
    await served.read("temperature", 36.91)
    await page.goto(served.url)
    measure = page.locator('[data-channel="incubator_1/temperature"]')
    await measure.locator(".age", has_text="2 s ago").wait_for(timeout=5000)
    await page.evaluate("document.querySelector('[data-channel=\"incubator_1/temperature\"]').dataset.period = '100'")
    await measure.locator(".age", has_text="stale,").wait_for(timeout=5000)


async def test_facts_of_a_batch_appear_without_a_reload(served: Any, page: Page) -> None:
    await page.goto(served.url)
    await page.locator("#link[data-state=live]").wait_for(timeout=5000)
    await page.evaluate("window.isSamePage = true")
    await served.do(do.ObserveConfluence(vessels="B-1-P0", confluence_pct=34.0, method="visual", n_fields=3))
    await page.locator("#batches", has_text="34 %").wait_for(timeout=5000)
    assert await page.evaluate("window.isSamePage") is True


async def test_what_somebody_writes_is_kept_when_alarms_change(served: Any, page: Page) -> None:
    await served.read("co2", 3.0)
    await page.goto(served.url)
    await page.locator("#link[data-state=live]").wait_for(timeout=5000)
    await page.fill('input[name="reason"]', "gas changed")
    await served.read("co2", 5.0)
    await page.locator("#alarms-changed:visible").wait_for(timeout=5000)
    assert await page.input_value('input[name="reason"]') == "gas changed"


async def test_no_page_is_wider_than_the_screen(served: Any, page: Page) -> None:
    for width in (390, 820, 1280):
        await page.set_viewport_size({"width": width, "height": 900})
        for path in ("/", "/alarms", "/batches/B-1", "/chambers/incubator_1", "/account", "/log-in"):
            await page.goto(served.url + path)
            found = await page.evaluate("document.documentElement.scrollWidth")
            assert found <= width, f"{path} at {width}"


async def test_the_alarms_page_follows_what_happens_unless_somebody_has_it_open(served: Any, page: Page) -> None:
    await page.goto(f"{served.url}/alarms")
    await served.read("co2", 3.0)
    await expect(page.locator("#alarms .alarm")).to_have_count(1)
    await page.locator("#alarms details.more summary").click()
    await expect(page.locator("#alarms input[name=minutes]")).to_have_value("15")
    await served.read("co2", 5.0)
    await expect(page.locator("#alarms-changed")).to_be_visible()
    await expect(page.locator("#alarms details.more")).to_have_attribute("open", "")
    await page.locator("#alarms details.more summary").click()
    await served.read("co2", 3.0)
    await expect(page.locator("#alarms .state")).to_have_text("unacknowledged")
