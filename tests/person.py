"""People in front of the pages of a demo by hand, each with a browser of their own.

``Lab`` is a demo that runs as a process of its own and in which nobody works; ``Person`` is somebody who has logged in.
What they do in which order is ``by_hand``.
"""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.async_api import Browser, Page

__all__ = ["Lab", "Person", "as_typed", "figure", "lab_by_hand"]

READY_WITHIN_S = 60.0
PATIENCE_MS = 20_000
PASSING_MS = 60_000
"""How long some lab time may take to pass on a busy machine."""
MOST_TABS = 60
TABLET = {"width": 820, "height": 1180}
PATIENT_SCANS = '[name="scan_token"], [name^="scans."]'
_ANSWERED = """() => location.search.includes("done=")
    || document.querySelector("[name=confirmed]:not(:checked), main .stop, main .changed:not([hidden])")
    || document.querySelector("#sending:not([hidden])")"""
"""The step is on record, or something stands in its way."""


@dataclass
class Lab:
    """A demo by hand: where its pages are, what everybody logs in with, where its data lie."""

    url: str
    passphrase: str
    folder: Path
    browser: Browser

    async def person(self, username: str, *, by_keyboard: bool = False, **context: Any) -> "Person":
        """Return somebody who has logged in, in a browser of their own."""
        opened = await self.browser.new_context(**{"viewport": TABLET, **context})
        opened.set_default_timeout(PATIENCE_MS)
        person = Person(username, await opened.new_page(), self)
        person.page.on("pageerror", lambda error: person.wrong.append(str(error)))
        await (person.log_in_by_keyboard() if by_keyboard else person.log_in())
        return person


