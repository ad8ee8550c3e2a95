"""What alarms have done is chosen by a form and paged through by position; garbage is answered in words."""

import html
import re
from typing import Any

import httpx
import pytest

from cultureops.clock import HOUR_MS, MINUTE_MS

RULE = "incubator_1/co2/low"
ONE = f"/alarms/one?rule={RULE}"


def rows(page: str) -> list[str]:
    return re.findall(r'<tr id="p(\d+)">', page)


async def blip(served: Any, times: int) -> None:
    for _ in range(times):
        await served.read("co2", 3.0)
        await served.read("co2", 5.0)
        await served.lab.acknowledge(RULE, "operator-1", "gas changed")


async def test_the_history_is_chosen_from_and_paged_through(served: Any, client: httpx.AsyncClient) -> None:
    await blip(served, 30)
    seen: list[str] = []
    link: str | None = ""
    while link is not None:
        page = (await client.get(f"/alarms/history{html.unescape(link)}")).text
        seen += rows(page)
        found = re.search(r'href="(\?[^"]+)" rel="next"', page)
        link = None if found is None else found[1]
    assert len(seen) == len(set(seen)) >= 90 and seen == sorted(seen, key=int, reverse=True)
    whole = len(seen)
    for query, count in {
        "what=cleared": 30,
        "what=acknowledged": 0,
        "what=raised&kind=low&priority=high&chamber=incubator_1&batch=B-1": 30,
        "what=raised&kind=high": 0,
        "priority=low": 0,
        "chamber=incubator_2": 0,
        "batch=B-2": 0,
        "batch=%22": 0,
        "rule=nobody": 0,
        f"rule={RULE}&since=2026-01-01T00:00&until=2027-01-01T00:00": min(whole, 50),
        "until=2026-01-05T08:00": 0,
        "cursor=0": 0,
        "cursor=9007199254740992": min(whole, 50),
    }.items():
        answer = await client.get(f"/alarms/history?{query}")
        assert (answer.status_code, len(rows(answer.text))) == (200, count), query
    for query in (
        *("cursor=-1", "cursor=x", "cursor=" + "9" * 40, "what=exploded", "kind=loud", "priority=grave"),
        *("since=yesterday", "since=0001-01-01T00:00", "until=9999-99-99T00:00", "batch=" + "x" * 300, "rule=%00"),
        "since=2026-01-06T00:00&until=2026-01-05T00:00",
    ):
        assert (await client.get(f"/alarms/history?{query}")).status_code == 400, query
    await _see_one(served, client)


async def _see_one(served: Any, client: httpx.AsyncClient) -> None:
    """One alarm's page: meaning, trend, what it did; and the acts that are offered there lead back to it."""
    await served.read("co2", 3.0)
    page = (await client.get(ONE)).text
    for told in (
        "Check the gas.",
        "The medium turns alkaline.",
        "30 min",
        'class="trend"',
        'class="limit"',
        "gas changed",
    ):
        assert told in page, told
    assert len(rows(page)) == 50 and 'rel="next"' in page
    answer = await client.post(f"/alarms/{RULE}/acknowledge", data={"quick": "On my way", "back": f"{ONE}&x=1"})
    assert answer.status_code == 303
    assert (await client.get(answer.headers["location"])).text.count("Acknowledged by operator-1") == 1
    for path in ("/alarms/one", "/alarms/one?rule=nobody", "/alarms/one?rule=%3Cscript%3E", f"{ONE}&cursor=x"):
        assert (await client.get(path)).status_code in (400, 404), path


async def test_what_is_refused_is_said_beside_what_was_typed(served: Any, client: httpx.AsyncClient) -> None:
    await served.read("co2", 3.0)
    typed = {"reason": 'sensor "7" changed', "minutes": "12", "back": "/alarms"}
    answer = await client.post(f"/alarms/{RULE}/shelve", data=typed)
    assert answer.status_code == 409 and "second person" in answer.text
    page = html.unescape(answer.text)
    assert 'value="sensor "7" changed"' in page and 'value="12"' in page and 'role="alert"' in page
    assert (await client.post(f"/alarms/{RULE}/acknowledge", data={})).status_code == 400
    forged = await client.post(f"/alarms/{RULE}/acknowledge", data={"quick": "Whatever"})
    assert forged.status_code == 400 and served.lab.engine.view(RULE).acknowledged_by is None
    second = {"witness": "operator-2", "witness_password": "a quiet morning by the lake"}
    assert (await client.post(f"/alarms/{RULE}/shelve", data={**typed, **second})).status_code == 303
    assert "12 min left" in (await client.get("/alarms")).text
    served.clock.advance(10 * MINUTE_MS)
    assert "2 min left" in (await client.get("/alarms")).text


@pytest.mark.parametrize("days", ["1", "30"])
async def test_the_figures_are_drawn_and_taken_home(served: Any, client: httpx.AsyncClient, days: str) -> None:
    await blip(served, 2)
    served.clock.advance(HOUR_MS)
    page = (await client.get(f"/alarms/performance?days={days}")).text
    assert 'class="share"' in page and 'class="mark"' in page and RULE in page
    answer = await client.get(f"/alarms/performance.csv?days={days}")
    assert answer.headers["content-disposition"].startswith("attachment;")
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines[0] == "from,to,key,figure,value,unit,target,judgement,alarms" and len(lines) > 15
    assert any(line.split(",")[2] == "per_hour" for line in lines[1:])
