"""The audit trail and the review by exception on pages: found by a form, taken home, and nothing of it is a command."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.web.people import Browser

from cultureops.batch import commands as do
from cultureops.clock import HOUR_MS
from cultureops.keeping.audit import verify_audit
from cultureops.ledger.event import Actor, NewEvent, Source

HOSTILE = "=cmd|' /C calc'!A0<script>alert(1)</script>\"'\u202e"
PRINTABLE = HOSTILE.replace("\u202e", "")


def rows_of(page: str) -> list[str]:
    body = re.search(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    return [] if body is None else re.findall(r'<tr id="p[0-9]+">(.*?)</tr>', body[1], re.DOTALL)


def words(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


@pytest.mark.requirement("R1", "R3")
async def test_one_batch_and_one_person_are_found_by_the_form_and_the_export_verifies_again(
    served: Any, client: Browser, tmp_path: Path
) -> None:
    counted = served.lab.batches.get("B-1").history[-1]
    served.clock.advance(HOUR_MS)
    fix = do.Correct(event_id=counted.event_id, field="confluence_pct", value=14.0)
    await served.lab.execute(do.Command("B-1", fix, reason="misread"), Actor("operator-1", "OP"))
    answer = await client.get("/batches/B-1/audit", params={"person": "operator-1"})
    assert answer.status_code == 200
    (corrected,) = (row for row in rows_of(answer.text) if "Corrected" in row)
    said = words(corrected)
    assert "Operator One" in said and "operator-1, OP, human" in said and "misread" in said
    assert "confluence_observed.confluence_pct: 12.0 → 14.0" in said.replace("12 →", "12.0 →").replace(
        "→ 14 ", "→ 14.0 "
    )
    assert re.search(r"2026-01-\d\d \d\d:\d\d:\d\d\+01:00", said)
    for kind in ("csv", "jsonl"):
        export = await client.get(f"/audit/export.{kind}", params={"batch": "B-1", "person": "operator-1"})
        assert export.headers["content-disposition"].startswith('attachment; filename="audit-B-1-')
        file = tmp_path / f"audit.{kind}"
        file.write_bytes(export.content)
        await asyncio.to_thread(verify_audit, tmp_path, file, as_json=False)
    export = await client.get("/audit/export.csv", params={"batch": "B-1"})
    table = list(csv.DictReader(io.StringIO(export.content.decode("utf-8-sig"), newline="")))
    assert {row["stream"] for row in table[:-1]} == {"batch:B-1"}

    await _see_hostile_text_as_text(served, client)


async def _see_hostile_text_as_text(served: Any, client: Browser) -> None:
    await served.do(do.Note(text=PRINTABLE))
    page = (await client.get("/audit", params={"text": "calc"})).text
    (row,) = rows_of(page)
    assert PRINTABLE in words(row.replace("<br>", " ")) and "<script>alert" not in page
    export = await client.get("/audit/export.csv", params={"text": "calc"})
    cells = [cell for row in csv.reader(io.StringIO(export.content.decode("utf-8-sig"), newline="")) for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


QUERIES = {
    "since=yesterday": 400,
    "since=2026-01-05T08:00:00Z&until=2026-01-04T08:00:00Z": 400,
    "only=all": 400,
    "cursor=-1": 400,
    "cursor=x": 400,
    "text=" + "x" * 300: 400,
    "batch=../../etc": 400,
    "kind=%00": 400,
    "person=nobody": 200,
    "only=late-entries&only=signatures&order=oldest": 200,
    "cursor=9007199254740992": 200,
}


@pytest.mark.requirement("R2")
async def test_garbage_is_answered_in_words_and_the_trail_takes_no_command(
    served: Any, client: Browser, stranger: httpx.AsyncClient
) -> None:
    for query, status in QUERIES.items():
        answer = await client.get(f"/audit?{query}")
        assert answer.status_code == status, (query, words(answer.text))
    assert (await client.get("/audit/export.exe")).status_code == 404
    assert (await client.get("/batches/nobody/audit")).status_code == 404
    before = served.lab.ledger.version("batch:B-1")
    for path in ("/audit", "/batches/B-1/audit", "/audit/export.csv"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert (await client.request(method, path)).status_code in (403, 404, 405)
    assert served.lab.ledger.version("batch:B-1") == before
    for path in ("/audit", "/batches/B-1/audit", "/batches/B-1/review", "/audit/export.csv"):
        assert (await stranger.get(path)).status_code in (303, 307, 401, 403)
    await _page_through(served, client)


async def _page_through(served: Any, client: Browser) -> None:
    """Follow the links from page to page: every row once, in order."""
    new = [NewEvent("noted_for_test", {"n": n}, Actor("operator-1", "OP"), Source.HUMAN) for n in range(230)]
    await served.lab.ledger.append("probe", new, None)
    seen: list[str] = []
    link: str | None = "?stream=probe"
    while link is not None:
        page = (await client.get(f"/audit{html.unescape(link)}")).text
        seen += [words(row).split()[0] for row in rows_of(page)]
        found = re.search(r'<a href="(\?[^"]+)" rel="next">', page)
        link = None if found is None else found[1]
    assert len(seen) == len(set(seen)) == 230 and seen == sorted(seen, key=int, reverse=True)


async def test_the_review_lists_exceptions_alone_and_leads_to_everything_else(served: Any, client: Browser) -> None:
    await served.do(do.OpenDeviation(deviation_id="D-1", severity="major", subject="lid", description=PRINTABLE))
    answer = await client.get("/batches/B-1/review")
    assert answer.status_code == 200
    open_ = re.search(r'id="open">(.*?)</section>', answer.text, re.DOTALL)
    assert open_ is not None and "Deviation" in words(open_[1]) and PRINTABLE in words(open_[1])
    assert "Confluence 12 %" not in words(open_[1]), "what went by the recipe is not listed"
    for link in ("/batches/B-1#timeline", "/batches/B-1/audit", "/batches/B-1/record.pdf", "/batches/B-1#h-charts"):
        assert f'href="{link}"' in answer.text
    checklist = re.search(r'id="checklist">(.*?)</section>', answer.text, re.DOTALL)
    assert checklist is not None and all(f"<td>G{number}</td>" in checklist[1] for number in range(1, 18))
    page = (await client.get("/batches/B-1")).text
    assert 'href="/batches/B-1/review"' in page and 'href="/batches/B-1/audit"' in page
