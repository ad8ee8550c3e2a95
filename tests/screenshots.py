"""Takes the pictures of docs/screenshots from a demo: ``python -m tests.screenshots``, or ``make screenshots``.

The demo runs by itself for ten lab days (a few minutes); then each page is photographed as its reader sees it.
"""

import asyncio
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, async_playwright

FOLDER: Final = Path(__file__).parents[1] / "docs" / "screenshots"
DESK: Final = {"width": 1280, "height": 900}
TABLET: Final = {"width": 820, "height": 1180}
PHONE: Final = {"width": 390, "height": 844}
STARTS_WITHIN_S: Final = 120
RUNS_WITHIN_S: Final = 900
SETTLES_MS: Final = 1_500
"""Until charts are drawn and the page has heard its first values."""


@dataclass(frozen=True)
class Picture:
    """One picture: its file's name, whose page of which address it is, and on what screen."""

    name: str
    person: str
    address: str
    screen: dict[str, int]
    scheme: str = "light"


PICTURES: Final = (
    Picture("board", "operator-1", "/", DESK),
    Picture("board-phone-night", "operator-1", "/", PHONE, "dark"),
    Picture("chamber", "operator-1", "/chambers/incubator_1?span=7d", DESK),
    Picture("batch", "operator-1", "/batches/B-2026-001", DESK),
    Picture("step", "operator-1", "/batches/B-2026-001/do/ObserveConfluence", TABLET),
    Picture("alarms-phone-night", "operator-1", "/alarms", PHONE, "dark"),
    Picture("review", "quality-assurance-1", "/batches/B-2026-001/review", DESK),
    Picture("quality", "quality-assurance-1", "/quality", DESK),
    Picture("audit", "quality-assurance-1", "/audit", DESK),
    Picture("health", "quality-assurance-1", "/health", DESK, "dark"),
)


async def take(chromium: str) -> None:
    """Take every picture anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with _demo() as (url, passphrase), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for picture in PICTURES:
            page = await _page_of(browser, url, passphrase, picture)
            await _until_day_ten(page, url)
            await page.goto(url + picture.address)
            await page.wait_for_timeout(SETTLES_MS)
            await page.screenshot(path=FOLDER / f"{picture.name}.png")
            await page.context.close()
        await browser.close()


async def _page_of(browser: Browser, url: str, passphrase: str, picture: Picture) -> Page:
    scheme = "dark" if picture.scheme == "dark" else "light"
    context = await browser.new_context(viewport=picture.screen, color_scheme=scheme)  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto(f"{url}/log-in")
    await page.fill("input[name=username]", picture.person)
    await page.fill("input[name=password]", passphrase)
    await page.click("button.main")
    await page.wait_for_url(f"{url}/")
    return page


async def _until_day_ten(page: Page, url: str) -> None:
    """Wait until the demo runs at its own pace: while it fast-forwards every page says how far it is."""
    async with asyncio.timeout(RUNS_WITHIN_S):
        while await page.locator("#fast").count():
            await page.wait_for_timeout(2_000)
            await page.goto(url)


@asynccontextmanager
async def _demo() -> AsyncIterator[tuple[str, str]]:
    """Run a demo on a free port; give its address and the passphrase of everybody in it."""
    folder = tempfile.mkdtemp(prefix="cultureops-screenshots-")
    command = ("-m", "cultureops", "demo", "--port", "0", "--data-dir", f"{folder}/lab")
    running = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=asyncio.subprocess.PIPE)
    assert running.stderr is not None
    try:
        said = ""
        async with asyncio.timeout(STARTS_WITHIN_S):
            while (found := re.search(r"pages: (\S+)/ .*logs in with: (\S+)", said, re.DOTALL)) is None:
                line = await running.stderr.readline()
                if not line:
                    raise RuntimeError(f"the demo ended: {said}")
                said += line.decode()
        draining = asyncio.create_task(running.stderr.read())
        yield found[1], found[2]
        draining.cancel()
    finally:
        if running.returncode is None:
            running.terminate()
            await running.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    found_chromium = shutil.which("chromium")
    if found_chromium is None:
        sys.exit("chromium is not installed; `make services` installs it")
    asyncio.run(take(found_chromium))
