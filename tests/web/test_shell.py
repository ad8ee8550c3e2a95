"""What stands around every page: menu, scan field, styles that are kept; and the page on health."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.web.house import House, open_house

from cultureops.errors import StorageError
from cultureops.web.versioned import versioned_address


@pytest.fixture
async def house(people: Path, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(people, tmp_path) as opened:
        yield opened


async def test_the_menu_leads_only_where_there_is_something(house: House) -> None:
    for person in ("operator-1", "quality-1", "admin-1"):
        browser = await house.of(person)
        page = (await browser.get("/health")).text
        (nav,) = re.findall(r'<nav aria-label="Pages">(.*?)</nav>', page, re.DOTALL)
        links = dict(re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', nav))
        assert nav.count("aria-current") == 1 and 'href="/health" aria-current="page"' in nav
        assert ("/accounts" in links) is (person != "operator-1") and "/bench" not in links
        for address, words in links.items():
            assert (await browser.get(address)).status_code == 200, (person, words)
    stranger = (await house.browser().get("/log-in")).text
    assert "<nav" not in stranger and 'action="/scan"' not in stranger


async def test_styles_and_scripts_are_kept_for_a_year_under_an_address_that_changes(house: House) -> None:
    browser = house.browser()
    page = (await browser.get("/log-in")).text
    loaded = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(loaded) > 5 and all(address.startswith(versioned_address() + "/") for address in loaded)
    for address in loaded:
        answer = await browser.get(address)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"], address
    style = "css/tokens.css"
    for path, status in (
        (f"/static/{style}", 200),
        (f"/static/v0123456789abcdef/{style}", 200),
        (f"/static/v0123/{style}", 404),
        (f"{versioned_address()}/nothing.css", 404),
        (f"{versioned_address()}/%2e%2e/%2e%2e/server.py", 404),
    ):
        answer = await browser.get(path)
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (status, False), path


async def test_health_is_for_people_and_says_what_to_do(house: House) -> None:
    assert (await house.browser().get("/health")).headers["location"] == "/log-in?next=%2Fhealth"
    operator = await house.of("operator-1")
    assert "Store of readings" in (await operator.get("/health")).text
    house.lab.ledger_failure = StorageError("events.db: <disk> full")
    page = (await operator.get("/health")).text
    first = page[page.index('id="mend"') :]
    assert first.index("events.db: &lt;disk&gt; full") < first.index("<b>Do:</b> Free or mend the disk")
    assert (await house.browser().get("/healthz")).status_code == 503
