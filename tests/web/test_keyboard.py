"""Hands that use no mouse reach what an alarm asks of them, on a tablet held upright."""

from typing import Any

from playwright.async_api import async_playwright
from tests.web.people import cookies_of

ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
MOST_STEPS = 20
FOCUSED = "document.activeElement.closest('form.ack') && (document.activeElement.name || document.activeElement.type)"


async def test_tab_leads_to_the_acknowledgement_and_through_it(chromium: str, served: Any) -> None:
    await served.read("co2", 3.0)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        page = await browser.new_page(viewport={"width": 820, "height": 1180})
        await page.context.add_cookies(await cookies_of(served.url, "operator-1"))
        await page.goto(served.url)
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        reached: list[str] = []
        for _ in range(MOST_STEPS):
            await page.keyboard.press("Tab")
            if (focused := await page.evaluate(FOCUSED)) is not None:
                reached.append(focused)
            elif reached:
                break
        assert reached == ["quick", "reason", "submit"]
        await page.focus("form.ack input[name=reason]")
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert await page.evaluate(outline) == "solid"
        await browser.close()
