"""What people do about alarms on the pages: shelve, take out of service, follow a link, look at the figures."""

import dataclasses
from typing import Any

import httpx
import pytest
from tests.web.people import PASSWORD

from cultureops.alarms import State
from cultureops.app import web_context
from cultureops.clock import HOUR_MS, MINUTE_MS, SeededEntropy
from cultureops.notify.link import Links
from cultureops.web.server import create_app

RULE = "incubator_1/co2/low"
SEEN = {"reason": "sensor is being changed"}
SECOND = {"witness": "operator-2", "witness_password": PASSWORD}


def state(served: Any) -> State:
    return served.lab.engine.view(RULE).state  # type: ignore[no-any-return]


async def order(client: httpx.AsyncClient, order: str, **more: str) -> httpx.Response:
    return await client.post(f"/alarms/{RULE}/{order}", data={**SEEN, "back": "/alarms", **more})


async def test_shelving_wants_a_second_person_and_is_listed_with_its_reason(
    served: Any, client: httpx.AsyncClient
) -> None:
    await served.read("co2", 3.0)
    assert 'name="witness" required' in (await client.get("/alarms")).text
    alone = await order(client, "shelve", minutes="10")
    assert alone.status_code == 409 and "second person" in alone.text
    guessed = await order(client, "shelve", minutes="10", witness="operator-2", witness_password="guessed")
    assert guessed.status_code == 403 and "name, password or code is wrong" in guessed.text
    themselves = await order(client, "shelve", minutes="10", witness="operator-1", witness_password=PASSWORD)
    assert themselves.status_code == 409 and "their own witness" in themselves.text
    long = await order(client, "shelve", minutes="20", **SECOND)
    assert long.status_code == 409 and "at most 15 min" in long.text
    done = await order(client, "shelve", minutes="10", **SECOND)
    assert (done.status_code, done.headers["location"]) == (303, "/alarms")
    assert state(served) is State.SHELVED
    page = (await client.get("/alarms")).text
    assert "No alarm is active." in page and "condition there" in page
    assert "by operator-1 with operator-2: sensor is being changed" in page
    assert (await order(client, "release")).status_code == 303
    assert state(served) is State.UNACK


async def test_out_of_service_and_back(served: Any, client: httpx.AsyncClient) -> None:
    await served.read("co2", 3.0)
    assert (await order(client, "take_out", **SECOND)).status_code == 303
    await served.read("co2", 5.0)
    assert state(served) is State.OUT_OF_SERVICE
    assert "Put back into service" in (await client.get("/alarms")).text
    assert (await order(client, "release")).status_code == 303
    assert state(served) is State.NORMAL


async def test_the_page_says_what_the_batch_has_lived_through(served: Any, client: httpx.AsyncClient) -> None:
    for _ in range(4):
        await served.read("co2", 3.0)
    page = (await client.get("/alarms")).text
    assert "B-1" in page and "3.0 min, 3 % x min" in page
    (alarm,) = (await client.get("/api/alarms")).json()
    (exposure,) = alarm["exposures"]
    assert (exposure["batch_id"], exposure["minutes"], exposure["degree_minutes"]) == ("B-1", 3.0, 3.0)


@pytest.mark.parametrize(
    ("what", "more"),
    [
        ("explode", {}),
        ("shelve", {"minutes": "nan"}),
        ("shelve", {"minutes": "-1"}),
        ("shelve", {"minutes": "1e9"}),
        ("shelve", {"minutes": "10", "witness": "x" * 201}),
        ("acknowledge", {"raised_at": "yesterday"}),
    ],
)
async def test_garbage_is_refused(served: Any, client: httpx.AsyncClient, what: str, more: dict[str, str]) -> None:
    await served.read("co2", 3.0)
    assert (await order(client, what, **more)).status_code == 400
    assert state(served) is State.UNACK


async def test_an_older_page_acknowledges_nothing_new(served: Any, client: httpx.AsyncClient) -> None:
    await served.read("co2", 3.0)
    stale = str(served.lab.engine.view(RULE).raised_at - 1)
    answer = await order(client, "acknowledge", raised_at=stale)
    assert answer.status_code == 409 and "raised anew" in answer.text
    assert state(served) is State.UNACK


async def test_a_link_acknowledges_once_in_the_name_it_was_sent_to(served: Any, stranger: httpx.AsyncClient) -> None:
    await served.read("co2", 3.0)
    lab = served.lab
    links = Links(b"k" * 32, SeededEntropy(3))
    lab.alarming.links._links = links
    view = lab.engine.view(RULE)
    token = links.token(RULE, view.raised_at, "on-call-1", served.clock.now() + HOUR_MS)
    path = f"/alarms/link/{token}"
    page = await stranger.get(path)
    assert page.status_code == 200 and "on-call-1" in page.text and "B-1" in page.text
    assert state(served) is State.UNACK, "a scanner of mails looks at links too"
    assert (await stranger.post(path, data={"reason": " "})).status_code == 400
    assert (await stranger.post(path, data={"reason": "on my way"})).status_code == 200
    assert lab.engine.view(RULE).acknowledged_by == "on-call-1"
    again = await stranger.post(path, data={"reason": "again"})
    assert again.status_code == 403
    for forged in (token[:-2] + "xx", "nonsense", token.replace(".", "")):
        assert (await stranger.get(f"/alarms/link/{forged}")).status_code == 403
    served.clock.advance(HOUR_MS + MINUTE_MS)
    late = await stranger.get(path)
    assert late.status_code == 403 and "expired" in late.text


async def test_a_site_that_sends_no_links_opens_none(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/alarms/link/abc.def")
    assert answer.status_code == 403 and "sends no links" in answer.text


async def test_the_figures_say_when_the_record_is_too_short(served: Any, client: httpx.AsyncClient) -> None:
    await served.read("co2", 3.0)
    served.clock.advance(MINUTE_MS)
    page = (await client.get("/alarms/performance")).text
    assert "insufficient" in page and RULE in page
    for days in ("0", "x", "400"):
        assert (await client.get(f"/alarms/performance?days={days}")).status_code == 400


async def test_the_public_name_opens_links_and_nothing_else(served: Any) -> None:
    context = dataclasses.replace(web_context(served.lab, None), public_url="https://lab.example")
    transport = httpx.ASGITransport(app=create_app(context))
    async with httpx.AsyncClient(transport=transport, base_url="http://lab.example") as phone:
        assert (await phone.get("/alarms/link/abc.def")).status_code == 403
        for path in ("/", "/alarms", "/api/health", "/static/css/base.css", "/alarms/link/../../api/health"):
            assert (await phone.get(path)).status_code == 403, path
        posted = await phone.post(
            "/alarms/link/abc.def", data={"reason": "seen"}, headers={"origin": "https://lab.example"}
        )
        assert posted.status_code == 403
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as proxy:
        headers = {"origin": "https://lab.example"}
        assert (await proxy.post("/alarms/link/abc.def", data={"reason": "seen"}, headers=headers)).status_code == 403
        assert (await proxy.post(f"/alarms/{RULE}/acknowledge", data=SEEN, headers=headers)).status_code == 403
        evil = {"origin": "https://evil.example"}
        assert (await proxy.post("/alarms/link/abc.def", data={"reason": "seen"}, headers=evil)).status_code == 403


async def test_an_instant_that_cannot_be_is_refused(served: Any, client: httpx.AsyncClient) -> None:
    await served.read("co2", 3.0)
    assert (await order(client, "acknowledge", raised_at="9" * 4000)).status_code == 400
