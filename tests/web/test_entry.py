"""A real browser keeps what is typed into a step: offline, reloaded, logged out, its answer lost; and records it once.

One lab and one browser for the whole module; each test has a context of its own, so no draft outlives it.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Dialog, Page, Route, async_playwright, expect
from tests.web.conftest import SITE, START, Served, seed_batch
from tests.web.people import PASSWORD, POLICY, cookies_of, copy_people

from cultureops.app import web_context
from cultureops.clock import MINUTE_MS, SeededEntropy, SteppedClock, iso
from cultureops.lab import open_lab
from cultureops.ledger.event import Event
from cultureops.site import read_site
from cultureops.web.server import create_app, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUIET = ("background-networking", "component-update", "sync", "quic")
ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", *(f"--disable-{name}" for name in QUIET)]
LOOK = "/batches/B-1/do/ObserveConfluence"
PEOPLE = ("operator-1", "operator-2")
VESSEL, TOKEN, ANOTHER = "B-1-P0.3", "COI-7F3K2", "COI-8X4M9"
WAIT_MS = 5_000
TAKING = """<!doctype html><time id="now" datetime="{now}"></time><body data-zone="Europe/Berlin" data-rate="1"><main>
<form id="step" method="post" action="/batches/B-1/do/Thaw" data-batch="B-1" data-step="Thaw" data-version="1"
 data-user="operator-1" data-check="/batches/B-1/do/Thaw/check"><input type="hidden" name="entry" value="{entry}">
<input type="hidden" name="csrf"><input type="hidden" name="typed_at">
<div class="field" data-field="bath_temperature_c"><label>Bath <input name="bath_temperature_c"></label>
<p class="problem" role="alert"></p><div class="taken"><button type="button" data-take data-channel="bath_1/temperature"

 data-at="{at}" data-value="37.04">Take 37.0 °C from bath_1, 12 s ago</button><label><input type="checkbox"
 name="take.bath_temperature_c" value="bath_1/temperature@{at}"> Take</label>
