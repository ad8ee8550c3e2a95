"""Who comes in, who may do what, and what is refused: the pages' side of access, asked as an attacker asks."""

import itertools
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from tests.web.house import House, open_house
from tests.web.people import PASSWORD, POLICY, ROLES
from tests.web.test_sweep import flat

from cultureops.access import Role
from cultureops.access.roles import PEOPLE
from cultureops.batch.commands import ObserveConfluence, Seed
from cultureops.batch.rules import RULES
from cultureops.equipment.decide import RULES as EQUIPMENT
from cultureops.material.decide import RULES as LOTS
from cultureops.web.door.recognition import own_path
from cultureops.web.quality.signing import STEPS
from cultureops.web.routes.accounts import ACTS, KEEPERS

COOKIE = "cultureops"
OPEN = ("/healthz", "/metrics", "/log-in", "/log-in/key", "/set-up/{token}", "/alarms/link/{token}", "/display/{token}")
EVERYBODY = {name: roles for name, roles in ROLES.items() if name != "operator-2"} | {"admin-1": (Role.ADMINISTRATOR,)}
ALARM = "/alarms/room/temperature/high/acknowledge"


@pytest.fixture
async def house(people: Path, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(people, tmp_path) as opened:
        yield opened


def addresses(house: House, *methods: str) -> list[str]:
    return sorted({route.path for route in flat(house.app.routes) if route.methods & set(methods)})


def filled(path: str) -> str:
    names = {"batch_id": "B-1", "step": "Hold", "username": "operator-2", "rule_id:path": "r", "order": "acknowledge"}
    return re.sub(r"\{([\w:]+)\}", lambda found: names.get(found[1], "x"), path)


def types(house: House, stream: str) -> list[str]:
    return [event.type for event in house.events(stream)]


async def test_strangers_see_the_log_in_and_nothing_else(house: House) -> None:
    stranger = house.browser()
    for path in addresses(house, "GET"):
        answer = await stranger.get(filled(path))
        if path in OPEN:
            assert answer.status_code in (200, 403), path
        elif path.startswith("/api/") or path == "/stream":
            assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer", path
            assert answer.headers["content-type"] == "application/problem+json"
        else:
            assert answer.status_code == 303 and answer.headers["location"].startswith("/log-in?next=%2F"), path
    for path in set(addresses(house, "POST")) - set(OPEN):
        assert (await stranger.post(filled(path))).status_code == 401, path
    for path in ("/openapi.json", "/nothing", "/STATIC/css/base.css", "/log-in/../accounts", "//log-in"):
        assert (await stranger.get(f"http://127.0.0.1{path}")).status_code == 303, path
    assert (await stranger.get("/static/css/base.css")).status_code == 200
    assert (await stranger.get("/healthz")).text == "ok"


async def test_a_form_without_the_token_of_this_very_session_changes_nothing(house: House) -> None:
    operator, other = await house.of("operator-1"), await house.of("operator-2")
    before = house.lab.ledger.head().position
    for path in addresses(house, "POST"):
        if path == "/alarms/link/{token}":
            continue  # its address is a secret already, and phones have no cookie
        for csrf in ("", other.csrf):
            answer = await httpx.AsyncClient.post(operator, filled(path), data={"csrf": csrf, "reason": "x"})
            assert answer.status_code == 403 and "open it again" in answer.text, (path, csrf)
        headers = {"x-csrf": other.csrf}
        assert (await httpx.AsyncClient.post(operator, filled(path), headers=headers)).status_code == 403, path
    assert house.lab.ledger.head().position == before


ADMIN, QUALITY = frozenset({Role.ADMINISTRATOR}), frozenset({Role.QUALITY_ASSURANCE})
STEP = "/batches/{batch_id}/do/{step}"


def by_roles(rules: Mapping[Any, Any]) -> dict[frozenset[Role], str]:
    """One step for each set of roles: which roles may do which is judged for all of them by the rules' own tests."""
    return {frozenset(map(Role, rule.roles)) & PEOPLE: step.__name__ for step, rule in rules.items()}


SIGNED = by_roles({step: rule for step, rule in RULES.items() if rule.signed is not None})
ENTERED = by_roles({step: rule for step, rule in RULES.items() if rule.signed is None and rule.roles & PEOPLE})
MUTATING: tuple[tuple[str, str, frozenset[Role]], ...] = (
    ("/alarms/{rule_id:path}/{order}", ALARM, PEOPLE),
    ("/accounts", "/accounts", ADMIN),
    ("/access-review", "/access-review", QUALITY),
    ("/access-review/shown", "/access-review/shown", QUALITY),
    ("/accounts/{username}/sessions/{session_id}/end", "/accounts/operator-2/sessions/x/end", ADMIN),
    ("/accounts/{username}/tokens/{token_id}/revoke", "/accounts/operator-2/tokens/x/revoke", ADMIN),
    *(
        ("/accounts/{username}", f"/accounts/operator-2?{act}", KEEPERS if role is None else frozenset({role}))
        for act, (_, role, _) in ACTS.items()
    ),
    *(
        ("/batches/{batch_id}/sign/{step}/shown", f"/batches/B-1/sign/{step}/shown", roles)
        for roles, step in SIGNED.items()
    ),
    ("/batches/{batch_id}/sign/{step}", "/batches/B-1/sign/Hold", RULES[STEPS["Hold"]].roles),
    ("/batches/new", "/batches/new", frozenset({Role.OPERATOR, Role.QUALITY_ASSURANCE})),
    *((STEP, f"/batches/B-1/do/{step}", roles) for roles, step in ENTERED.items()),
    *((f"{STEP}{more}", f"/batches/B-1/do/Seed{more}", RULES[Seed].roles) for more in ("/check", "/work-out")),
    ("/batches/{batch_id}/images", "/batches/B-1/images", RULES[ObserveConfluence].roles),
    ("/batches/{batch_id}/images/{sha256}", f"/batches/B-1/images/{'0' * 64}", RULES[ObserveConfluence].roles),
    ("/batches/{batch_id}/packs", "/batches/B-1/packs", PEOPLE),
    ("/batches/{batch_id}/packs/stop", "/batches/B-1/packs/stop", PEOPLE),
    *(
        (f"/{kind}/{{subject_id:path}}/do/{{step}}", f"/{kind}/x/do/{step}", roles)
        for kind, rules in (("equipment", EQUIPMENT), ("lots", LOTS))
        for roles, step in by_roles(rules).items()
    ),
    ("/lots/new", "/lots/new", PEOPLE),
    ("/upkeep/sign", "/upkeep/sign", PEOPLE),
    ("/recipes/{name}/approve", "/recipes/x/approve", QUALITY),
    ("/site/approve", "/site/approve", QUALITY),
)
"""Every address that changes a record of others, by its route, and who may ask for it; what it does comes after."""
OWN = ("/account/", "/log-in/", "/log-out/", "/session/", "/pace/", "/set-up/", "/alarms/link/", "/api/", "/bench/")
"""Addresses about nobody but oneself; test_api judges its own, and only a demo worked by hand has a bench."""


@pytest.mark.requirement("R13", "R20")
async def test_every_role_at_every_address_that_changes_something(people: Path, tmp_path: Path) -> None:
    patient = replace(POLICY, lockout_failures=100, source_failures=1000)  # nobody gives a password here
    async with open_house(people, tmp_path, patient) as house:
        await try_every_role(house)


async def try_every_role(house: House) -> None:
    declared = {path for path in addresses(house, "POST") if not f"{path}/".startswith(OWN)}
    assert declared == {template for template, *_ in MUTATING}, "an address is missing from the matrix"
    refused = 0
    for username, roles in EVERYBODY.items():
        browser = await house.of(username)
        for _, path, allowed in MUTATING:
            where, _, act = path.partition("?")
            fields = {"act": act, "reason": "x", "username": "x", "printed_name": "x", "conclusion": "x", "offer": "x"}
            more = {"lot_id": "x"} | ({"details": "{}", "role": "QA"} if "/sign/" in path else {})
            answer = await browser.post(where, data=fields | more)
            is_allowed = bool(allowed & set(roles))
            is_turned_away = answer.status_code == 403 and "; this is for " in answer.text
            assert is_turned_away is not is_allowed, (username, path, answer.status_code)
            refused += is_turned_away
    recorded = [event for event in house.events("refusals") if event.data["error"] == "AccessError"]
    assert len(recorded) == refused > 100
    assert {event.actor.id for event in recorded} == set(EVERYBODY)
    assert types(house, "batch:B-1") == ["batch_created"]


@pytest.mark.requirement("R13")
async def test_an_administrator_has_no_part_in_records(house: House) -> None:
    admin = await house.of("admin-1")
    page = (await admin.get("/batches/B-1")).text
    assert "To sign:" not in page and "/sign/" not in page
    answer = await admin.post(ALARM, data={"reason": "x", "role": "OP"})
    assert answer.status_code == 403 and "this is for" in answer.text
    granted = await admin.post(
        "/accounts/admin-1", data={"act": "grant", "role": "QP", "reason": "x", "password": PASSWORD}
    )
    assert granted.status_code == 403 and "nobody grants a role to themselves" in granted.text


async def test_a_secret_from_before_the_log_in_is_worth_nothing_after_it(house: House) -> None:
    planted = "stranger." + "A" * 43
    for fixed in (planted, "B" * 43, "x.y"):
        browser = house.browser()
        browser.cookies.set(COOKIE, fixed, domain="127.0.0.1")
        await browser.log_in("operator-1")
        held = [cookie.value for cookie in browser.cookies.jar if cookie.name == COOKIE]
        assert fixed not in held[-1:]
        thief = house.browser()
        thief.cookies.set(COOKIE, fixed)
        assert (await thief.get("/")).status_code == 303
    first = await house.of("operator-2")
    secret = first.cookies[COOKIE]
    await first.get("/log-in")
    assert (await first.post("/log-in", data={"username": "operator-2", "password": PASSWORD})).status_code == 303
    assert first.cookies[COOKIE] != secret
    old = house.browser()
    old.cookies.set(COOKIE, secret)
    assert (await old.get("/")).status_code == 303, "the session before is ended by the new log-in"


@pytest.mark.requirement("R11")
async def test_who_logs_out_is_out_everywhere_the_secret_is(house: House) -> None:
    browser = await house.of("operator-1")
    copy = house.browser()
    copy.cookies.set(COOKIE, browser.cookies[COOKIE])
    assert (await copy.get("/")).status_code == 200
    assert (await browser.post("/log-out")).status_code == 303
    assert (await copy.get("/")).status_code == 303
    assert (await copy.get("/stream")).status_code == 401
    events = types(house, "account:operator-1")
    assert events[-2:] == ["signed_in", "signed_out"]


@pytest.mark.requirement("R10", "R11")
async def test_guessing_locks_an_account_and_slows_who_guesses_but_nobody_else(house: House) -> None:
    guesser = house.browser("203.0.113.9")
    for number in range(house.lab.access.policy.lockout_failures):
        answer = await guesser.log_in("operator-2", f"guess {number} of a password")
        assert answer.status_code == 401 and "name, password or code is wrong" in answer.text
    assert "locked" in types(house, "account:operator-2")
    assert (await guesser.log_in("operator-2")).status_code == 401, "the right password comes too late there"
    assert house.lab.access.status().locked == ("operator-2",)
    assert (await house.of("operator-1", "203.0.113.10")).cookies


@pytest.mark.requirement("R10")
async def test_a_spray_over_many_names_slows_its_source_alone(house: House) -> None:
    sprayer = house.browser("203.0.113.9")
    answers = [await sprayer.log_in(f"name-{number}", "the same guess for all") for number in range(12)]
    assert {answer.status_code for answer in answers} == {401}
    assert "too many failed attempts from here" in answers[-1].text
    assert house.lab.access.status().slowed_sources == ("203.0.113.9",)
    assert "source_slowed" in types(house, "access")
    spoofed = await sprayer.post("/log-in", data={"username": "operator-1", "password": PASSWORD})
    assert spoofed.status_code == 401
    forwarded = house.browser("203.0.113.9")
    forwarded.headers["x-forwarded-for"] = "203.0.113.77"
    assert (await forwarded.log_in("operator-1")).status_code == 401, "nobody names another source"
    assert (await house.of("operator-1", "203.0.113.10")).cookies


@pytest.mark.requirement("R11")
async def test_idling_ends_a_session_and_no_user_can_put_it_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    access = house.lab.access
    now = [access._real_s()]
    monkeypatch.setattr(access, "_real_s", lambda: now[0])
    browser = await house.of("operator-1")
    assert 'data-idle-left-s="900"' in (await browser.get("/")).text
    for _ in range(3):
        now[0] += 280
        for path, dest in (("/", "empty"), ("/session", "empty"), ("/api/latest", "empty"), ("/", "image")):
            assert (await browser.get(path, headers={"sec-fetch-dest": dest})).status_code == 200
    assert (await browser.get("/session", headers={"sec-fetch-dest": "empty"})).json() == {"idle_left_s": 60.0}
    assert (await browser.post("/session", data={"idle_s": "1e9", "idle_left_s": "1e9"})).json()["idle_left_s"] == 900.0
    for path in ("/?idle_s=1e9", "/account?idle_s=1e9", "/session?touch=1"):
        await browser.get(path, headers={"sec-fetch-dest": "empty"})
    now[0] += 901
    assert (await browser.get("/session")).status_code == 303
    assert (await browser.get("/api/latest")).status_code == 401
    assert (await browser.post(ALARM, data={"reason": "x"})).status_code == 401
    await access.settle(house.clock.now())
    (ended,) = [event for event in house.events("account:operator-1") if event.type == "session_ended"]
    assert ended.data["cause"] == "idle"


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("/alarms?x=1", "/alarms?x=1"),
        ("/batches/B-1", "/batches/B-1"),
        *((away, "/") for away in ("//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example")),
        *((away, "/") for away in ("/\t/evil.example", "/\n/evil.example", "javascript:alert(1)", "", "evil.example")),
        *((away, "/") for away in ("/log-in?next=/", "/set-up/x", "/display/x", "/" + "x" * 3_000)),
    ],
)
def test_a_log_in_leads_to_pages_of_ours_only(asked: str, leads_to: str) -> None:
    assert own_path(asked) == leads_to


