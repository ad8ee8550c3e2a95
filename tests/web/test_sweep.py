"""Every address answers garbage in words, with guarding headers, and never with a fault of ours."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from cultureops.app import web_context
from cultureops.web.server import create_app

GARBAGE = (
    *("nobody", "%2e%2e%2fetc%2fpasswd", "%00", "%ff%fe", "%0d%0aSet-Cookie:a=b", "%3Cscript%3E", "%F0%9F%A7%AB"),
    *("' OR 1=1 --", "{{7*7}}", "%s%n", "-1", "x" * 5_000),
)
WORDS = (
    "",
    "0",
    "-1",
    "1e9",
    "nan",
    "inf",
    "9" * 400,
    "9y",
    "%00",
    "%ff",
    "2026-13-45T99:00:00Z",
    "0001-01-01T00:00:00+23:59",
)
SOME = 5
"""One pair in so many; no multiple of how many words there are, so that each word has its turn."""
UNENDING = ("/stream", "/assets/plotly.min.js")
PARAMETERS = ("span", "from", "to", "after", "start", "end", "points", "back", "nothing")
GUARDING = ("content-security-policy", "x-content-type-options", "referrer-policy", "cross-origin-opener-policy")


SET_UP = "/set-up/{token}"
"""Looking at a link tells nobody whether it is one."""


def routes(served: Any) -> set[tuple[str, str]]:
    """Return every address of the application with its method, as the application itself declares them."""
    rows = flat(create_app(web_context(served.lab, None)).routes)
    return {(route.path, method) for route in rows for method in route.methods}


def flat(rows: Any) -> list[APIRoute]:
    """Return the routes, those of included routers too."""
    gathered: list[APIRoute] = []
    for row in rows:
        inner = getattr(row, "original_router", None) or getattr(row, "router", None)
        gathered += [row] if isinstance(row, APIRoute) else flat(inner.routes) if inner is not None else []
    return gathered


def is_in_words(answer: httpx.Response) -> None:
    asked = str(answer.request.url)[:200]
    assert answer.status_code < 500, asked
    assert "Traceback" not in answer.text, asked
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert "<script>" not in answer.text.lower(), asked
    if answer.request.url.path.partition("/")[2].partition("/")[0] not in ("log-in", "set-up"):
        assert "set-cookie" not in answer.headers, asked
    for header in GUARDING:
        assert len(answer.headers.get_list(header)) == 1, (header, asked)
    if answer.status_code >= 400 and re.search(r"^/api/", answer.request.url.path):
        assert answer.headers["content-type"] == "application/problem+json", asked
        problem = json.loads(answer.text)
        assert problem["status"] == answer.status_code and problem["detail"], asked
        assert len(problem["detail"]) < 500, asked


def some_of(paths: list[str], words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every address with some of the words, and every word at some of the addresses."""
    return itertools.islice(itertools.product(paths, words), 0, None, SOME)


def test_the_sweep_knows_every_group_of_addresses(served: Any) -> None:
    known = {path for path, _ in routes(served)}
    for path in ("/", "/stream", "/alarms", "/pace", "/batches/{batch_id}", "/chambers/{chamber_id}", "/api/health"):
        assert path in known
    assert len(known) >= 14


async def test_garbage_in_an_address_is_not_found(served: Any, client: httpx.AsyncClient) -> None:
    named = [path for path, method in sorted(routes(served)) if "{" in path and method == "GET"]
    assert len(named) >= 5
    for path, junk in some_of(named, GARBAGE):
        answer = await client.get(re.sub(r"\{[^}]+\}", junk, path))
        is_in_words(answer)
        is_guarded = path.startswith(("/accounts", "/display", "/alarms/link")) or "/record." in path
        refused = {400, 404, 307} | ({403, 405} if is_guarded else set())
        assert answer.status_code in refused or path == SET_UP, (path, junk[:40], answer.status_code)


async def test_garbage_in_a_question_is_refused_or_passed_over(served: Any, client: httpx.AsyncClient) -> None:
    names = {"batch_id": "B-1", "chamber_id": "incubator_1", "device": "incubator_1", "name": "co2"}
    reading = [path for path, method in sorted(routes(served)) if method == "GET" and path not in UNENDING]
    for path, word in some_of(reading, WORDS):
        filled = re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], "x"), path)
        is_in_words(await client.get(filled + "?" + "&".join(f"{parameter}={word}" for parameter in PARAMETERS)))


