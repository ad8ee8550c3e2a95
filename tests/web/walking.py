"""A real browser walks over every page and tells what axe-core finds, what ran that should not, what is too wide."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from playwright.async_api import BrowserContext, Page, Playwright
from tests.web.addresses import Example
from tests.web.axe import grave_findings
from tests.web.hostile import RAN
from tests.web.people import cookies_of

__all__ = ["ARGS", "found_on_pages"]

QUIET: Final = ("background-networking", "component-update", "sync", "quic")
ARGS: Final = ["--no-sandbox", "--disable-gpu", "--no-first-run", *(f"--disable-{name}" for name in QUIET)]
PLOTLY: Final = "**/assets/plotly.min.js"


async def found_on_pages(
    playwright: Playwright, chromium: str, url: str, examples: Collection[Example], *, with_charts: bool = False,
    **screen: Any,
) -> Sequence[str]:  # fmt: skip
    """Return what is wrong with any of the pages, each with its address; ``screen`` is the browser's context."""
    found: list[str] = []
    browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
    for person in sorted({example.person or "" for example in examples}):
        context = await browser.new_context(**{"viewport": {"width": 820, "height": 1180}, **screen})
        await context.add_cookies(await cookies_of(url, person) if person else [])
        if not with_charts:
            await context.route(PLOTLY, lambda route: route.abort())
        page = await _watched(context, found)
        for address in sorted(one.address for one in examples if (one.person or "") == person):
            await page.goto(url + address, wait_until="domcontentloaded")
            found += [f"{address}: {finding}" for finding in [*await grave_findings(page), *await _strange(page)]]
        await context.close()
    await browser.close()
    return found


async def _watched(context: BrowserContext, found: list[str]) -> Page:
    """Return a page whose errors and dialogs are found too."""
    page = await context.new_page()

    async def closed(dialog: Any) -> None:
        found.append(f"{page.url}: asked {dialog.message}")
        await dialog.dismiss()

    page.on("dialog", closed)
    page.on("pageerror", lambda error: found.append(f"{page.url}: {error}"))
    return page


async def _strange(page: Page) -> list[str]:
    """Return whether a text was obeyed, and whether the page is wider than its screen."""
    ran = await page.evaluate(f"window.{RAN} !== undefined")
    extra = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [*(["a text was obeyed"] if ran else []), *([f"wider than the screen by {extra} px"] if extra > 0 else [])]
