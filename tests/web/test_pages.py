"""Pages and answers over a real port: what they show, refuse and never leak."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from cultureops.batch import commands as do
from cultureops.device.reading import Reason
from cultureops.errors import CultureOpsError
from cultureops.web.server import serve

PAGES = ("/", "/alarms", "/batches/B-1", "/chambers/incubator_1", "/chambers/incubator_1?span=30d")
SERIES = "/api/channels/incubator_1"
CALLS = (
    *("/api/health", "/api/latest", "/api/batches", "/api/batches/B-1", "/api/alarms", "/api/batches/B-1/chart"),
    *("/api/chambers/incubator_1/trend", "/api/chambers/incubator_1/marks", "/api/openapi.json"),
    f"{SERIES}/co2/series?start=2026-01-05T08:00:00Z&end=2026-01-06T08:00:00Z&points=10",
)


async def test_every_page_and_call_answers_with_guarding_headers(client: httpx.AsyncClient) -> None:
    for path in (*PAGES, *CALLS, "/static/css/base.css", "/assets/plotly.min.js"):
        answer = await client.get(path)
        assert answer.status_code == 200, path
        assert "script-src 'self';" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        if path.startswith("/api/"):
            json.loads(answer.text)


async def test_the_board_shows_value_unit_quality_age_and_marks(served: Any, client: httpx.AsyncClient) -> None:
    await served.read("temperature", 36.84)
    await served.read("heracell_1/temperature", None, Reason.NOT_CONNECTED)
    page = (await client.get("/")).text
    for shown in ("36.84", "°C", "GOOD", "unverified", "simulated", "B-1", "COI-7F3K2", Reason.NOT_CONNECTED.text):
        assert shown in page
    assert "<svg class=" in page


async def test_an_alarm_names_the_batch_and_is_acknowledged_with_a_reason(
    served: Any, client: httpx.AsyncClient
) -> None:
    await served.read("co2", 3.0)
    board = (await client.get("/")).text
    assert "batch inside: B-1" in board
    path = "/alarms/incubator_1/co2/low/acknowledge"
    assert (await client.post(path, data={})).status_code == 400
    assert (await client.post(path, data={"reason": "gas"})).status_code == 303
    assert [view.acknowledged_by for view in served.lab.engine.active()] == ["operator-1"]
    again = await client.post(path, data={"reason": "gas"})
    assert again.status_code == 409 and "nothing to acknowledge" in again.text
    assert "acknowledged by operator-1: gas" in (await client.get("/alarms")).text


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}],
)
async def test_another_sites_page_changes_nothing(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for path in ("/alarms/incubator_1/co2/low/acknowledge", "/pace"):
        answer = await client.post(path, data={"reason": "y", "action": "pause"}, headers=headers)
        assert answer.status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""])
async def test_a_foreign_name_of_this_machine_is_not_served(client: httpx.AsyncClient, host: str) -> None:
    for path in ("/", "/api/health"):
        assert (await client.get(path, headers={"host": host})).status_code == 403
    assert (await client.get("/", headers={"host": "localhost:1"})).status_code == 200


async def test_what_people_write_is_shown_as_text(served: Any, client: httpx.AsyncClient) -> None:
    await served.do(do.Note(text='<script>alert(1)</script><img src=x onerror="alert(1)">'))
    page = (await client.get("/batches/B-1")).text
    assert "<script>alert" not in page and "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/batches/nobody", 404),
        ("/batches/%3Cscript%3E", 404),
        ("/chambers/nobody", 404),
        ("/chambers/incubator_1?span=9y", 400),
        ("/nothing", 404),
        ("/static/%2e%2e/server.py", 404),
        ("/api/batches/nobody", 404),
        ("/api/batches/%3Cscript%3E/chart", 404),
        ("/api/chambers/x/trend", 404),
        ("/api/%00", 404),
        (f"{SERIES}/co2/series", 400),
        (f"{SERIES}/co2/series?start=yesterday&end=now", 400),
        (f"{SERIES}/co2/series?start=2026-01-06T00:00:00Z&end=2026-01-05T00:00:00Z", 400),
        (f"{SERIES}/co2/series?start=2026-01-05T00:00:00Z&end=2026-01-06T00:00:00Z&points=0", 400),
        (f"{SERIES}/b/series?start=2026-01-05T00:00:00Z&end=2026-01-06T00:00:00Z", 404),
    ],
)
async def test_a_mistake_is_answered_in_words(client: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    if answer.headers["content-type"].startswith("text/html"):
        assert "<script>" not in answer.text
    if path.startswith("/api/"):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


async def test_the_stream_tells_what_is_read_later(served: Any, client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/stream") as answer:
        lines = answer.aiter_lines()
        assert answer.headers["content-type"].startswith("text/event-stream")
        greeting = await next_event(lines, "readings")
        assert {row[0] for row in greeting["readings"]} == {"incubator_1/temperature", "incubator_1/co2"}
        assert (await next_event(lines, "alarms"))["alarms"] == []
        await served.read("co2", 3.21)
        told = [await next_event(lines, "alarms"), await next_event(lines, "readings")]
        assert told[0]["alarms"][0]["batch_ids"] == ["B-1"]
        assert ["incubator_1/co2", 3.21, "GOOD", ""] in [row[:4] for row in told[1]["readings"]]


async def next_event(lines: Any, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(5):
        async for line in lines:
            if line == f"event: {kind}":
                told: dict[str, Any] = json.loads((await anext(lines)).removeprefix("data: "))
                return told
    raise AssertionError(kind)


async def test_charts_hold_exactly_the_batchs_chambers_and_keep_extremes(
    served: Any, client: httpx.AsyncClient
) -> None:
    await served.read("temperature", 35.01)
    chart = (await client.get("/api/batches/B-1/chart")).json()
    (trace,) = [t for t in chart["environment"]["temperature"] if t["channel"] == "incubator_1/temperature"]
    assert min(v for v in trace["minimum"] if v is not None) == 35.01
    assert None in trace["mean"]  # an hour between two readings is a hole
    assert chart["culture"]["confluence"]["y"] == [12.0]


async def test_a_taken_port_is_one_line(served: Any) -> None:
    port = int(served.url.rpartition(":")[2])
    with pytest.raises(CultureOpsError, match=rf"127\.0\.0\.1:{port} is taken; choose another port"):
        await serve(FastAPI(), "127.0.0.1", port, lambda _: None)


async def test_an_alarm_goes_on_naming_a_batch_that_has_left_the_chamber(
    served: Any, client: httpx.AsyncClient
) -> None:
    await served.read("co2", 3.0)
    await served.do(do.Move(vessels="B-1-P0", to_chamber="incubator_2"))
    (alarm,) = (await client.get("/api/alarms")).json()
    assert alarm["batch_ids"] == ["B-1"] and "B-1" in alarm["text"]
    assert "batch inside: B-1" in (await client.get("/alarms")).text
