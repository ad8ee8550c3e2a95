"""The batch record over HTTP: only for who is signed in, under a name that is only a name."""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from pypdf import PdfReader
from tests.web.conftest import Served
from tests.web.people import Browser

from cultureops.app import web_context
from cultureops.keeping.dossiers import dossiers_in
from cultureops.web.routes import record
from cultureops.web.server import create_app


@pytest.fixture
async def reader(served: Served) -> AsyncIterator[Browser]:
    """operator-1, signed in, where records are printed."""
    app = create_app(replace(web_context(served.lab, None), dossier=dossiers_in(served.lab)))
    if not any(getattr(route, "path", "").endswith("/record.pdf") for route in app.routes):
        app.include_router(record.router)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 5))
    async with Browser(transport=transport, base_url="http://127.0.0.1", timeout=20) as opened:
        await opened.log_in("operator-1")
        yield opened


async def test_the_record_is_taken_home_as_pdf_and_as_json_by_who_is_signed_in(reader: Browser) -> None:
    answer = await reader.get("/batches/B-1/record.pdf")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="batch-record-B-1.pdf"'
    first = PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()
    assert "SIMULATED SOURCES" in first and "B-1" in first and "printed by operator-1" in first
    data = (await reader.get("/batches/B-1/record.json")).json()
    assert data["batch"]["batch_id"] == "B-1" and data["zone"] == "Europe/Berlin"
    temperature = next(row for row in data["stays"][0]["channels"] if row["channel"] == "incubator_1/temperature")
    assert (temperature["minimum"], temperature["maximum"], temperature["simulated"]) == (37.0, 37.02, True)
    assert {row["username"] for row in data["people"]} == {"operator-1", "operator-2"}
    assert all(row["has_account"] for row in data["people"]), json.dumps(data["people"])
    assert (await reader.get("/batches/nothing/record.pdf")).status_code == 404
    assert (await reader.get("/batches/..%2F..%2Fetc/record.pdf")).status_code == 404
    reader.cookies.clear()
    assert (await reader.get("/batches/B-1/record.pdf")).status_code in (303, 401)