async def test_the_page_that_was_asked_for_comes_after_the_log_in(house: House) -> None:
    browser = house.browser()
    turned = await browser.get("/batches/B-1?x=%2F%2Fevil.example")
    page = await browser.look(turned.headers["location"])
    wanted = "/batches/B-1?x=%2F%2Fevil.example"
    assert f'name="next" value="{wanted}"' in page.text
    for asked, leads_to in ((wanted, wanted), ("//evil.example", "/")):
        answer = await browser.log_in("operator-1", next=asked)
        assert (answer.status_code, answer.headers["location"]) == (303, leads_to)
        await browser.post("/log-out")


async def test_nobody_ends_sessions_or_tokens_of_others(house: House) -> None:
    victim, thief, admin = await house.of("operator-1"), await house.of("operator-2"), await house.of("admin-1")
    account = house.lab.access.accounts.get("operator-1")
    assert account is not None
    (session_id,) = account.sessions
    fields = {"password": PASSWORD, "title": "script", "days": "7", "scopes": ["read"]}
    page = (await victim.post("/account/tokens", data=fields)).text
    (token,) = re.findall(r'said-once">([^<]+)<', page)
    account = house.lab.access.accounts.get("operator-1")
    assert account is not None
    (token_id,) = account.tokens
    for path in (f"/account/sessions/{session_id}/end", f"/account/tokens/{token_id}/revoke"):
        assert (await thief.post(path)).status_code in (403, 404), path
        assert (await admin.post(path)).status_code in (403, 404), path
    for path in (f"/accounts/operator-2/tokens/{token_id}/revoke", f"/accounts/operator-2/sessions/{session_id}/end"):
        assert (await thief.post(path)).status_code == 403, path
    assert (await victim.get("/account")).status_code == 200
    assert (await house.browser().get("/api/latest", headers={"authorization": f"Bearer {token}"})).status_code == 200
    assert "accounts" not in (await thief.get("/account")).text.replace("/accounts", "accounts of").split("main")[0]
    assert (await thief.get("/accounts/operator-1")).status_code == 403
    assert (await admin.post(f"/accounts/operator-1/sessions/{session_id}/end")).status_code == 303
    assert (await victim.get("/account")).status_code == 303


