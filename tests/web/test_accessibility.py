"""No page can be forgotten, and axe-core finds nothing serious on those that people look at most, in a hostile lab.

The soak looks at every page in every theme; what markup alone tells is checked on every page in test_hostile.py.
"""

from pathlib import Path

from playwright.async_api import async_playwright
from tests.web.addresses import NO_PAGES, PAGES, read_by_get
from tests.web.conftest import Served
from tests.web.hostile import open_hostile
from tests.web.walking import found_on_pages

from cultureops.app import web_context
from cultureops.web.server import create_app

MOST_SEEN = ("/log-in", "/", "/batches/{batch_id}", "/batches/{batch_id}/do/{step}")


async def test_every_address_is_known(served: Served) -> None:
    there = read_by_get(create_app(web_context(served.lab, None)))
    assert there - PAGES.keys() - NO_PAGES == set(), "give each an example in tests/web/addresses.py"
    assert (PAGES.keys() | NO_PAGES) - there == set(), "an example of a page that is gone"


async def test_the_pages_most_seen_hinder_nobody_and_obey_no_text(chromium: str, tmp_path: Path, people: Path) -> None:
    async with open_hostile(tmp_path, people) as served, async_playwright() as playwright:
        found = await found_on_pages(playwright, chromium, served.url, [PAGES[path][0] for path in MOST_SEEN])
    assert found == [], "\n".join(found)
