"""Names and texts that try to be a script, a formula or a path are text everywhere: pages, files, records, labels."""

import csv
import html
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from tests.web.addresses import PAGES, all_routes
from tests.web.conftest import Served
from tests.web.hostile import ALL, REFUSED, open_hostile
from tests.web.markup import faults_in, orders_in
from tests.web.people import Browser

from cultureops.app import web_context
from cultureops.csv_text import read_cell, write_cell
from cultureops.errors import ConfigError
from cultureops.site import site_from
from cultureops.web.server import create_app

UNENDING = ("/stream", "/assets/plotly.min.js", "/api/openapi.json")
PAPER = ("/batches/{batch_id}/record.pdf", "/batches/{batch_id}/forms.pdf")


@pytest.fixture
async def served(tmp_path: Path, people: Path) -> AsyncIterator[Served]:
    async with open_hostile(tmp_path, people) as opened:
        yield opened


async def test_it_is_text_in_every_answer(served: Served) -> None:
    seen = await looked_at(served, addresses(served, without=(*UNENDING, *PAPER)))
    assert min(seen[kind] for kind in ("text/html", "application/json", "text/csv")) > 0, seen
    assert seen["text/html"] > 20


@pytest.mark.soak
async def test_it_is_text_on_paper(served: Served) -> None:
    seen = await looked_at(served, {path.replace("{batch_id}", "B-1") for path in PAPER})
    assert seen == {"application/pdf": len(PAPER)}


async def looked_at(served: Served, paths: Iterable[str]) -> Counter[str]:
    """Look at addresses as quality assurance, check each answer by its kind, and return how many there were of each."""
    seen: Counter[str] = Counter()
    async with Browser(base_url=served.url, timeout=30) as browser:
        await browser.log_in("quality-1")
        for path in sorted(paths):
            answer = await browser.get(path)
            assert answer.status_code < 500, path
            if answer.status_code == 200:
                kind = answer.headers.get("content-type", "").partition(";")[0]
                seen[kind] += 1
                assert CHECKS.get(kind, lambda _: [])(answer.content) == [], path
    return seen


def addresses(served: Served, without: Sequence[str]) -> set[str]:
    """Return an address for everything that can be looked at."""
    found = {example.address for several in PAGES.values() for example in several}
    names = {"batch_id": "B-1", "chamber_id": "incubator_1", "device": "incubator_1", "name": "co2", "kind": "csv"}
    for route in all_routes(create_app(web_context(served.lab, None)).routes):
        if "GET" in route.methods and route.path not in (*PAGES, *without):
            filled = re.sub(r"\{(\w+)\}", lambda match: names.get(match[1], "1"), route.path)
            found.add(filled + "?start=2026-01-05T08:00:00Z&end=2026-01-06T08:00:00Z&points=10")
    return found


def test_what_is_looked_for_is_seen() -> None:
    bad = (
        '<html><h1>a</h1><h3 id="x">b</h3><p id="x"></p><input name="n"><a href="/"></a><img src="y">'
        '<section aria-labelledby="gone"><a href="/">x<button>y</button></a></section></html>'
    )
    good = '<html lang="en"><h1 id="h">a</h1><label>n <input name="n"></label><input id="i" aria-label="i"></html>'
    assert len(faults_in(bad)) == 8 and faults_in(good) == []
    assert len(orders_in(ALL)) == 2 and len(orders_in(f'<a title="{ALL}">')) >= 2
    assert orders_in(html.escape(ALL)) == orders_in(f'<a title="{html.escape(ALL)}">') == []
    assert of_table(b"a,=1+1\r\n") == ["=1+1"]


def of_page(content: bytes) -> list[str]:
    return [*orders_in(content.decode()), *faults_in(content.decode())]


def of_data(content: bytes) -> list[str]:
    json.loads(content)
    return []


def of_table(content: bytes) -> list[str]:
    cells = itertools.chain.from_iterable(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    return [cell[:80] for cell in cells if write_cell(read_cell(cell)) != cell]


def of_paper(content: bytes) -> list[str]:
    """Return what a reader of PDF files would carry out: scripts, forms, files within, links to programs."""
    reader = PdfReader(io.BytesIO(content))
    found = [*({"/OpenAction", "/AA", "/AcroForm"} & reader.root_object.keys()), *reader.attachments]
    found += ["/JavaScript"] if "/JavaScript" in reader.root_object.get("/Names", {}) else []
    actions = [note.get_object().get("/A", {}) for page in reader.pages for note in page.get("/Annots", ())]
    return found + [str(action) for action in actions if action and action["/S"] not in ("/URI", "/GoTo")]


CHECKS: Mapping[str, Callable[[bytes], list[str]]] = {
    "text/html": of_page,
    "application/json": of_data,
    "text/csv": of_table,
    "application/pdf": of_paper,
}


@pytest.mark.parametrize("key", ["id", "title"])
def test_a_site_file_takes_no_name_that_is_obeyed(key: str) -> None:
    from cultureops.config import parse

    for text in (*REFUSED, *(["a/b"] if key == "id" else [])):
        row: dict[str, Any] = {"id": "incubator_1", "class": "incubator", key: text}
        lines = "\n".join(f"{name} = {json.dumps(value, ensure_ascii=True)}" for name, value in row.items())
        if "\\ud8" in lines or "\x00" in lines:
            lines = "\n".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in row.items())
        with pytest.raises(ConfigError) as refusal:
            site_from(parse(f'[site]\nname = "L"\n[[chamber]]\n{lines}\n', "site.toml"), Path("site.toml"))
        assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 300