async def test_a_token_does_what_its_scopes_say_and_opens_no_page(house: House) -> None:
    browser = await house.of("operator-1")
    assert "wrong" in (await browser.post("/account/tokens", data={"password": "x", "title": "t", "days": "1"})).text

    async def issued(*scopes: str) -> dict[str, str]:
        fields = {"password": PASSWORD, "title": "script", "days": "7", "scopes": list(scopes)}
        page = (await browser.post("/account/tokens", data=fields)).text
        (token,) = re.findall(r'said-once">([^<]+)<', page)
        return {"authorization": f"Bearer {token}"}

    reading, writing = await issued("read"), await issued("records:write")
    program = house.browser()
    assert (await program.get("/api/batches", headers=reading)).json()[0]["batch_id"] == "B-1"
    lacking = await program.get("/api/batches", headers=writing)
    assert lacking.status_code == 403 and "lacks the scope read" in lacking.json()["detail"]
    for path, headers in itertools.product(
        ("/", "/account", "/accounts", "/batches/B-1/sign/Hold"), (reading, writing)
    ):
        assert (await program.get(path, headers=headers)).status_code == 303, path
    for junk in ("Bearer", "Bearer ", "Bearer x.y.z", "Basic b3A6b3A=", f"Bearer {'x' * 5_000}", "Bearer \x00"):
        assert (await program.get("/api/latest", headers={"authorization": junk})).status_code == 401, junk
    session = {"authorization": f"Bearer {browser.cookies[COOKIE]}"}
    assert (await program.get("/api/latest", headers=session)).status_code == 401, "a session is no token"
    as_cookie = house.browser()
    as_cookie.cookies.set(COOKIE, reading["authorization"].removeprefix("Bearer "))
    assert (await as_cookie.get("/")).status_code == 303, "a token is no session"
    (page,) = [(await browser.get("/account")).text]
    token_id = re.findall(r"/account/tokens/([^/]+)/revoke", page)
    for one in token_id:
        assert (await browser.post(f"/account/tokens/{one}/revoke")).status_code == 303
    assert (await program.get("/api/batches", headers=reading)).status_code == 401


