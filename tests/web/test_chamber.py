"""A chamber's page: curves and marks of any window, figures without scripts, raw values, and a hand that moves it."""

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect
from tests.web.people import PASSWORD, cookies_of
from tests.web.test_browser import ARGS

from cultureops.batch import commands as do
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, iso
from cultureops.device.reading import Reason
from cultureops.ledger import NewEvent, Source
from cultureops.ledger.event import Actor

HERE = "/chambers/incubator_1"
NOT_A_WINDOW = (
    "from=nan&to=nan", "from=inf", "from=2026-01-06T08:00:00Z&to=2026-01-05T08:00:00Z", "from=9999-12-31T00:00:00Z",
    "to=2026-01-05T08:00:00Z", "from=0&to=1", "from=1&to=9007199254740993", "span=9y", "span=", "from=%00", "points=0",
    "points=1000000000", "points=x", "from=" + "9" * 400,
)  # fmt: skip


async def test_curves_marks_figures_and_raw_values_of_any_window(served: Any, client: httpx.AsyncClient) -> None:
    await served.read("temperature_setpoint", 37.0)
    await served.read("door", 1.0)
    await served.read("co2", 3.0)
    await served.read("co2", 3.0)
    await served.read("temperature", None, Reason.NOT_CONNECTED)
    await served.read("temperature_setpoint", 38.0)
    await served.read("temperature", 37.25)
    await served.do(do.Move(vessels="B-1-P0", to_chamber="incubator_2"))
    out = NewEvent("taken_out_of_service", {}, Actor("equipment-1", "EQ"), Source.HUMAN, reason="=fan <b>hums</b>")
    await served.lab.ledger.append("equipment:incubator_1", [out], None)
    await served.read("temperature", 37.25)
    now = served.clock.now()

    for wrong in NOT_A_WINDOW:
        for what in ("trend", "marks"):
            answer = await client.get(f"/api{HERE}/{what}?{wrong}")
            expected = 200 if wrong.startswith("points") and what == "marks" else 400
            assert answer.status_code == expected, (what, wrong)
        assert (await client.get(f"{HERE}?{wrong}")).status_code == (200 if wrong.startswith("points") else 400), wrong
    for unknown in ("/api/chambers/nobody/trend", "/api/chambers/nobody/marks", "/chambers/nobody/values"):
        assert (await client.get(unknown)).status_code == 404

    for start, width in ((now - 10 * MINUTE_MS, 2 * MINUTE_MS), (now - 60 * DAY_MS, 2 * HOUR_MS)):
        found = (await client.get(f"/api{HERE}/trend?from={start}&to={now}&points=1000")).json()
        curves = {curve["channel"]: curve for curve in found["channels"]}
        warm, gas = curves["incubator_1/temperature"], curves["incubator_1/co2"]
        assert warm["width_ms"] >= (10_000 if width < HOUR_MS else width) and warm["first_ms"] % warm["width_ms"] == 0
        assert min(v for v in gas["minimum"] if v is not None) == 3.0 and warm["maximum"][-1] == 37.25
        assert len(warm["mean"]) <= 1_001 and (warm["verified"], warm["simulated"], warm["unit"]) == (True, True, "°C")
    beyond = f"from={now + DAY_MS}&to={now + 2 * DAY_MS}"
    assert all(not curve["mean"] for curve in (await client.get(f"/api{HERE}/trend?{beyond}")).json()["channels"])

    marks = (await client.get(f"/api{HERE}/marks?from={now - HOUR_MS}&to={now + 1}")).json()
    assert [row["text"] for row in marks["alarms"]] == ["alarm: CO₂, low at 4 %"]
    assert [row["value"] for row in marks["limits"]] == [4.0] and marks["knows_limits"] is True
    assert [row["text"] for row in marks["states"]] == ["incubator_1: door open"]
    assert "incubator_1: no Temperature, no link to the device" in [row["text"] for row in marks["gaps"]]
    assert any("setpoint 37.0 → 38.0 °C" in row["text"] for row in marks["events"])
    (stay,) = marks["stays"]
    assert (stay["batch"], stay["vessels"]) == ("B-1", "B-1-P0") and stay["to"] <= now

    page = (await client.get(f"{HERE}?span=7d")).text
    for shown in ("alarm: CO₂, low at 4 %", "door open", "B-1-P0", "no link to the device", "taken out of service"):
        assert shown in page, shown
    assert "=fan &lt;b&gt;hums" in page and "out of service" in page and "unverified" in page
    assert re.search(r"Whole window</th>\s*<td class=\"num\">37.00</td>", page)

    window = f"channel=incubator_1/temperature&from={iso(now - HOUR_MS)}&to={iso(now)}"
    values = (await client.get(f"{HERE}/values?{window}")).text
    assert "37.25" in values and "no link to the device" in values and "BAD" in values
    raw = await client.get(f"{HERE}/values.csv?{window}")
    assert "attachment" in raw.headers["content-disposition"] and raw.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(raw.content.decode("utf-8-sig"))))
    assert [(row["value"], row["quality"]) for row in rows[-2:]] == [("", "BAD"), ("37.25", "GOOD")]
    assert rows[-1]["device time (UTC)"] == rows[-1]["received (UTC)"] and rows[-1]["simulated"] == "true"
    week = f"channel=incubator_1/temperature&from={now - 8 * DAY_MS}&to={now}"
    assert (await client.get(f"{HERE}/values.csv?{week}")).status_code == 400
    assert "longer than 24 hours" in (await client.get(f"{HERE}/values?{week}")).text
    for wrong in ("channel=nobody/x", "channel=%3Cscript%3E", ""):
        assert (await client.get(f"{HERE}/values.csv?{wrong}")).status_code == 404