SPANS = (
    ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 10_000),
    ("0001-01-01T00:00:00%2B23:59", "0001-01-01T00:00:01Z", 1),
    ("1969-12-31T23:59:59Z", "1970-01-01T00:00:01Z", 10_000),
    ("2026-01-05T08:00:00.000Z", "2026-01-05T08:00:00.001Z", 10_000),
    ("9999-12-31T23:59:58Z", "9999-12-31T23:59:59Z", 10_000),
)


async def test_every_span_that_can_be_written_is_answered(client: httpx.AsyncClient) -> None:
    for start, end, points in SPANS:
        path = f"/api/channels/incubator_1/co2/series?start={start}&end={end}&points={points}"
        answer = await client.get(path)
        is_in_words(answer)
        assert answer.status_code == 200
        assert len(answer.json()["x"]) <= points


async def test_only_what_an_address_is_for_can_be_done_with_it(client: httpx.AsyncClient) -> None:
    asked = ("/", "/alarms", "/batches/B-1", "/api/latest", "/api/batches", "/static/css/base.css", "/stream")
    for method, path in itertools.product(("PUT", "PATCH", "DELETE", "OPTIONS", "POST", "TRACE"), asked):
        answer = await client.request(method, path)
        is_in_words(answer)
        is_made_there = (method, path) == ("POST", "/api/batches")  # without the token of a form it is refused as such
        assert answer.status_code == (403 if is_made_there else 405), (method, path)


FORM = "application/x-www-form-urlencoded"
FILE = b'--b\r\nContent-Disposition: form-data; name="name"; filename="f"\r\n\r\nx\r\n--b--\r\n'
BODIES = (
    (b"", FORM),
    (b"reason=&csrf=TOKEN", FORM),
    (b"reason=%20&csrf=TOKEN", FORM),
    (b"role=" + b"x" * 201 + b"&reason=y&csrf=TOKEN", FORM),
    (b"role=QP&reason=y&csrf=TOKEN", FORM),
    (b"reason=" + b"y" * 501 + b"&csrf=TOKEN", FORM),
    (b"reason=y", FORM),
    (b"reason=y&csrf=" + b"0" * 64, FORM),
    (b"reason=y&csrf=%ff%00", FORM),
    (b"\x00\xff" * 50, FORM),
    (b"{}", "application/json"),
    (b"reason=y&csrf=TOKEN", "text/plain; charset=nonsense"),
    (b"--b\r\nbroken", "multipart/form-data; boundary=b"),
    (b"name=x", "multipart/form-data"),
    (FILE, "multipart/form-data; boundary=b"),
)


@pytest.mark.parametrize("path", ["/alarms/incubator_1/co2/low/acknowledge", "/alarms/%00/acknowledge", "/pace"])
async def test_a_form_filled_with_garbage_changes_nothing(served: Any, client: httpx.AsyncClient, path: str) -> None:
    await served.read("co2", 3.0)
    for body, kind in BODIES:
        sent = body.replace(b"TOKEN", client.csrf.encode())  # type: ignore[attr-defined]
        answer = await client.post(path, content=sent, headers={"content-type": kind})
        is_in_words(answer)
        assert answer.status_code in (400, 403, 404, 409), (body[:40], kind)
        assert [view.acknowledged_by for view in served.lab.engine.active()] == [None]


async def test_a_refused_request_has_the_guarding_headers_too(client: httpx.AsyncClient) -> None:
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "same-site"}, {"host": "evil.example"}):
        for path in ("/pace", "/api/latest"):
            answer = await client.post(path, data={"action": "pause"}, headers=headers)
            is_in_words(answer)
            assert answer.status_code == 403


@pytest.mark.parametrize(
    ("path", "said"), [("/stream", "no-store"), ("/assets/plotly.min.js", "max-age"), ("/", "no-cache")]
)
async def test_how_long_an_answer_may_be_kept_is_said_once(client: httpx.AsyncClient, path: str, said: str) -> None:
    async with client.stream("GET", path) as answer:
        (kept,) = answer.headers.get_list("cache-control")
        assert answer.status_code == 200 and said in kept
