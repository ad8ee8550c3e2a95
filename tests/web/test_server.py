"""What the server owes everyone: whole trends, honest faults, caches and promptness."""

import gzip
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.web.people import Browser

from cultureops.app import web_context
from cultureops.clock import DAY_MS, MINUTE_MS
from cultureops.demo.pace import DemoPace
from cultureops.device.reading import Reason
from cultureops.errors import StorageError
from cultureops.web import server
from cultureops.web.api import reading


@asynccontextmanager
async def signed_in(served: Any, transport: httpx.ASGITransport | None = None) -> AsyncIterator[Browser]:
    base_url = served.url if transport is None else "http://127.0.0.1"
    async with Browser(base_url=base_url, transport=transport, timeout=20) as browser:
        await browser.log_in("operator-1")
        yield browser


async def test_a_trend_finer_than_the_polls_has_no_false_holes(served: Any) -> None:
    for minute in range(120):
        await served.read("temperature", 37.0 + minute % 2)
    async with signed_in(served) as client:
        trend = (await client.get("/api/chambers/incubator_1/trend?span=6h")).json()
    (curve,) = [t for t in trend["channels"] if t["channel"] == "incubator_1/temperature"]
    seen = -(-(served.clock.now() - 119 * MINUTE_MS - curve["first_ms"]) // curve["width_ms"])
    assert len(curve["mean"][seen:]) > 50
    assert None not in curve["mean"][seen:]
    assert {min(curve["minimum"][seen:-1]), max(curve["maximum"][seen:-1])} == {37.0, 38.0}


async def test_a_gap_is_told_with_device_channels_and_reason(served: Any) -> None:
    await served.read("temperature", 37.0)
    await served.read("temperature", None, Reason.NOT_CONNECTED)
    await served.read("temperature", 37.0)
    async with signed_in(served) as client:
        gaps = (await client.get("/api/batches/B-1/chart")).json()["gaps"]
        page = (await client.get("/chambers/incubator_1")).text
    assert [gap["text"] for gap in gaps] == ["incubator_1: no Temperature, no link to the device"]
    assert gaps[0]["to"] - gaps[0]["from"] == MINUTE_MS
    assert "no link to the device" in page[page.index("Times without a value") :]


async def test_plotly_comes_zipped_and_is_asked_for_once(served: Any) -> None:
    async with signed_in(served) as client:
        plain = await client.get("/assets/plotly.min.js", headers={"accept-encoding": "identity"})
        async with client.stream("GET", "/assets/plotly.min.js", headers={"accept-encoding": "gzip"}) as zipped:
            raw = b"".join([part async for part in zipped.aiter_raw()])
        again = await client.get("/assets/plotly.min.js", headers={"if-none-match": zipped.headers["etag"]})
    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content
    assert plain.headers["etag"] != zipped.headers["etag"]
    assert (again.status_code, again.content) == (304, b"")


async def test_a_store_that_fails_is_a_503_and_a_fault_of_ours_a_500_in_words(
    served: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing: list[Exception] = [StorageError("telemetry.sqlite: disk full; make room"), RuntimeError("secret detail")]

    def fail(*_: object) -> None:
        raise failing.pop(0)

    monkeypatch.setattr(reading, "batch_answer", fail)
    with caplog.at_level(logging.CRITICAL, "uvicorn.error"):
        async with signed_in(served) as client:
            full, fault = [await client.get("/api/batches/B-1") for _ in range(2)]
    assert (full.status_code, full.json()["detail"]) == (503, "telemetry.sqlite: disk full; make room")
    assert fault.status_code == 500 and "secret" not in fault.text
    assert fault.headers["content-type"] == "application/problem+json"
    assert "script-src 'self';" in fault.headers["content-security-policy"]


async def test_pages_say_uncached_and_unknown_ones_are_answered_in_words(served: Any) -> None:
    async with signed_in(served) as client:
        assert (await client.get("/")).headers["cache-control"] == "no-cache"
        assert (await client.get("/static/css/base.css")).headers["cache-control"] == "no-cache"
        assert "there is no such page here" in (await client.get("/nothing")).text


async def test_a_demo_is_paused_sped_up_and_left_where_it_was_asked_from(served: Any) -> None:
    pace = DemoPace(served.clock, 3600.0, headless=False)
    app = httpx.ASGITransport(server.create_app(web_context(served.lab, pace)))
    async with signed_in(served, app) as client:
        assert "Fast-forwarding to day 10: <b" in (await client.get("/")).text
        served.clock.advance(11 * DAY_MS)
        answer = await client.post("/pace", data={"action": "pause", "back": "/batches/B-1"})
        assert (answer.status_code, answer.headers["location"], pace.paused) == (303, "/batches/B-1", True)
        assert "<b>paused</b>" in (await client.get("/alarms")).text
        from_the_bench = await client.post("/pace", data={"action": "resume", "back": "/batches/B-1/do/Note"})
        assert from_the_bench.headers["location"] == "/batches/B-1/do/Note", "nobody loses the page they were on"
        await client.post("/pace", data={"action": "speed", "lab_seconds_per_second": "60"})
        assert (pace.paused, pace.lab_seconds_per_second) == (False, 60.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "stop"},
        {"action": "speed"},
        {"action": "speed", "lab_seconds_per_second": "0"},
        {"action": "speed", "lab_seconds_per_second": "nan"},
        {"action": "speed", "lab_seconds_per_second": "inf"},
    ],
)
async def test_a_pace_that_is_none_changes_nothing(served: Any, wrong: dict[str, str]) -> None:
    pace = DemoPace(served.clock, 3600.0, headless=False)
    app = httpx.ASGITransport(server.create_app(web_context(served.lab, pace)))
    async with signed_in(served, app) as client:
        assert (await client.post("/pace", data=wrong)).status_code == 400
    assert (pace.paused, pace.lab_seconds_per_second) == (False, 3600.0)


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example", "/batches/../../x"])
async def test_a_change_of_pace_leads_to_our_own_pages_only(served: Any, back: str) -> None:
    app = httpx.ASGITransport(server.create_app(web_context(served.lab, DemoPace(served.clock, 60.0, headless=False))))
    async with signed_in(served, app) as client:
        answer = await client.post("/pace", data={"action": "pause", "back": back})
    assert answer.headers["location"] == "/"


async def test_only_a_demo_is_paced(served: Any) -> None:
    async with signed_in(served) as client:
        answer = await client.post("/pace", data={"action": "pause"})
    assert answer.status_code == 404 and "only a demo can be paced" in answer.text


async def test_answers_on_one_connection_do_not_wait_for_acknowledgements(served: Any) -> None:
    """Without TCP_NODELAY each answer waits 40 ms."""
    async with signed_in(served) as client:
        taken = []
        for _ in range(15):
            begun = time.perf_counter()
            await client.get("/api/latest")
            taken.append(time.perf_counter() - begun)
    assert sorted(taken)[7] < 0.03