class Person:
    """Somebody in front of the pages."""

    def __init__(self, username: str, page: Page, lab: Lab) -> None:
        self.username, self.page, self.lab = username, page, lab
        self.wrong: list[str] = []

    async def log_in(self) -> None:
        """Come in by name and passphrase."""
        await self.see("/log-in")
        await self.page.fill('input[name="username"]', self.username)
        await self.page.fill('input[name="password"]', self.lab.passphrase)
        await self.page.click("form.fields button.main")
        await self.page.locator(".who-am-i").first.wait_for(state="attached")

    async def log_in_by_keyboard(self) -> None:
        """Come in without a pointer: the page opens in the field for the name."""
        await self.see("/log-in")
        await self.page.locator('input[name="username"]:focus').wait_for()
        await self.page.keyboard.type(self.username)
        await self.tab_to('input[name="password"]')
        await self.page.keyboard.type(self.lab.passphrase)
        await self.page.keyboard.press("Enter")
        await self.page.locator(".who-am-i").first.wait_for(state="attached")

    async def see(self, path: str) -> None:
        """Open a page."""
        answer = await self.page.goto(self.lab.url + path, wait_until="domcontentloaded")
        assert answer is not None and answer.status < 500, f"{path}: {answer and answer.status}"

    async def send(self, button: Any) -> None:
        """Press a button that leads to the next page."""
        async with self.page.expect_navigation(wait_until="domcontentloaded"):
            await button.click()

    async def said(self) -> str:
        """Return what the page says that it wants to be heard."""
        heard = self.page.locator('[role="alert"]:visible, [role="status"]:visible, .problem:visible')
        return " | ".join(text.strip() for text in await heard.all_inner_texts() if text.strip())

    async def fill(self, name: str, value: Any) -> None:
        """Fill one field, of whatever kind it is."""
        found = self.page.locator(f'[name="{name}"]:not([type="hidden"])').first
        kind = await found.evaluate("field => field.type")
        if kind == "checkbox":
            await found.set_checked(bool(value))
        elif kind == "select-one":
            await found.select_option(str(value))
        else:
            await found.fill(str(value))

    async def submit(self, batch: str, step: str, fields: Mapping[str, Any], witness: str = "", scan: str = "") -> None:
        """Fill in the form of a step and send it; a question is answered once, with yes."""
        await self.see(f"/batches/{quote(batch)}/do/{step}")
        await self.page.locator("#step[data-ready]").wait_for()
        await self._hold(scan or batch)
        for name, value in fields.items():
            await self.fill(name, value)
        await self.record(witness)
        if await self.page.locator('input[name="confirmed"]').count():
            await self.page.locator('input[name="confirmed"]').check()
            await self.record(witness)

    async def do(self, batch: str, step: str, witness: str = "", scan: str = "", **fields: Any) -> None:
        """Do a step, which is recorded; a field ``doses_0_route`` is ``doses.0.route`` on the form."""
        named = {re.sub(r"_(\d+)_", r".\1.", name): value for name, value in fields.items()}
        await self.submit(batch, step, named, witness, scan)
        assert "done=" in self.page.url, f"{step} was not recorded: {await self.said()}"

    async def _hold(self, container: str) -> None:
        """Fill in the container in one's hand and the patient's label, where they are asked for."""
        if not await self.page.locator("#identify").count():
            return
        token = await self.token()
        await self.page.fill('[name="scan_container"]', container)
        for field in await self.page.locator(PATIENT_SCANS).all():
            await field.fill(token)

    async def scan(self, *codes: str) -> None:
        """Scan into whatever has the focus, as a scanner does: typed text that ends in Enter."""
        await self.page.locator("#step[data-ready]").wait_for()
        for code in codes:
            await self.page.keyboard.type(code)
            await self.page.keyboard.press("Enter")

    async def scan_wrongly(self, batch: str, step: str, token: str) -> str:
        """Scan the right container and another patient's label before a step; returns what the page says."""
        await self.see(f"/batches/{quote(batch)}/do/{step}")
        await self.scan(batch, token)
        stop = self.page.locator("#identify", has_text="STOP")
        await stop.wait_for()
        return await stop.inner_text()

    async def tab_to(self, selector: str) -> None:
        """Go on to an element by the keyboard alone."""
        for _ in range(MOST_TABS):
            if await self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"{selector} can't be reached by keyboard on {self.page.url}")

    async def token(self) -> str:
        """Return what the patient's label reads, as the bench shows it."""
        if not getattr(self, "_token", ""):
            answer = await self.page.context.request.get(f"{self.lab.url}/bench")
            found = re.search(r'The label reads <b class="token">([^<]+)<', await answer.text())
            assert found is not None
            self._token = found[1]
        return self._token

    async def record(self, witness: str = "") -> None:
        """Press the button of a step, and wait until it is recorded, or until the page says what is in the way."""
        if witness:
            await self.page.fill('[name="witness"]', witness)
            await self.page.fill('[name="witness_password"]', self.lab.passphrase)
        await self.page.click('button.main[name="act"][value="record"]')
        await self.page.wait_for_function(_ANSWERED)
        await self.page.wait_for_load_state("domcontentloaded")

    async def sign(self, batch: str, step: str, query: str = "", **fields: Any) -> None:
        """Fill in a decision, see exactly what is signed, and sign it."""
        await self.see(f"/batches/{quote(batch)}/sign/{step}{query}")
        for name, value in fields.items():
            await self.fill(name, value)
        for impact in await self.page.locator('[name$=".impact"]').all():
            await impact.fill("short; growth and viability stayed as expected")
        await self.send(self.page.locator("form.fields button.main"))
        password = self.page.locator('input[name="password"]')
        assert await password.count(), f"{step} was not shown: {await self.said()}"
        await password.fill(self.lab.passphrase)
        await self.send(self.page.locator("form.fields button.main"))
        assert f"/sign/{step}" not in self.page.url, f"{step} was not signed: {await self.said()}"

    async def by_hand(self, act: str, **fields: str) -> dict[str, str]:
        """Do something on the bench; returns what one sees of the batch then."""
        if not self.page.url.endswith("/bench"):
            await self.see("/bench")
        form = self.page.locator(f'form.act:has(input[name="act"][value="{act}"])')
        if "until" in fields:
            form = form.filter(has=self.page.locator(f'[name="until"][value="{fields.pop("until")}"]'))
        for name, value in fields.items():
            field = form.locator(f'[name="{name}"]')
            await (field.select_option(value) if name == "chamber" else field.fill(value))
        await self.send(form.locator("button"))
        return await self.seen()

    async def wait(self, until: str) -> str:
        """Let lab time pass; returns the time that it is then."""
        await self.by_hand("wait", until=until)
        return await self.now()

    async def now(self) -> str:
        """Return lab time as pages write it."""
        return await self.page.locator("#bench-now").inner_text()

    async def seen(self) -> dict[str, str]:
        """Return what lies on the bench for the batch, once lab time stands still."""
        await self.page.locator("#bench-now").wait_for(timeout=PASSING_MS)
        rows = self.page.locator(".stand .facts > div")
        texts = await rows.evaluate_all("rows => rows.map(row => [...row.children].map(cell => cell.textContent))")
        return {name: value for name, value in texts}

    async def counts(self, batch: str, stage: str) -> list[float]:
        """Read the viable densities of a stage off the batch's page [10^6/mL]."""
        await self.see(f"/batches/{quote(batch)}")
        rows = self.page.locator("tr", has_text=f"{batch}.{stage}-")
        densities = rows.locator('[data-label="Viable density"]')
        return [figure(text) for text in await densities.all_inner_texts()]


@asynccontextmanager
async def lab_by_hand(browser: Browser, folder: Path, step_min: int = 30, seed: int = 7) -> AsyncIterator[Lab]:
    """Start a demo by hand as a newcomer does, and end it as one does, with Ctrl-C."""
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cultureops", "demo", "--by-hand", "--port", "0", "--step", str(step_min)),
        *("--seed", str(seed), "--data-dir", str(folder)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert demo.stderr is not None
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            said = ""
            while "logs in with: " not in said or "pages: " not in said:
                line = (await demo.stderr.readline()).decode()
                assert line, f"the demo ended: {said}"
                said += line
        url = re.search(r"pages: (\S+)/ ", said)
        passphrase = re.search(r"logs in with: (\S+)", said)
        assert url is not None and passphrase is not None
        draining = asyncio.create_task(demo.stderr.read())
        yield Lab(url[1], passphrase[1], folder, browser)
        for context in browser.contexts:  # everybody goes home
            await context.close()
        demo.send_signal(signal.SIGINT)
        async with asyncio.timeout(READY_WITHIN_S):
            assert await demo.wait() == 0
            assert (more := await draining) == b"", f"a demo says nothing more, but: {more.decode()}"
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()


def figure(text: str) -> float:
    """Read the number a text begins with: ``41,200,000`` or ``97.1 %``."""
    return float(text.split()[0].replace(",", ""))


def as_typed(written: str) -> str:
    """Turn a time as pages write it into what a field for times takes."""
    return written.replace(" ", "T")