@pytest.fixture
async def page(chromium: str, served: Any) -> AsyncIterator[Page]:
    """The page of a chamber whose curves are drawn; fails the test for an error."""
    wrong: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGS)
        opened = await browser.new_page(viewport={"width": 820, "height": 1180})
        await opened.context.add_cookies(await cookies_of(served.url, "operator-1"))
        opened.on("pageerror", lambda error: wrong.append(f"error {error}"))
        opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        await opened.goto(f"{served.url}{HERE}?span=6h")
        await opened.locator("#trend[data-whole=true]").wait_for(timeout=15_000)
        yield opened
        await browser.close()
    assert wrong == []


async def test_a_hand_and_keys_move_the_window_and_the_address_keeps_it(served: Any, page: Page) -> None:
    async def seen() -> tuple[int, int, int]:
        """From, to, and how many points of the first curve lie in the window."""
        found = await page.evaluate(
            """() => { const plot = document.querySelector("#curves .js-plotly-plot");
              const {from, to, offsetMin} = document.getElementById("trend").dataset;
              const [first, last] = plot.layout.xaxis.range.map((at) => new Date(at).getTime());
              const inside = plot.data[2].x.filter((at, i) => plot.data[2].y[i] !== null && at >= first && at <= last);
              return [Number(from), Number(to), inside.length]; }"""
        )
        return found[0], found[1], found[2]

    async def moved(before: tuple[int, int, int]) -> tuple[int, int, int]:
        await expect(trend).not_to_have_attribute("data-from", str(before[0]))
        return await seen()

    trend, curves = page.locator("#trend"), page.locator("#curves")
    first = await seen()
    assert first[1] - first[0] == 6 * HOUR_MS and first[2] > 0
    box = await curves.bounding_box()
    assert box is not None
    middle, height = box["x"] + box["width"] / 2, box["y"] + 60
    await page.mouse.move(middle, height)
    await page.mouse.down()
    await page.mouse.move(middle + 200, height, steps=4)
    await page.mouse.up()
    dragged = await moved(first)
    assert dragged[0] < first[0] - HOUR_MS and dragged[1] - dragged[0] == pytest.approx(6 * HOUR_MS, abs=2)
    await expect(page).to_have_url(re.compile(r"\?from="))
    await curves.focus()
    await page.keyboard.press("-")
    wider = await moved(dragged)
    assert wider[1] - wider[0] == pytest.approx(9 * HOUR_MS, rel=0.01) and wider[2] > dragged[2]
    await page.get_by_role("link", name="Zoom in").click()
    closer = await moved(wider)
    assert closer[1] - closer[0] == pytest.approx(4.5 * HOUR_MS, rel=0.01)
    await expect(page.locator("#window")).not_to_contain_text("up to now")
    await page.go_back()
    await expect(trend).not_to_have_attribute("data-to", str(closer[1]))
    await curves.focus()
    await page.keyboard.press("Home")
    await expect(page).to_have_url(re.compile(r"\?span=(6h|24h)"))  # how far back depends on what was drawn by then
    for _ in range(2):  # and what is read meanwhile comes by itself
        await served.read("temperature", 36.0)
    comes = """() => new Promise((done) => {
        const look = () => document.querySelector("#curves .js-plotly-plot").data[2].y.at(-1) === 36 && done();
        new MutationObserver(look).observe(document.getElementById("trend"), { attributes: true });
        look();
    })"""
    async with asyncio.timeout(15):
        await page.evaluate(comes)


async def test_a_display_on_a_wall_sees_the_page_and_its_curves(served: Any, client: Any) -> None:
    fields = {"password": PASSWORD, "title": "wall", "days": "30", "scopes": ["read"]}
    (token,) = re.findall(r'said-once">([^<]+)<', (await client.post("/account/tokens", data=fields)).text)
    async with httpx.AsyncClient(base_url=served.url, timeout=10) as wall:
        await wall.get(f"/display/{token}")
        shown = (await wall.get(HERE)).text
        assert "Figures of this window" in shown and "Raw values" not in shown and "<form" not in shown
        for what in ("trend", "marks"):
            assert json.loads((await wall.get(f"/api{HERE}/{what}?span=1h")).text)
        assert (await wall.get(f"{HERE}/values")).status_code == 303
