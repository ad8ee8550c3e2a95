"""Decisions are signed on the pages: shown exactly, with the password each time, once, undone visibly by a change."""

import asyncio
import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.web.house import House, open_house
from tests.web.people import PASSWORD, Browser

from cultureops.access.signature import signatures_in
from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.batch.state import State
from cultureops.clock import MINUTE_MS
from cultureops.ledger.event import Actor

HOLD = "/batches/B-1/sign/Hold"


@pytest.fixture
async def house(people: Path, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(people, tmp_path) as opened:
        yield opened


def hidden(page: str) -> dict[str, str]:
    """Return the hidden fields of the form that asks for the password."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page[page.index("You sign") :])
    return {name: html.unescape(value) for name, value in found if name != "csrf"}


async def shown(browser: Browser, path: str = HOLD, **fields: str) -> dict[str, str]:
    """Fill in a step and return what the page with the password sends."""
    page = await browser.post(path + "/shown", data={"reason": "tank is warm", **fields})
    assert page.status_code == 200, page.text
    return hidden(page.text)


async def sign(browser: Browser, fields: dict[str, str], path: str = HOLD, **more: str) -> httpx.Response:
    return await browser.post(path, data={**fields, "password": PASSWORD, **more})


def state(house: House) -> State:
    batch = house.lab.batches.get("B-1")
    assert batch is not None
    return batch.state


@pytest.mark.requirement("R5")
async def test_page_and_json_show_the_same_name_time_zone_role_and_meaning(house: House) -> None:
    browser = await house.of("quality-1")
    answer = await sign(browser, await shown(browser))
    assert (answer.status_code, answer.headers["location"]) == (303, "/batches/B-1#signatures")
    assert state(house) is State.HOLD
    page = (await browser.get("/batches/B-1")).text
    (row,) = (await browser.get("/api/batches/B-1/signatures")).json()
    assert row["printed_name"] == "Quality One" and row["username"] == "quality-1"
    assert row["role"] == "QA" and row["meaning"] == "approved" and row["standing"] == "VALID"
    assert row["signed_at"] == "2026-01-05T08:00:00.000Z" and row["zone"] == "Europe/Berlin"
    assert row["shown_at"] == "2026-01-05 09:00:00 Europe/Berlin (UTC+01:00)"
    block = page[page.index('id="signatures"') :]
    for told in ("Quality One", "(quality-1, QA)", "approved", row["shown_at"], "VALID", row["shown_sha256"]):
        assert told in block, told


async def test_what_is_signed_is_shown_whole(house: House) -> None:
    browser = await house.of("quality-1")
    page = html.unescape((await browser.post(HOLD + "/shown", data={"reason": "<b>tank</b> is warm"})).text)
    record = house.events("batch:B-1")[-1]
    for told in (record.hash, "Quality One", "quality-1", "approved", "2026-01-05 09:00:00 Europe/Berlin (UTC+01:00)"):
        assert told in page, told
    assert f"<dd>{record.version}</dd>" in page and "<b>tank</b> is warm" in page and "COI-7F3K2" in page
    assert state(house) is not State.HOLD, "only looking signs nothing"


@pytest.mark.requirement("R7")
async def test_a_session_without_the_password_signs_nothing(house: House) -> None:
    browser = await house.of("quality-1")
    fields = await shown(browser)
    for password in ("", "guessed", PASSWORD.upper()):
        answer = await browser.post(HOLD, data={**fields, "password": password})
        assert answer.status_code == 409 and "password or code is wrong" in answer.text
    assert state(house) is not State.HOLD
    assert [e.type for e in house.events("account:quality-1")].count("signature_refused") == 3
    assert (await sign(browser, await shown(browser))).status_code == 303


@pytest.mark.requirement("R7", "R11")
async def test_after_idling_the_signer_logs_in_anew_and_signs_with_everything(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await house.of("quality-1")
    fields = await shown(browser)
    later = house.lab.access._real_s() + house.lab.access.policy.idle_s + 1
    monkeypatch.setattr(house.lab.access, "_real_s", lambda: later)
    assert (await sign(browser, fields)).status_code == 401
    again = await house.of("quality-1")
    assert (await sign(again, fields)).status_code == 409, "what was shown in another session is not signed in this one"
    assert state(house) is not State.HOLD
    assert (await sign(again, await shown(again))).status_code == 303


async def test_a_record_that_changed_since_it_was_shown_is_refused_and_shown_anew(house: House) -> None:
    browser = await house.of("quality-1")
    fields = await shown(browser)
    house.clock.advance(MINUTE_MS)
    await house.lab.execute(Command("B-1", do.Note(text="a vessel leaks")), Actor("operator-1", "OP"))
    answer = await sign(browser, fields)
    assert answer.status_code == 409 and "the record has changed since it was shown" in answer.text
    assert state(house) is not State.HOLD
    refusal = house.events("batch:B-1")[-1]
    assert refusal.type == "command_refused" and refusal.actor == Actor("quality-1", "QA")
    anew = hidden(answer.text)
    assert f"<dd>{refusal.version}</dd>" in answer.text and anew["offer"] != fields["offer"]
    assert (await sign(browser, anew)).status_code == 303
    assert state(house) is State.HOLD


async def test_a_race_of_two_signers_is_won_by_one(house: House) -> None:
    first, second = await house.of("quality-1"), await house.of("qualified-1")
    forms = await shown(first), await shown(second)
    answers = await asyncio.gather(sign(first, forms[0]), sign(second, forms[1]))
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    events = house.events("batch:B-1")
    assert [event.type for event in events].count("held") == 1


@pytest.mark.requirement("R6")
async def test_a_signature_is_for_one_record_one_session_one_person_and_once(house: House) -> None:
    browser, elsewhere = await house.of("quality-1"), await house.of("quality-1")
    other = await house.of("qualified-1")
    await house.lab.execute(
        Command("B-2", do.CreateBatch(patient_token="COI-8G4L3", recipe="tavakol_afshari_2021")),
        Actor("operator-1", "OP"),
    )
    fields = await shown(browser)
    refused = [
        await sign(elsewhere, fields),
        await sign(other, fields),
        await sign(other, fields | {"role": "QP"}),
    ]
    assert [answer.status_code for answer in refused[1:]] == [403, 409] and refused[0].status_code == 409
    copied = await sign(browser, fields, "/batches/B-2/sign/Hold")
    assert copied.status_code == 409 and "is of batch:B-1" in copied.text
    changed = await shown(browser)
    assert (await sign(browser, changed | {"reason": "another reason"})).status_code == 409
    changed = await shown(browser)
    assert (await sign(browser, changed, "/batches/B-1/sign/Close")).status_code == 409
    assert state(house) is not State.HOLD
    good = await shown(browser)
    assert (await sign(browser, good)).status_code == 303
    replayed = await sign(browser, good)
    assert replayed.status_code == 409 and "signed already" in replayed.text
    signed = [one for event in house.events("batch:B-1") for one in signatures_in(event)]
    assert len(signed) == 1 and not any(signatures_in(event) for event in house.events("batch:B-2"))


async def test_two_people_sign_where_two_are_needed(house: House) -> None:
    rejecting = await house.of("qualified-1")
    path = "/batches/B-1/sign/Reject"
    assert (await sign(rejecting, await shown(rejecting, path), path)).status_code == 303
    destroying, path = await house.of("storage-1"), "/batches/B-1/sign/Destroy"
    said = {"method": "autoclave", "everything_destroyed": "true", "scan_container": "B-1", "scan_token": "COI-7F3K2"}
    second = {"second_name": "operator-2", "second_role": "OP", "second_password": PASSWORD}
    for scans, told in (({"scan_token": "COI-00000"}, "second person"), ({"scan_container": ""}, "scan")):
        refused = await destroying.post(path + "/shown", data=said | scans)
        assert refused.status_code in (400, 409) and told in refused.text, "what is in hand is identified first"
    for wrong in (
        {},
        {"second_password": "guessed"},
        {"second_name": "storage-1", "second_role": "ST"},
        {"second_role": "QP"},
        {"second_name": "nobody"},
    ):
        fields = await shown(destroying, path, **said)
        refused = await sign(destroying, fields, path, **({} if not wrong else second | wrong))
        assert refused.status_code == 409, wrong
        assert state(house) is State.REJECTED
    unscanned = await sign(destroying, await shown(destroying, path, **said), path, **second | {"scan_container": ""})
    assert unscanned.status_code == 400 and "scan container" in unscanned.text and 'value="autoclave"' in unscanned.text
    assert (await sign(destroying, await shown(destroying, path, **said), path, **second)).status_code == 303
    last = house.events("batch:B-1")[-1]
    assert [(one.username, one.meaning.value) for one in signatures_in(last)] == [
        ("storage-1", "authored"),
        ("operator-2", "witnessed"),
    ]


@pytest.mark.requirement("R6")
async def test_a_later_change_of_what_was_signed_shows_the_record_as_unsigned(house: House) -> None:
    browser = await house.of("quality-1")
    began = house.clock.now()
    house.clock.advance(10 * MINUTE_MS)
    await sign(browser, await shown(browser))
    late = Command("B-1", do.RecordConsent(form="form", eligible=True), began, "the form lay in another folder")
    await house.lab.execute(late, Actor("operator-1", "OP"))
    told = "UNSIGNED: consent recorded entered late since by operator-1 (OP)"
    assert told in html.unescape((await browser.get("/batches/B-1")).text)
    (row,) = (await browser.get("/api/batches/B-1/signatures")).json()
    assert row["standing"].startswith(told)


GARBAGE: tuple[dict[str, str], ...] = (
    {"details": "{"},
    {"details": "[" * 5_000},
    {"details": '{"method": 1}'},
    {"offer": "x" * 201},
    {"offer": "\ufffd"},
    {"role": "AD"},
    {"role": "<script>"},
)


async def test_garbage_signs_nothing(house: House) -> None:
    browser = await house.of("quality-1")
    fields = await shown(browser)
    for wrong in GARBAGE:
        answer = await sign(browser, {**fields, **wrong})
        assert answer.status_code in (400, 403, 409) and "<script>" not in answer.text, wrong
    assert state(house) is not State.HOLD


async def test_a_form_that_lacks_something_is_shown_again_as_it_was_filled_in(house: House) -> None:
    browser = await house.of("quality-1")
    path = "/batches/B-1/sign/PlanAction"
    form = (await browser.get(path)).text
    assert re.search('type="datetime-local"[^>]* name="due_at"', form)
    assert re.search('<textarea[^>]* name="action"', form)
    sent: dict[str, Any] = {"deviation_id": "DEV-1", "action": "check the probe", "owner": "Q", "due_at": "soon"}
    again = await browser.post(path + "/shown", data=sent)
    assert again.status_code == 400 and "expected a time" in again.text and "check the probe" in again.text
    assert (await browser.get("/batches/B-1/sign/Nothing")).status_code == 404
