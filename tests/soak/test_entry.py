"""What is typed into a step outlives a restart of the server on the same port, and random failures of the line."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Error, Page, Route, async_playwright, expect
from tests.web.conftest import SITE, START, Served, seed_batch
from tests.web.people import POLICY, cookies_of, people_in

from cultureops.app import web_context
from cultureops.clock import SeededEntropy, SteppedClock
from cultureops.lab import open_lab
from cultureops.site import read_site
from cultureops.web.server import create_app, serve

pytestmark = pytest.mark.soak
ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
LOOK = "/batches/B-1/do/ObserveConfluence"
ROUNDS = 12
WAIT_MS = 15_000


@asynccontextmanager
async def running(folder: Path, clock: SteppedClock, port: int) -> AsyncIterator[Served]:
    """Run a lab on a port, as after a start of the program."""
    site = replace(read_site(folder / "site.toml"), access=POLICY)
    async with open_lab(site, folder, clock, SeededEntropy(1)) as lab:
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        app = create_app(web_context(lab, None))
        serving = asyncio.create_task(serve(app, "127.0.0.1", port, listening.set_result))
        try:
            yield Served(lab, clock, (await listening).rstrip("/"))
        finally:
            serving.cancel()
            await asyncio.wait([serving], timeout=5)


async def filled(page: Page, url: str, pct: int) -> str:
    """Fill in the form of a step and return its entry's id."""
    await page.goto(url + LOOK)
    await page.locator("#step[data-ready=true]").wait_for(timeout=WAIT_MS)
    for name, text in {"scan_container": "B-1-P0", "scan_token": "COI-7F3K2"}.items():
        await page.fill(f"[name={name}]", text)
        await page.keyboard.press("Enter")
    await expect(page.locator("#pair")).to_have_attribute("data-kind", "right", timeout=WAIT_MS)
    await page.fill("[name=confluence_pct]", str(pct))
    await page.fill("[name=n_fields]", "3")
    return await page.input_value("[name=entry]")


def recorded(served: Served, entry: str) -> int:
    """Return how many events of the batch carry an entry's id."""
    return sum(f"entry:{entry}" in event.claims for event in served.lab.ledger.read("batch:B-1"))


async def test_a_restart_of_the_server_loses_nothing_that_was_typed(chromium: str, tmp_path: Path) -> None:
    clock = SteppedClock(START)
    (tmp_path / "site.toml").write_text(SITE)
    await people_in(tmp_path, clock)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        page = await browser.new_page()
        async with running(tmp_path, clock, 0) as served:
            await seed_batch(served)
            await page.context.add_cookies(await cookies_of(served.url, "operator-1"))
            entry = await filled(page, served.url, 31)
            port = int(served.url.rpartition(":")[2])
        await page.click("button.main")
        await expect(page.locator("#sending")).to_contain_text("Not sent", timeout=WAIT_MS)
        async with running(tmp_path, clock, port) as served:
            await expect(page.locator("#sending")).to_contain_text("log-in has ended", timeout=WAIT_MS)
            await page.context.add_cookies(await cookies_of(served.url, "operator-1"))
            assert recorded(served, entry) == 0
            await page.click("button.main")
            await page.wait_for_url("**/do?done=*", timeout=WAIT_MS)
            assert recorded(served, entry) == 1
        await browser.close()


@pytest.mark.timeout(300)
async def test_however_the_line_fails_each_step_stands_once(chromium: str, tmp_path: Path) -> None:
    clock, dice = SteppedClock(START), random.Random(7)
    (tmp_path / "site.toml").write_text(SITE)
    await people_in(tmp_path, clock)
    async with async_playwright() as playwright, running(tmp_path, clock, 0) as served:
        await seed_batch(served)
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        page = await browser.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        await page.context.add_cookies(await cookies_of(served.url, "operator-1"))

        async def fail_sometimes(route: Route) -> None:
            match dice.randrange(4):
                case 0:
                    await route.abort()  # never arrived
                case 1:
                    await route.fetch(max_redirects=0)
                    await route.abort()  # arrived, and its answer did not
                case _:
                    await route.continue_()

        for turn in range(ROUNDS):
            entry = await filled(page, served.url, 20 + turn)
            await page.route(f"**{LOOK}*", fail_sometimes)
            await page.route(f"**{LOOK}/standing*", fail_sometimes)
            for _ in range(40):
                with suppress(Error):  # the page may go on to what was recorded meanwhile
                    await page.evaluate("document.querySelector('button.main')?.click()")
                await asyncio.sleep(0.3)
                if "done=" in page.url:
                    break
            await page.wait_for_url("**/do?done=*", timeout=WAIT_MS)
            await page.unroute_all()
            assert recorded(served, entry) == 1
        await browser.close()


async def test_a_step_is_entered_without_scripts(chromium: str, tmp_path: Path) -> None:
    clock = SteppedClock(START)
    (tmp_path / "site.toml").write_text(SITE)
    await people_in(tmp_path, clock)
    async with async_playwright() as playwright, running(tmp_path, clock, 0) as served:
        await seed_batch(served)
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        page = await browser.new_page(java_script_enabled=False)
        await page.context.add_cookies(await cookies_of(served.url, "operator-1"))
        await page.goto(f"{served.url}/batches/B-1/do/Passage")
        await page.locator("[data-calculator=reseeding] summary").click()
        for name, text in {"counted": "2", "volume": "21", "area": "175"}.items():
            await page.fill(f"[name='work.reseeding.{name}']", text)
        await page.locator("[data-calculator=reseeding] button[name=work]").click()
        await page.locator("button[name=use][data-field=n_vessels]").click()
        assert await page.input_value("[name=n_vessels]") == "60"
        await page.goto(served.url + LOOK)
        for name, text in {"scan_container": "B-1-P0", "scan_token": "COI-7F3K2", "confluence_pct": "55"}.items():
            await page.fill(f"[name={name}]", text)
        await page.fill("[name=n_fields]", "2")
        entry = await page.input_value("[name=entry]")
        await page.locator("button.main").click()
        await page.wait_for_url("**/do?done=*", timeout=WAIT_MS)
        assert recorded(served, entry) == 1
        await browser.close()
