"""axe-core finds nothing serious on any page of a hostile lab, however it is shown; nothing hostile runs."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright
from tests.web.addresses import PAGES
from tests.web.conftest import people
from tests.web.hostile import open_hostile
from tests.web.walking import found_on_pages

__all__ = ["people"]

SCREENS: dict[str, dict[str, Any]] = {
    "light, at a desk": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}, "with_charts": True},
    "dark, on a tablet": {"color_scheme": "dark", "viewport": {"width": 820, "height": 1180}},
    "light, on a phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
    "dark, on a phone": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
    "more contrast": {"color_scheme": "light", "contrast": "more", "viewport": {"width": 820, "height": 1180}},
}


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SCREENS)
async def test_no_page_hinders_anybody_or_obeys_a_text(chromium: str, tmp_path: Path, people: Path, name: str) -> None:
    examples = {example for several in PAGES.values() for example in several}
    async with open_hostile(tmp_path, people) as served, async_playwright() as playwright:
        found = await found_on_pages(playwright, chromium, served.url, examples, **SCREENS[name])
    assert found == [], f"{name}:\n" + "\n".join(found)
