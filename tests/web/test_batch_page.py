"""The page of a batch without scripts: its head, sections and story, its stays, and images of its cells."""

import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.unit.analysis.culture_scenes import camera, spindles
from tests.unit.batch.bench import before, transplant
from tests.web.conftest import Served
from tests.web.people import Browser

from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.ledger.event import Actor

TOKEN = "COI-7F3K2"


def png(pixels: np.ndarray) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


@pytest.fixture(scope="module")
def cells() -> bytes:
    """A picture of cells, small and cheap to read."""
    return png(camera(spindles(30, shape=(200, 260))))


async def test_the_page_says_what_matters_and_leads_on(served: Served, client: Browser) -> None:
    await served.read("co2", 3.0)
    page = (await client.get("/batches/B-1")).text
    sections = re.findall(r'<details class="part" id="([\w-]+)"', page)
    assert sections == ["at-hand", "growth", "environment", "deviations", "lineage", "signatures", "timeline"]
    assert {f'href="#{name}"' for name in sections} <= set(re.findall(r'href="#[\w-]+"', page))
    assert "High alarm</strong>" in page and 'href="/batches/B-1/do"' in page
    for position in re.findall(r'<li class="[a-z_]+" id="p(\d+)"', page):
        assert f'href="#p{position}"' in page
    looked = served.lab.batches.get("B-1")
    assert looked is not None
    seen = next(event for event in looked.history if event.type == "confluence_observed")
    assert f"/batches/B-1/do/Correct?event_id={seen.event_id}" in page
    only = (await client.get("/batches/B-1?show=results&show=<script>")).text
    kinds = set(re.findall(r'<li class="([a-z_]+)" id="p', only))
    assert kinds == {"confluence_observed"} and "<script>" not in only
    assert "No entry of this kind" not in only

    figures = (await client.get("/batches/B-1/environment")).text
    assert "36.00" not in figures and "37.02" in figures and "36 to 38" in figures.replace("36.5 to 37.5", "36 to 38")
    for lost in ("box?store=s", "images/xyz", f"images/{'0' * 64}/original"):
        answer = await client.get(f"/batches/B-1/{lost}")
        assert answer.status_code == 404 and "<h1" in answer.text, lost

    # a chart without a reading shows its own time, and never the year 2000
    made = do.CreateBatch(patient_token="COI-4H9T6", recipe="tavakol_afshari_2021")
    await served.lab.execute(Command("B-2", made), Actor("operator-1", "OP"))
    batch = served.lab.batches.get("B-2")
    assert batch is not None
    chart = (await client.get("/api/batches/B-2/chart")).json()
    assert chart["from"] == batch.created_at < chart["to"] and chart["culture"]["fan"]["pct"] == []
    page = (await client.get("/batches/B-2")).text
    assert 'id="lineage"' not in page and 'id="cryo"' not in page
    full = (await client.get("/api/batches/B-1/chart")).json()
    assert {(trace["low"], trace["high"]) for trace in full["environment"]["temperature"]} == {(36.0, 38.0)}
    assert [limit["y"] for limit in full["limits"]] == [80.0, 80.0]


async def test_vials_and_clocks_of_a_batch_at_the_bench(served: Served, client: Browser) -> None:
    bench = before("wash 1", "frozen")
    served.clock.advance(max(0, bench.now - served.clock.now()))
    await transplant(served.lab.ledger, bench, "B-9")
    page = (await client.get("/batches/B-9")).text
    running = re.findall(r'<li class="running" data-level="(\w+)" data-zero-at="(\d+)"', page)
    assert running and bench.known.thaw is not None
    assert str(bench.known.thaw.ended_at) in {zero for _, zero in running}
    assert "If it runs out" in page or "What it means" in page
    address = re.search(r'href="(/batches/B-9/box\?[^"]+)"', page)
    assert address is not None
    box = (await client.get(address[1].replace("&amp;", "&"))).text
    assert box.count('class="place here"') + box.count('class="place was-here"') == len(bench.known.vials)


async def test_an_image_becomes_a_look_once_scanned_and_judged(served: Served, client: Browser, cells: bytes) -> None:
    def sent(name: str, body: bytes) -> Any:
        return client.post("/batches/B-1/images", data={}, files={"image": (name, body, "image/png")})

    await client.look("/batches/B-1/images")
    taken = await sent("../../<b>flask.png", cells)
    assert taken.status_code == 303, taken.text
    address = taken.headers["location"]
    shown = (await client.get(address)).text
    low, high = map(float, re.findall(r"between ([\d.]+) and ([\d.]+) %", shown)[0])
    for name, begins in (("picture.jpg", b"\xff\xd8\xff"), ("mask.png", b"\x89PNG")):
        assert (await client.get(f"{address}/{name}")).content.startswith(begins)
    original = await client.get(f"{address}/original")
    assert original.content == cells and original.headers["content-disposition"].startswith("attachment")
    assert 'class="tag unverified">not looked at yet' in (await client.get("/batches/B-1/images")).text

    look = {"vessels": "B-1-P0", "basis": "image", "n_fields": "1", "confluence_pct": str(high)}
    pair = {"scan_container": "B-1-P0.3", "scan_token": TOKEN}
    history = len(served.lab.ledger.read("batch:B-1"))
    for typed, status, said in (
        (look, 400, "scan"),
        (look | pair | {"confluence_pct": str(high + 3)}, 400, "is not within"),
        (look | pair | {"n_fields": "1.5"}, 400, "fields"),
        (look | pair | {"basis": ""}, 400, "rests on"),
        (look | pair | {"vessels": "B-7-P9"}, 409, "B-7-P9"),
        (look | pair | {"scan_token": "COI-0000X"}, 409, "Stop."),
    ):
        answer = await client.post(address, data=typed | {"entry": f"entry{status}{said}"})
        assert answer.status_code == status and said in answer.text, (typed, answer.status_code)
    refused = [event.type for event in served.lab.ledger.read("batch:B-1")[history:]]
    assert refused and set(refused) == {"command_refused"}, "only what was carried out is refused on record"
    typed = look | pair | {"entry": "one-entry", "reason": "first look by image"}
    answers = [await client.post(address, data=typed) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303], answers[0].text
    batch = served.lab.batches.get("B-1")
    assert batch is not None
    seen = [event for event in batch.history if event.type == "confluence_observed" and event.data["method"] == "image"]
    assert len(seen) == 1 and seen[0].data["evidence"][0]["image_sha256"] == address.rpartition("/")[2]
    assert [seen[0].data["evidence"][0][name] for name in ("low_pct", "high_pct")] == [low, high]
    gallery = (await client.get("/batches/B-1/images")).text
    assert f"<b>{high:.0f} %</b>" in gallery and "not looked at yet" not in gallery and "<b>flask" not in gallery

    made = do.CreateBatch(patient_token="COI-4H9T6", recipe="tavakol_afshari_2021")
    await served.lab.execute(Command("B-2", made), Actor("operator-1", "OP"))
    assert (await client.get(address.replace("B-1", "B-2"))).status_code == 404
    twice = await client.post("/batches/B-2/images", data={}, files={"image": ("a.png", cells, "image/png")})
    assert twice.status_code == 409 and "is evidence of B-1" in twice.text

    kept = len(served.lab.ledger.read("attachments"))
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    for name, body, said in (("a.svg", svg, "no readable"), ("", b"", "choose an image"), ("b.png", b"", "empty")):
        answer = await sent(name, body)
        assert answer.status_code == 400 and said in answer.text, name
    assert len(served.lab.ledger.read("attachments")) == kept, "nothing is kept of what can't be read"
