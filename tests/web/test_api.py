"""The REST API as programs use it: read, enter a step once, be refused in words."""

import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.batch import table
from tests.web.house import House, open_house
from tests.web.people import PASSWORD, ROLES

from cultureops.access import Identity
from cultureops.access.roles import PEOPLE
from cultureops.access.token import SCOPES
from cultureops.batch.identification import HANDS_ON
from cultureops.batch.rules import RULES
from cultureops.clock import DAY_MS

BATCH = "/api/batches/B-1"
STEPS = f"{BATCH}/steps"
NOTE = {"details": {"text": "seen"}}
CONSENT = {"details": {"form": "v3", "eligible": True}}
SCANNED = {"container": "B-1", "token": "COI-7F3K2"}


@pytest.fixture
async def house(people: Path, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(people, tmp_path) as opened:
        yield opened


async def program(house: House, *scopes: str, username: str = "operator-1") -> httpx.AsyncClient:
    """A program with a token of somebody's account."""
    person = Identity(username, username, house.lab.access.accounts.get(username).roles, "password")
    token = await house.lab.access.issue_token(person, "a program", scopes or SCOPES, house.clock.now() + DAY_MS)
    client = house.browser()
    client.headers["authorization"] = f"Bearer {token}"
    return client


async def enter(client: httpx.AsyncClient, step: str, body: Any, **headers: str) -> httpx.Response:
    return await httpx.AsyncClient.post(client, f"{STEPS}/{step}", json=body, headers=headers)


def said(answer: httpx.Response, status: int) -> str:
    """Expect a problem as RFC 9457 has it, and return its words."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status and "\n" not in told["detail"] and told["detail"]
    return str(told["detail"])


async def test_a_step_is_entered_once_by_who_has_read_the_record(house: House) -> None:
    client = await program(house)
    etag = (await client.get(BATCH)).headers["etag"]
    assert etag == '"1"'
    assert "If-Match" in said(await enter(client, "RecordConsent", CONSENT), 428)
    assert "read the batch again" in said(await enter(client, "RecordConsent", CONSENT, **{"if-match": "W/1"}), 412)
    assert "has changed since" in said(await enter(client, "RecordConsent", CONSENT, **{"if-match": '"7"'}), 412)
    keyed = {"if-match": etag, "idempotency-key": "from the bench, nr 41"}
    first = await enter(client, "RecordConsent", CONSENT, **keyed)
    again = await enter(client, "RecordConsent", CONSENT, **keyed)
    assert first.status_code == again.status_code == 200
    assert (first.json()["already"], again.json()["already"]) == (False, True)
    assert first.json()["position"] == again.json()["position"] and first.headers["etag"] == '"2"'
    stale = await enter(client, "RecordConsent", CONSENT, **{"if-match": etag})
    assert "has changed since" in said(stale, 412)
    types = [event.type for event in house.events("batch:B-1")]
    assert types == ["batch_created", "consent_recorded"], "neither a second send nor a stale one is on record"
    assert house.events("batch:B-1")[-1].actor.id == "operator-1"


async def test_what_is_wrong_is_told_by_field_and_by_gate(house: House) -> None:
    client, any_version = await program(house), {"if-match": "*"}
    assert "form" in said(await enter(client, "RecordConsent", {"details": {"eligible": True}}, **any_version), 422)
    assert "self" in said(await enter(client, "Note", {"details": {"self": 1, "text": "x"}}, **any_version), 422)
    for body in ({}, [], None, "x", {"details": 5}, {"details": {"text": "x"}, "role": "XX"}, NOTE | {"more": 1}):
        said(await enter(client, "Note", body, **any_version), 400)
    marrow = {
        "details": {
            **{"marrow_ml": 12.0, "collected_at": "2026-01-05T07:00:00Z", "anticoagulant": "heparin"},
            **{"receipt_temperature_c": 20.0, "donor_markers": "negative", "scans": ["COI-7F3K2", "COI-7F3K2"]},
        }
    }
    assert "identified" in said(await enter(client, "ReceiveMarrow", marrow, **any_version), 422)
    marrow["identified"] = SCANNED
    assert "second person" in said(await enter(client, "ReceiveMarrow", marrow, **any_version), 409)
    second = {"username": "operator-2", "password": "wrong"}
    said(await enter(client, "ReceiveMarrow", marrow | {"second_person": second}, **any_version), 403)
    second["password"] = PASSWORD
    refused = said(await enter(client, "ReceiveMarrow", marrow | {"second_person": second}, **any_version), 409)
    assert "G1" in refused
    assert house.events("batch:B-1")[-1].data["gates"] == ["G1"]
    assert (await enter(client, "RecordConsent", CONSENT, **any_version)).status_code == 200
    other = marrow | {"second_person": second, "identified": SCANNED | {"token": "COI-9Z9Z9"}}
    assert "G2" in said(await enter(client, "ReceiveMarrow", other, **any_version), 409)
    taken = await enter(client, "ReceiveMarrow", marrow | {"second_person": second}, **any_version)
    assert taken.json()["batch"]["state"] == "RECEIVED"
    assert house.events("batch:B-1")[-1].data["witness_id"] == "operator-2"


async def test_a_batch_is_opened_and_followed(house: House) -> None:
    client = await program(house)
    order = {"batch_id": "B-2", "details": {"patient_token": "COI-8G4L3", "recipe": "tavakol_afshari_2021"}}
    made = await httpx.AsyncClient.post(client, "/api/batches", json=order, headers={"idempotency-key": "new"})
    assert (made.status_code, made.headers["location"]) == (201, "/api/batches/B-2")
    again = await httpx.AsyncClient.post(client, "/api/batches", json=order, headers={"idempotency-key": "new"})
    assert again.json()["already"] is True
    assert "exists already" in said(await httpx.AsyncClient.post(client, "/api/batches", json=order), 409)
    named = order | {"batch_id": "B-3", "details": order["details"] | {"patient_token": "Jane Doe"}}
    refused = said(await httpx.AsyncClient.post(client, "/api/batches", json=named), 422)
    assert "token" in refused and "Jane" not in refused
    events = (await client.get("/api/batches/B-2/events?after=0&most=1")).json()
    assert [event["type"] for event in events] == ["batch_created"] and len(events[0]["hash"]) == 64
    assert {row["batch_id"] for row in (await client.get("/api/due")).json()} == {"B-1", "B-2"}
    steps = {row["step"]: row for row in (await client.get("/api/steps")).json()}
    assert set(steps) == {step.__name__ for step in RULES}
    assert {name for name, row in steps.items() if row["is_hands_on"]} == {step.__name__ for step in HANDS_ON}


async def test_no_token_signs_and_scopes_hold(house: House) -> None:
    client, reader = await program(house), await program(house, "read")
    for step, rule in RULES.items():
        if rule.signed is not None:
            refused = said(await enter(client, step.__name__, NOTE, **{"if-match": "*"}), 403)
            assert f"/batches/B-1/sign/{step.__name__}" in refused
    assert "no step" in said(await enter(client, "Nothing", NOTE, **{"if-match": "*"}), 404)
    assert "records:write" in said(await enter(reader, "Note", NOTE, **{"if-match": "*"}), 403)
    alarm = await httpx.AsyncClient.post(reader, "/api/alarms/r/acknowledge", json={"reason": "x"})
    assert "alarms:act" in said(alarm, 403)
    unknown = await httpx.AsyncClient.post(client, "/api/alarms/r/acknowledge", json={"reason": "x"})
    assert said(unknown, 409)
    admin = await program(house, username="admin-1")
    assert "handles records" in said(await enter(admin, "Note", NOTE, **{"if-match": "*"}), 403)
    assert [event.type for event in house.events("batch:B-1")] == ["batch_created"]


@pytest.mark.requirement("R13")
async def test_every_step_is_refused_to_a_role_that_may_not(house: House) -> None:
    """Which roles may is judged for all of them by the rules' own tests; here each step by one that may not."""
    programs = {role: await program(house, username=username) for username, (role, *_) in ROLES.items()}
    forbidden = itertools.cycle(programs)
    entered = [step for step in table.ROLES if RULES[step].signed is None and table.ROLES[step] < PEOPLE]
    for step in entered:
        role = next(role for role in forbidden if role not in table.ROLES[step])
        details = table.EXAMPLES[step].details.model_dump(mode="json")
        answer = await enter(
            programs[role], step.__name__, {"details": details, "identified": SCANNED}, **{"if-match": "*"}
        )
        assert f"is not for role {role}" in said(answer, 409), step
    assert [event.type for event in house.events("batch:B-1")] == ["batch_created", *["command_refused"] * len(entered)]


async def test_a_browser_needs_the_token_of_its_forms(house: House) -> None:
    browser = await house.of("operator-1")
    for headers in ({}, {"x-csrf": "0" * 64}, {"x-csrf": browser.csrf, "origin": "http://elsewhere"}):
        said(await enter(browser, "Note", NOTE, **{"if-match": "*"}, **headers), 403)
    mine = {"if-match": "*", "x-csrf": browser.csrf}
    assert (await enter(browser, "Note", NOTE, **mine)).status_code == 200


async def test_the_description_is_whole_and_readable(house: House) -> None:
    browser = await house.of("quality-1")
    described = (await browser.get("/api/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert "application/problem+json" in operation["responses"]["403"]["content"], (method, path)
            assert operation.get("description"), (method, path)
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', (await browser.get("/api/openapi.json")).text))
    assert named == set(described["components"]["schemas"])
    page = (await browser.get("/api")).text
    assert all(path.replace("{", "").split("}")[0] in page.replace("{", "") for path in described["paths"])
    assert "confluence_pct" in page and "0..100" in page
