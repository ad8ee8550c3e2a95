"""What a batch's page tells of it, and that what a page takes can be recorded."""

import html
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.web.people import Browser

from cultureops.app import web_context
from cultureops.batch import commands as do
from cultureops.clock import SeededEntropy, iso
from cultureops.lab import open_lab
from cultureops.site import read_site
from cultureops.web.server import create_app

ACKNOWLEDGE = "/alarms/incubator_1/co2/low/acknowledge"


def section(page: str, name: str) -> str:
    """Return the text of one section of a page, as it is read."""
    (found,) = re.findall(rf'id="{name}" data-live[^>]*>(.*?)</(?:div|ol)>\n', page, re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found)).split())


async def transitions(served: Any) -> list[str]:
    """Return the kinds of the alarm events in the ledger, in order."""
    ledger = served.lab.ledger
    events = [event for stream in ledger.streams("alarm:") for event in ledger.read(stream, 0)]
    return [event.type for event in sorted(events, key=lambda event: event.position)]


@pytest.mark.parametrize("reason", ["gas\u200b", "gas\x00", "\u202egas", "\xa0", " ", "gas\ufffd"])
async def test_a_reason_that_cannot_be_recorded_is_refused_and_the_alarms_go_on_being_recorded(
    served: Any, client: httpx.AsyncClient, reason: str
) -> None:
    await served.read("co2", 3.0)
    answer = await client.post(ACKNOWLEDGE, data={"reason": reason})
    assert answer.status_code in (400, 409), answer.text
    assert [view.acknowledged_by for view in served.lab.engine.active()] == [None]
    done = await client.post(ACKNOWLEDGE, data={"reason": "gas – 5 %", "name": "somebody else"})
    assert done.status_code == 303
    assert [view.acknowledged_by for view in served.lab.engine.active()] == ["operator-1"]
    await served.read("co2", 5.0)
    assert await transitions(served) == ["alarm_raised", "alarm_acknowledged", "alarm_cleared"]


async def test_bytes_that_are_no_text_are_refused(served: Any, client: httpx.AsyncClient) -> None:
    await served.read("co2", 3.0)
    kind = {"content-type": "application/x-www-form-urlencoded"}
    for body in (b"reason=%ff", b"reason=gas%fe"):
        token = client.csrf.encode()  # type: ignore[attr-defined]
        answer = await client.post(ACKNOWLEDGE, content=body + b"&csrf=" + token, headers=kind)
        assert answer.status_code == 400
    assert await transitions(served) == ["alarm_raised"]


async def test_the_timeline_tells_every_step_the_newest_first(served: Any, client: httpx.AsyncClient) -> None:
    await served.do(do.Note(text="medium looks clear"))
    page = (await client.get("/batches/B-1")).text
    times = re.findall(r'<li class="[a-z_]+" id="p[0-9]+">.*?<time datetime="([^"]+)"', page)
    assert times == sorted(times, reverse=True) and times[0] == iso(served.clock.now())
    assert len(times) == len(served.lab.batches.get("B-1").history)
    told = section(page, "story")
    assert told.index("medium looks clear") < told.index("12 %") and "operator-1 (OP)" in told


async def test_the_tables_tell_where_it_stood_and_which_alarms_it_met(served: Any, client: httpx.AsyncClient) -> None:
    assert "no alarm so far" in section((await client.get("/batches/B-1")).text, "exposures")
    await served.read("co2", 3.0)
    page = (await client.get("/batches/B-1")).text
    assert "still there" in section(page, "exposures") and "incubator_1/co2/low" in section(page, "exposures")
    await served.read("co2", 5.0)
    await served.do(do.Move(vessels="B-1-P0", to_chamber="incubator_2"))
    page = (await client.get("/batches/B-1")).text
    assert "still there" not in section(page, "exposures")
    stays = re.findall(r'<th scope="row">B-1-P0</th>.*?</tr>', page)
    assert [("incubator_2" in stay, "still there" in stay) for stay in stays] == [(False, False), (True, True)]
    board = (await client.get("/")).text
    assert "No batch inside" in re.search(r'id="inside-incubator_1".*?</footer>', board, re.DOTALL)[0]
    assert "/batches/B-1" in re.search(r'id="inside-incubator_2".*?</footer>', board, re.DOTALL)[0]


async def test_a_value_turns_stale_after_three_polls_and_nothing_read_says_so(
    served: Any, client: httpx.AsyncClient
) -> None:
    async def measure(channel: str) -> str:
        page = (await client.get("/")).text
        (found,) = re.findall(rf'<div class="measure" data-channel="{channel}".*?>', page, re.DOTALL)
        return str(found)

    await served.read("temperature", 37.0)
    period_ms = served.lab.channels["incubator_1/temperature"].period_ms
    served.clock.advance(3 * period_ms)
    assert "data-stale" not in await measure("incubator_1/temperature")
    served.clock.advance(1)
    assert 'data-stale="true"' in await measure("incubator_1/temperature")
    never = await measure("heracell_1/temperature")
    assert 'data-stale="true"' in never and 'data-quality="BAD"' in never
    assert "nothing read yet" in (await client.get("/")).text


async def test_a_batch_whose_chamber_left_the_site_file_keeps_its_page(served: Any, tmp_path: Path) -> None:
    later_file = tmp_path / "later.toml"
    later_file.write_text('[site]\nname = "Later"\ntime_zone = "UTC"\n')
    (tmp_path / "later").mkdir()
    async with open_lab(read_site(later_file), tmp_path / "later", served.clock, SeededEntropy(2)) as later:
        for event in served.lab.ledger.read("batch:B-1", 0):
            later.batches.apply(event)
        context = replace(web_context(later, None), access=served.lab.access)
        app = httpx.ASGITransport(create_app(context))
        async with Browser(transport=app, base_url="http://127.0.0.1") as asking:
            await asking.log_in("operator-1")
            for path in ("/", "/batches/B-1"):
                answer = await asking.get(path)
                assert answer.status_code == 200 and "incubator_1" in answer.text
            chart = (await asking.get("/api/batches/B-1/chart")).json()
    assert chart["environment"] == {"temperature": [], "co2": []}
    assert chart["culture"]["confluence"]["y"] == [12.0]