<input type="hidden" name="collected.bath_temperature_c" value=""></div></div>
<button class="main">Record</button></form></main><script type="module" src="/static/step.js"></script></body>"""
"""A field that an instrument fills in, on the markup of the step page."""


@dataclass
class Desk:
    """A tablet's browser at the lab; ``cookies`` are those of the people who may be logged in there."""

    served: Served
    context: BrowserContext
    page: Page
    cookies: dict[str, list[Any]]

    async def is_logged_in(self, username: str) -> None:
        """Let somebody be logged in, and nobody else."""
        await self.context.clear_cookies()
        await self.context.add_cookies(self.cookies[username])

    async def open(self, path: str = LOOK) -> None:
        """Open a step, ready to be typed into."""
        await self.page.goto(self.served.url + path)
        await self.is_ready()

    async def is_ready(self) -> None:
        await self.page.locator("#step[data-ready=true]").wait_for(timeout=WAIT_MS)

    async def scan(self, *codes: str) -> None:
        """Scan as a scanner does: typed text that ends in Enter, wherever the focus is."""
        for code in codes:
            await self.page.keyboard.type(code)
            await self.page.keyboard.press("Enter")

    async def fill_in(self, pct: str) -> None:
        """Scan, and type in what was seen."""
        await self.scan(f"]d1{VESSEL}", TOKEN)
        await self.says("pair", "right")
        await self.page.locator("[name=vessels]").select_option("B-1-P0")
        await self.page.fill("[name=confluence_pct]", pct)
        await self.page.fill("[name=n_fields]", "3")

    async def record(self) -> None:
        await self.page.locator("button.main").click()

    async def says(self, line: str, kind: str, text: str = "") -> None:
        """Wait until a line of the form says something of a kind."""
        found = self.page.locator(f"#{line}")
        await expect(found).to_have_attribute("data-kind", kind, timeout=2 * WAIT_MS)
        await expect(found).to_contain_text(text)

    async def is_recorded(self) -> None:
        await self.page.wait_for_url("**/do?done=*", timeout=2 * WAIT_MS)

    def events(self, kind: str = "confluence_observed") -> list[Event]:
        """Return what the ledger holds of one kind."""
        return [event for event in self.served.lab.ledger.read("batch:B-1") if event.type == kind]

    async def value(self, name: str) -> str:
        return await self.page.input_value(f"[name='{name}']")

    async def stored(self) -> str:
        """Return all that the browser has kept, as text."""
        return str(await self.page.evaluate("JSON.stringify(Object.entries(localStorage))"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(people: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A lab with people and one batch in culture, on a free port."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "site.toml").write_text(SITE)
    copy_people(people, folder)
    clock = SteppedClock(START)
    site = replace(read_site(folder / "site.toml"), access=POLICY)
    async with open_lab(site, folder, clock, SeededEntropy(1)) as opened:
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            serve(create_app(web_context(opened, None)), "127.0.0.1", 0, listening.set_result)
        )
        served = Served(opened, clock, (await listening).rstrip("/"))
        await seed_batch(served)
        yield served
        serving.cancel()
        await asyncio.wait([serving], timeout=5)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seat(browser: Browser, lab: Served) -> AsyncIterator[Desk]:
    """A tablet, whose browser keeps scripts and styles from test to test."""
    context = await browser.new_context(viewport={"width": 820, "height": 1180})
    yield Desk(lab, context, await context.new_page(), {name: await cookies_of(lab.url, name) for name in PEOPLE})
    await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def desk(seat: Desk) -> AsyncIterator[Desk]:
    """operator-1 at the tablet; scripts that fail fail the test."""
    errors: list[str] = []
    seat.page.on("pageerror", lambda error: errors.append(str(error)))
    await seat.is_logged_in("operator-1")
    yield seat
    assert errors == []


SCANNED_LONG_AGO = """() => { for (const [name, text] of Object.entries(localStorage))
  if (name.startsWith("cultureops.draft"))
  localStorage.setItem(name, JSON.stringify({ ...JSON.parse(text), scannedAt: Date.now() - 16 * 60_000 })); }"""


async def test_scans_are_judged_at_once_and_a_lost_answer_is_found_out(desk: Desk) -> None:
    before, refused = len(desk.events()), len(desk.events("command_refused"))
    await desk.open()
    assert await desk.page.evaluate("document.activeElement.name") == "scan_container"
    await desk.scan(f"]d1{VESSEL}", ANOTHER)
    await desk.says("pair", "wrong", "✕ STOP")
    assert len(desk.events("command_refused")) == refused + 1  # once, however often fields are left
    await desk.scan(VESSEL, TOKEN)  # both anew: the fields are empty
    await desk.says("pair", "right", "✓")
    assert await desk.value("scan_container") == VESSEL
    await desk.page.fill("[name=confluence_pct]", "95")
    await desk.page.keyboard.press("Enter")  # a scan in the wrong field must not send the form
    await desk.page.fill("[name=n_fields]", "3")
    await desk.page.keyboard.press("Tab")
    await desk.says("plausible", "warning", "beyond 90 %")
    assert (len(desk.events("command_refused")), len(desk.events())) == (refused + 1, before)
    await desk.record()  # asked once, and the question has the focus of whoever reads by ear
    await desk.page.locator("[name=confirmed]").wait_for(timeout=WAIT_MS)
    assert await desk.page.evaluate("document.activeElement.name") == "confirmed"
    await desk.page.fill("[name=confluence_pct]", "35")
    entry = await desk.value("entry")

    async def lose(route: Route) -> None:
        await route.fetch(max_redirects=0)
        await route.abort()

    await desk.page.route(f"**{LOOK}", lose)
    await desk.record()
    await desk.says("sending", "lost", "No answer came")
    assert len(desk.events()) == before + 1
    await desk.page.unroute(f"**{LOOK}")
    await desk.page.get_by_role("button", name="Try now").click()
    await desk.is_recorded()
    assert len(desk.events()) == before + 1
    assert f"entry:{entry}" in desk.events()[-1].claims
    assert "cultureops.draft" not in await desk.stored()


async def test_a_value_of_an_instrument_is_marked_until_somebody_edits_it(desk: Desk) -> None:
    at = desk.served.clock.now()

    async def shown(route: Route) -> None:
        page = TAKING.format(now=iso(at), entry=uuid4().hex, at=at)
        await route.fulfill(body=page, content_type="text/html")

    await desk.page.route("**/do/Thaw", shown)
    await desk.open("/batches/B-1/do/Thaw")
    origin = "collected.bath_temperature_c"
    assert await desk.page.locator("[name='take.bath_temperature_c']").is_hidden()
    await desk.page.locator("[data-take]").click()
    await expect(desk.page.locator(".collected-tag")).to_have_text("✓ machine-collected")
    assert (await desk.value("bath_temperature_c"), await desk.value(origin)) == ("37.04", f"bath_1/temperature@{at}")
    await desk.page.reload()  # a draft keeps where the value is from
    await desk.is_ready()
    assert (await desk.value("bath_temperature_c"), await desk.value(origin)) == ("37.04", f"bath_1/temperature@{at}")
    await desk.page.fill("[name=bath_temperature_c]", "37.1")
    assert await desk.value(origin) == ""
    await expect(desk.page.locator(".collected-tag")).to_have_text("")
    await desk.page.keyboard.press("Tab")
    await desk.page.unroute("**/do/Thaw")
    await desk.page.evaluate("localStorage.clear()")


async def test_a_calculator_types_into_a_field_and_a_log_out_leaves_nothing_behind(desk: Desk) -> None:
    await desk.is_logged_in("operator-2")  # whose session ends here
    at = len(list(desk.served.lab.ledger.read("batch:B-1")))
    await desk.open("/batches/B-1/do/Passage")
    await desk.page.locator("[data-calculator=reseeding] summary").click()
    for name, text in {"counted": "2", "volume": "21", "area": "175"}.items():
        await desk.page.fill(f"[name='work.reseeding.{name}']", text)
    await desk.page.locator("[data-field=n_vessels][data-value]").click(timeout=WAIT_MS)
    assert await desk.value("n_vessels") == "60"  # 42e6 cells at 4,000 per cm2 on 175 cm2
    await desk.page.fill("[name='work.reseeding.volume']", "much")
    await expect(desk.page.locator("[data-calculator=reseeding] .results")).to_contain_text("not 'much'")
    await desk.open("/batches/B-1/do/Discard")
    assert "Passage of B-1" in await desk.page.inner_text("#unsent")
    await desk.page.fill("[name=witness]", "operator-1")
    await desk.page.fill("[name=witness_password]", PASSWORD)
    stored = await desk.stored()
    assert "operator-1" in stored
    assert PASSWORD not in stored
    asked: list[str] = []

    async def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.accept()

    desk.page.on("dialog", answer)
    await desk.page.evaluate("document.querySelector('form[action=\"/log-out\"]').requestSubmit()")
    await desk.page.wait_for_url("**/log-in*", timeout=WAIT_MS)
    assert ["2 steps" in said for said in asked] == [True]
    assert "cultureops.draft" not in await desk.stored()
    assert len(list(desk.served.lab.ledger.read("batch:B-1"))) == at
    desk.page.remove_listener("dialog", answer)


async def test_ten_minutes_without_a_line_lose_nothing_and_nobody_sends_behind_ones_back(desk: Desk) -> None:
    before = len(desk.events())
    desk.cookies["operator-2"] = await cookies_of(desk.served.url, "operator-2")
    desk.served.clock.advance(2 * MINUTE_MS)
    await desk.page.clock.install()
    await desk.open()
    await desk.fill_in("41")
    await desk.context.set_offline(True)
    await desk.record()
    await desk.says("sending", "lost", "Not sent")
    await desk.page.clock.fast_forward("10:00")
    typed_at = int(await desk.value("typed_at"))
    desk.served.clock.advance(10 * MINUTE_MS)
    await desk.context.set_offline(False)
    await desk.page.clock.fast_forward("00:10")
    await desk.says("sending", "ready", "The line is back")
    desk.page.on("dialog", lambda dialog: dialog.accept())
    await desk.page.reload()
    await desk.is_ready()
    await desk.says("restored", "restored", "Nothing of it is recorded yet")
    assert (await desk.value("confluence_pct"), await desk.value("scan_token")) == ("41", TOKEN)
    await desk.page.evaluate(SCANNED_LONG_AGO)  # and typed since: a scan says what lies there now
    await desk.page.reload()
    await desk.is_ready()
    assert (await desk.value("confluence_pct"), await desk.value("scan_token")) == ("41", "")
    await desk.scan(VESSEL, TOKEN)
    await desk.says("pair", "right")
    assert abs(int(await desk.value("typed_at")) - typed_at) < MINUTE_MS
    await desk.context.clear_cookies()  # as after a restart of the server, which ends all sessions
    await desk.record()
    await desk.says("sending", "lost", "your log-in has ended")
    await desk.is_logged_in("operator-2")  # in another tab: what operator-1 typed is not theirs to send
    await desk.record()
    await desk.says("sending", "lost", "operator-2 is logged in here now")
    await desk.is_logged_in("operator-1")
    await desk.served.read("temperature", 37.0)
    assert len(desk.events()) == before
    await desk.record()  # done then or now? The server asks what nobody else can know
    await desk.page.get_by_label("Then;").check(timeout=WAIT_MS)
    await desk.record()
    await desk.is_recorded()
    assert len(desk.events()) == before + 1
    newest = desk.events()[-1]
    assert newest.recorded_at - newest.occurred_at > 9 * MINUTE_MS
    assert newest.actor.id == "operator-1"
    assert "cultureops.draft" not in await desk.stored()
