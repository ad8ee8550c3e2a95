"""A real browser: the key / and a scanner reach the scan field from anywhere, and a phone's menu works by keyboard."""

from typing import Any

import pytest
from playwright.async_api import async_playwright, expect
from tests.web.conftest import people, served
from tests.web.people import cookies_of
from tests.web.walking import ARGS

__all__ = ["people", "served"]

CODE = "B-1-P0.3"


@pytest.mark.soak
async def test_scans_and_the_menu_need_no_mouse(chromium: str, served: Any) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        context = await browser.new_context(viewport={"width": 390, "height": 844})
        await context.add_cookies(await cookies_of(served.url, "operator-1"))
        page = await context.new_page()
        await page.goto(f"{served.url}/health")
        await page.keyboard.press("/")
        await expect(page.locator("#scan")).to_be_focused()
        await page.keyboard.type(CODE)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/batches/B-1**")

        await page.goto(f"{served.url}/health")
        await page.focus(".menu-button")
        await page.keyboard.type(CODE, delay=5)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/batches/B-1**")

        await page.goto(f"{served.url}/health")
        await expect(page.locator("#menu")).to_be_hidden()
        await page.focus(".menu-button")
        await page.keyboard.press("Enter")
        await expect(page.locator("#menu")).to_be_visible()
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.closest('#menu') !== null")
        await page.keyboard.press("Escape")
        await expect(page.locator("#menu")).to_be_hidden()

        await page.goto(f"{served.url}/account")
        await page.uncheck("#slash-key")
        await page.goto(f"{served.url}/health")
        await page.keyboard.press("/")
        await expect(page.locator("#scan")).not_to_be_focused()
        await browser.close()