async def test_a_display_shows_board_and_chambers_and_changes_nothing(house: House) -> None:
    browser = await house.of("operator-1")

    async def token(*scopes: str) -> str:
        fields = {"password": PASSWORD, "title": "wall", "days": "30", "scopes": list(scopes)}
        (found,) = re.findall(r'said-once">([^<]+)<', (await browser.post("/account/tokens", data=fields)).text)
        return str(found)

    wall = house.browser()
    for wrong in ("x", "cot.x.y", browser.cookies[COOKIE], await token("read", "alarms:act")):
        assert (await wall.get(f"/display/{wrong}")).status_code == 403
    opened = await wall.get(f"/display/{await token('read')}")
    assert (opened.status_code, opened.headers["location"]) == (303, "/")
    board = await wall.get("/")
    assert board.status_code == 200 and "nothing can be changed here" in board.text and "<form" not in board.text
    assert "data-idle-left-s" not in board.text
    for path in ("/alarms", "/batches/B-1", "/account", "/accounts", "/batches/B-1/sign/Hold"):
        assert (await wall.get(path)).status_code == 303, path
    assert (await wall.get("/api/latest")).status_code == 401
    for path in set(addresses(house, "POST")) - set(OPEN):
        assert (await wall.post(filled(path))).status_code == 401, path


