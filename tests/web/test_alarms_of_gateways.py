"""A gateway's alarm on the hub's pages: acknowledged there, waiting for the gateway, answered."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.nodes import Nodes, co2, open_nodes
from tests.web.people import copy_people
from tests.web.test_gateways import at_the_hub

LOW = "inc_room_1/co2/low"
WAITS = "acknowledge by operator-1 waits for gateway room_1"


@pytest.fixture
async def nodes(people: Path, tmp_path: Path) -> AsyncIterator[Nodes]:
    (tmp_path / "data").mkdir()
    copy_people(people, tmp_path / "data")
    async with open_nodes(tmp_path, ["room_1"]) as opened:
        yield opened


async def test_an_acknowledgement_waits_for_the_gateway_in_sight(nodes: Nodes) -> None:
    for _ in range(4):
        await nodes.step(co2("inc_room_1", 3.0, nodes.clock.now()))
    browser = await at_the_hub(nodes)
    (alarm,) = (await browser.get("/api/alarms")).json()
    assert (alarm["rule_id"], alarm["state"], alarm["waits"]) == (LOW, "UNACK", "")
    assert LOW in (await browser.get("/alarms")).text and "Asked" not in (await browser.look("/alarms")).text
    answer = await browser.post(f"/alarms/{quote(LOW, safe='')}/acknowledge", data={"reason": "on my way"})
    assert answer.status_code == 303
    for page in ("/", "/alarms", f"/alarms/one?rule={quote(LOW)}"):
        assert WAITS in (await browser.get(page)).text, page
    for _ in range(2):
        await nodes.step(co2("inc_room_1", 3.0, nodes.clock.now()))
    page = (await browser.get(f"/alarms/one?rule={quote(LOW)}")).text
    assert WAITS not in page and "Acknowledged by operator-1" in page
