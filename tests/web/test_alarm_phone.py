"""On a phone at night an alarm is acknowledged by two taps, or by keys alone; a beep says whether it can be heard."""

from typing import Any

from playwright.async_api import Page, async_playwright, expect
from tests.web.people import cookies_of

ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
RULE = "incubator_1/co2/low"
GLOVED_PX = 48
MOST_STEPS = 30
SCREEN_PX = (390, 844)


async def test_two_taps_or_keys_alone_acknowledge_at_390_px(chromium: str, served: Any) -> None:
    wrong: list[str] = []
    await served.read("co2", 3.0)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        width, height = SCREEN_PX
        context = await browser.new_context(
            viewport={"width": width, "height": height}, has_touch=True, is_mobile=True, color_scheme="dark"
        )
        await context.add_cookies(await cookies_of(served.url, "operator-1"))
        page = await context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        await page.goto(f"{served.url}/alarms")
        await page.locator("#link[data-state=live]").wait_for(timeout=10_000)
        await _hear(page)
        await _tap(page)
        await expect(page.locator(".acked")).to_be_visible(timeout=10_000)
        assert await _last_reason(served) == "On my way"
        await served.read("co2", 5.0)
        await served.read("co2", 3.0)
        await page.goto(f"{served.url}/alarms/one?rule={RULE}")
        await _type(page)
        await expect(page.locator(".acked")).to_be_visible(timeout=10_000)
        assert await _last_reason(served) == "gas is on again"
        for path in ("/alarms/history", "/alarms/performance", "/quality", "/deviations", "/batches/B-1/review",
                     "/batches/B-1/papers", "/audit"):  # fmt: skip
            await page.goto(served.url + path)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
        await browser.close()
    assert wrong == []


async def _hear(page: Page) -> None:
    """The beep is off until somebody switches it on, and says that it would be heard."""
    button = page.locator("#sound")
    await expect(button).to_have_text("Sound is off")
    await button.tap()
    await expect(page.locator("#sound-said")).to_have_text("An alarm waits: beeping.", timeout=10_000)
    await button.tap()
    await expect(button).to_have_attribute("aria-pressed", "false")


async def _tap(page: Page) -> None:
    """Choose a reason and acknowledge: two targets large enough for a thumb in a glove."""
    chosen, button = page.locator("form.ack .quick label", has_text="On my way"), page.locator("form.ack button")
    for target in (chosen, button):
        box = await target.bounding_box()
        assert box is not None and box["height"] >= GLOVED_PX, box
    await chosen.tap()
    await button.tap()


async def _type(page: Page) -> None:
    """Reach the reason by Tab alone, type it, and acknowledge by Enter."""
    for _ in range(MOST_STEPS):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.matches('form.ack input[name=reason]')"):
            break
    await page.keyboard.type("gas is on again")
    await page.keyboard.press("Enter")


async def _last_reason(served: Any) -> str:
    found = [event for event in served.lab.ledger.read(f"alarm:{RULE}") if event.type == "alarm_acknowledged"]
    return str(found[-1].data["reason"])
