"""The pages of a hub: how its gateways stand, and which chambers nobody sees; and the banner of a gateway."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.nodes import Nodes, co2, open_nodes
from tests.web.house import open_house
from tests.web.people import Browser, copy_people

from cultureops.app import web_context
from cultureops.nodes import Across, across_of
from cultureops.web.gateways import HubView
from cultureops.web.server import create_app


@pytest.fixture
async def nodes(people: Path, tmp_path: Path) -> AsyncIterator[Nodes]:
    (tmp_path / "data").mkdir()
    copy_people(people, tmp_path / "data")
    async with open_nodes(tmp_path) as opened:
        yield opened


async def at_the_hub(nodes: Nodes, who: str = "operator-1") -> Browser:
    app = create_app(web_context(nodes.hub.lab, None, across=across_of(nodes.hub)))
    browser = Browser(transport=httpx.ASGITransport(app, client=("127.0.0.1", 40_000)), base_url="http://127.0.0.1")
    await browser.log_in(who)
    return browser


async def test_pages_tell_a_gateway_that_is_out_of_reach_and_never_show_its_values_as_live(nodes: Nodes) -> None:
    await nodes.step(*(co2(f"inc_{room}", 5.0, nodes.clock.now()) for room in nodes.gateways))
    browser = await at_the_hub(nodes)
    page = (await browser.get("/gateways")).text
    assert page.count("✓ in reach") == 2 and "out of reach</span>" not in page
    assert 'href="/gateways"' in (await browser.get("/")).text
    card = (await browser.get("/chambers/inc_room_1")).text
    assert "Nobody here sees this chamber" not in card
    for _ in range(20):
        await nodes.step(co2("inc_room_2", 5.0, nodes.clock.now()), without=["room_1"])
    page, board = (await browser.get("/gateways")).text, (await browser.get("/")).text
    assert page.count("✕ out of reach") == 1 and page.count("✓ in reach") == 1
    assert board.count("Nobody here sees this chamber") == 1 and 'data-away="inc_room_1"' in board
    for path in ("/chambers/inc_room_1", "/board/batches"):
        assert 'gateway <a href="/gateways">room_1</a> is out of reach' in (await browser.get(path)).text
    own, other = board.split('data-channel="inc_room_1/co2"')[1], board.split('data-channel="inc_room_2/co2"')[1]
    assert 'data-stale="true"' in own.split(">")[0] and 'data-stale="true"' not in other.split(">")[0]
    assert "gateway room_1 is out of reach" in (await browser.get("/health")).text
    said = (await browser.get("/api/gateways")).json()["gateways"]
    assert [(one["name"], one["in_reach"]) for one in said] == [("room_1", False), ("room_2", True)]
    assert (await browser.get("/api/health")).json()["gateways"] == said


async def test_devices_of_a_gateway_are_told_by_what_it_says(nodes: Nodes) -> None:
    for _ in range(4):
        readings = await nodes.gateways["room_1"].lab.acquisition.poll_once(nodes.clock.now())
        await nodes.step(*readings)
    page = (await (await at_the_hub(nodes, "quality-1")).get("/devices")).text
    assert "no link to the device" in page and "says gateway room_1" in page and "polls without" not in page
    assert "failing</span>, no link to the device" in (await (await at_the_hub(nodes)).get("/chambers/inc_room_1")).text


async def test_a_gateway_says_on_every_page_whose_it_is_and_what_waits(people: Path, tmp_path: Path) -> None:
    hubs = [
        HubView("https://hub.example:8443", True, 0, 0, 0, 0.0, None),
        HubView("https://hub.example:8443", False, 0, 3, 2000, 60.0, "no answer within 10 s"),
    ]
    async with open_house(people, tmp_path) as house:
        house.app = create_app(web_context(house.lab, None, across=Across(hub=lambda: hubs[0])))
        browser = await house.of("operator-1")
        assert "This is a gateway" not in (await house.browser().get("/log-in")).text
        assert "gateway of https://hub.example:8443; the hub holds everything" in (await browser.get("/due")).text
        hubs.reverse()
        page = (await browser.get("/alarms")).text
        assert "<b>out of reach</b>" in page and "no answer within 10 s" in page and "2000 readings wait" in page
        health = (await browser.get("/health")).text
        assert "no answer within 10 s; 3 events and 2,000 readings to go" in health
        assert (await house.browser().get("/healthz")).text == "ok", "a gateway without its hub is well"


async def test_a_lab_without_gateways_has_no_such_page(people: Path, tmp_path: Path) -> None:
    async with open_house(people, tmp_path) as house:
        browser = await house.of("operator-1")
        answer = await browser.get("/gateways")
        assert answer.status_code == 404 and "this lab has no gateways" in answer.text
        assert 'href="/gateways"' not in (await browser.get("/")).text
        assert (await browser.get("/api/gateways")).json()["gateways"] == []