async def test_what_cookies_and_headers_say(house: House) -> None:
    browser = house.browser()
    shown = await browser.look("/log-in")
    answer = await browser.post("/log-in", data={"username": "operator-1", "password": PASSWORD})
    for said in (shown.headers["set-cookie"], answer.headers["set-cookie"]):
        attributes = {part.strip().lower() for part in said.split(";")[1:]}
        assert {"httponly", "samesite=strict", "path=/"} == attributes, said
    assert len(answer.headers["set-cookie"].partition("=")[2].partition(";")[0]) > 43
    assert PASSWORD not in answer.text + shown.text
    page = await browser.get("/account")
    assert page.headers["cache-control"] == "no-store", "who comes after at this screen sees no page of before"
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "strict-transport-security" not in page.headers


@pytest.mark.requirement("R8", "R9")
async def test_an_administrator_makes_a_link_and_never_a_password(house: House) -> None:
    admin, victim = await house.of("admin-1"), await house.of("operator-1")
    proof = {"password": PASSWORD, "reason": "new at the site"}
    taken = await admin.post("/accounts", data={"username": "Operator-2", "printed_name": "X", **proof})
    assert taken.status_code == 403 and "never given twice" in taken.text
    made = await admin.post(
        "/accounts", data={"username": "operator-3", "printed_name": "Operator Three", "roles": ["OP"], **proof}
    )
    (link,) = re.findall(r'said-once">http://127.0.0.1(/set-up/[^<]+)<', made.text)
    new = house.browser()
    assert (await new.log_in("operator-3")).status_code == 401
    assert "Set your password" in (await new.look(link)).text
    for password, again, said in (("short", "short", "characters"), (PASSWORD, "other", "differ")):
        refused = await new.post(link, data={"password": password, "again": again})
        assert refused.status_code == 400 and said in refused.text
    own = "nobody but me knows this one"
    assert (await new.post(link, data={"password": own, "again": own})).status_code == 303
    assert (await new.post(link, data={"password": own, "again": own})).status_code == 400, "a link is for once"
    assert (await new.log_in("operator-3", own)).status_code == 303
    reset = await admin.post("/accounts/operator-1", data={"act": "invite", **proof})
    assert "said-once" in reset.text and (await victim.get("/")).status_code == 303, "a reset ends every session"
    account = house.lab.access.accounts.get("operator-1")
    assert account is not None and not account.is_signing_enabled and not account.password_id
    assert (await victim.log_in("operator-1")).status_code == 401


async def test_an_authenticator_is_added_scanned_once_and_asked_for_from_then_on(house: House) -> None:
    browser = await house.of("quality-1")
    assert (await browser.post("/account/totp/new", data={"password": "guess"})).status_code == 403
    page = (await browser.post("/account/totp/new", data={"password": PASSWORD})).text
    (secret,) = re.findall(r'class="hash">([A-Z2-7]+)<', page)
    (factor_id,) = re.findall(r'name="factor_id" value="([^"]+)"', page)
    assert "<svg" in page
    code = pyotp.TOTP(secret)
    assert (await browser.post("/account/totp", data={"factor_id": factor_id, "code": "000"})).status_code == 403
    step = int(time.time()) // 30
    first = code.generate_otp(step)
    assert (await browser.post("/account/totp", data={"factor_id": factor_id, "code": first})).status_code == 303
    assert "authenticator" in (await browser.get("/account")).text
    again = house.browser()
    assert (await again.log_in("quality-1")).status_code == 401, "the password alone is not enough any more"
    assert (await again.log_in("quality-1", code=first)).status_code == 401, "a code is for once"
    assert (await again.log_in("quality-1", code=code.generate_otp(step + 1))).status_code == 303


async def test_the_first_start_makes_one_administrator_by_a_link_and_knows_no_password(
    people: Path, tmp_path: Path
) -> None:
    (tmp_path / "nobody").mkdir()
    async with open_house(tmp_path / "nobody", tmp_path / "house", has_batch=False) as house:
        browser = house.browser()
        for name, password in itertools.product(("admin", "cultureops"), ("admin", "password")):
            answer = await browser.log_in(name, password)
            assert answer.status_code == 401
        link = f"/set-up/{await house.lab.access.first_link()}"
        assert "Make the first account" in (await browser.look(link)).text
        fields = {"username": "admin-1", "printed_name": "Admin One", "password": PASSWORD, "again": PASSWORD}
        assert (await browser.post("/set-up/cof.x.y", data=fields)).status_code == 400
        assert (await browser.post(link, data=fields)).status_code == 303
        assert (await browser.post(link, data=fields | {"username": "admin-2"})).status_code == 400
        assert (await browser.log_in("admin-1")).status_code == 303
        assert "admin-1" in (await browser.get("/accounts")).text


async def test_a_stranger_learns_nothing_from_asking_for_a_security_key(people: Path, tmp_path: Path) -> None:
    keyed = replace(POLICY, webauthn_origin="http://localhost:8080")
    async with open_house(people, tmp_path, keyed) as house:
        stranger = house.browser()
        await stranger.look("/log-in")
        said = []
        for name in ("operator-1", "nobody", "", "x" * 200):
            answer = await stranger.post("/log-in/key", data={"username": name})
            assert answer.status_code == 200, name
            said.append({key: value for key, value in answer.json().items() if key != "challenge"})
        assert said.count(said[0]) == len(said)
