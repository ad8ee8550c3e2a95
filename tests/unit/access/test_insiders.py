"""People who work here and mean harm: what they try at the desk is refused, and stays on record."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.unit.access.bench import CHEAP, ELSEWHERE, HOME, PASSWORD, Bench

from cultureops.access import Meaning, Role
from cultureops.access.accounts import Accounts
from cultureops.access.desk import AccessDesk, open_access
from cultureops.access.events import ACCESS, SYSTEM, AccessEvent, account_stream, new_event
from cultureops.access.throttle import TooSoon, network_of
from cultureops.clock import DAY_MS, SeededEntropy
from cultureops.errors import AccessError
from cultureops.ledger import Actor, SqlLedger
from cultureops.recording import LEDGER_FILE

SHARED = "127.0.0.1"
"""Where everybody comes from behind a proxy, or at the one computer of a small laboratory."""


@pytest.fixture
async def beside(bench: Bench) -> AsyncIterator[AccessDesk]:
    """The desk of another process on the same folder."""
    ledger = SqlLedger.open(bench.folder / LEDGER_FILE, bench.clock, SeededEntropy(7))
    yield await open_access(bench.folder, ledger, CHEAP, bench.clock, SeededEntropy(8))
    await ledger.close()


@pytest.mark.requirement("R13", "R6")
async def test_who_is_disabled_here_signs_and_enters_nothing_in_another_process(
    bench: Bench, beside: AccessDesk
) -> None:
    offer = await beside.offer("qa-1", "QA", Meaning.RELEASED, bench.record())
    for username in ("qa-1", "qa-2"):
        await bench.desk.disable(username, bench.who("admin-1"), "left")
    with pytest.raises(AccessError):
        await beside.sign(offer.id, PASSWORD, "", HOME)
    with pytest.raises(AccessError):
        await beside.authenticate("qa-2", PASSWORD, "", HOME)
    with pytest.raises(AccessError, match="is disabled"):
        beside.permit(Actor("qa-1", "QA"))


@pytest.mark.requirement("R8", "R13")
async def test_an_administrator_invents_nobody_who_enters_records_or_witnesses(bench: Bench) -> None:
    desk = bench.desk
    link = await desk.create("control-9", "Control Nine", ["QC", "OP"], bench.who("admin-1"), "new at the site")
    await desk.accept(link, "lorem sunflower crane 77", source=HOME)  # the administrator has the link as well
    for refused in (
        lambda: desk.permit(Actor("control-9", "QC")),
        lambda: desk.permit_witness(bench.who("control-9")),
    ):
        with pytest.raises(AccessError, match="nobody has checked that control-9 is who the account says"):
            refused()
    with pytest.raises(AccessError, match="a witness is somebody who handles the records"):
        desk.permit_witness(bench.who("admin-1"))
    await desk.verify_identity("control-9", "passport seen", bench.who("qa-1"))
    desk.permit(Actor("control-9", "QC"))
    desk.permit_witness(bench.who("control-9"))


@pytest.mark.requirement("R9")
async def test_guesses_from_where_everybody_sits_never_lock_the_last_who_can_unlock(bench: Bench) -> None:
    for username in ("admin-1", "admin-2"):
        await bench.desk.sign_in(username, PASSWORD, "", SHARED)
    for username in ("admin-1", "admin-2") * 8:
        with pytest.raises(AccessError):
            await bench.desk.sign_in(username, "not the password", "", SHARED)
        bench.wait(300)
    accounts = [bench.desk.accounts.get(username) for username in ("admin-1", "admin-2")]
    assert [account is not None and account.is_locked_everywhere for account in accounts] == [True, False]
    assert len(bench.events("admin-2", AccessEvent.LOCKED)) == 1, "told once, however often it is tried"
    bench.wait(300)
    await bench.desk.sign_in("admin-2", PASSWORD, "", SHARED)
    await bench.desk.unlock("admin-1", bench.who("admin-2"), "guessing at the shared computer has ended")


@pytest.mark.requirement("R6", "R9")
async def test_strangers_at_the_same_source_keep_nobody_from_signing_who_is_signed_in(bench: Bench) -> None:
    _, session = await bench.desk.sign_in("qa-1", PASSWORD, "", SHARED)
    offer = await bench.offered("qa-1", session.id)
    for number in range(CHEAP.source_failures):
        with pytest.raises(AccessError):
            await bench.desk.sign_in(f"nobody-{number}", "x", "", SHARED)
    with pytest.raises(TooSoon):
        await bench.desk.sign_in("qa-2", PASSWORD, "", SHARED)
    assert (await bench.desk.sign(offer, PASSWORD, "", SHARED, session.id)).username == "qa-1"


async def test_guesses_at_many_names_at_once_are_counted_one_by_one(bench: Bench) -> None:
    guesses = (bench.desk.sign_in(f"name-{number}", "x", "", ELSEWHERE) for number in range(40))
    answers = Counter(type(answer) for answer in await asyncio.gather(*guesses, return_exceptions=True))
    assert answers == {AccessError: CHEAP.source_failures, TooSoon: 40 - CHEAP.source_failures}


async def test_a_network_of_addresses_is_slowed_as_one(bench: Bench) -> None:
    before = bench.ledger.head().position
    for number in range(40):
        with pytest.raises(AccessError):
            await bench.desk.sign_in("nobody-1", "x", "", f"2001:db8::{number:x}")
    assert bench.ledger.head().position - before <= CHEAP.source_failures + 1
    assert network_of("10.0.0.1") == "10.0.0.1" and network_of("shell") == "shell"


@pytest.mark.requirement("R6")
@pytest.mark.parametrize("asked", ["second factor", "new password"])
async def test_who_has_to_set_something_first_signs_nothing_before(bench: Bench, asked: str) -> None:
    if asked == "second factor":
        await bench.reopen(second_factor_roles=frozenset({Role.QUALITY_ASSURANCE}))
    else:
        await bench.reopen(password_max_age_d=1.0)
        bench.clock.advance(2 * DAY_MS)
    with pytest.raises(AccessError, match=f"needs a {asked} first"):
        await bench.offered("qa-1")
    (refused,) = bench.events("qa-1", AccessEvent.SIGNATURE_REFUSED)
    assert refused.data["shown_sha256"] == bench.record().sha256


async def test_a_review_of_rights_that_have_changed_since_is_refused(bench: Bench) -> None:
    report = bench.desk.review()
    shown = bench.desk.shown_for_review(report, "all as it should be")
    offer = await bench.desk.offer("qa-1", "QA", Meaning.REVIEWED, shown)
    await bench.desk.grant("operator-1", "QP", bench.who("admin-1"), "in a quiet moment")
    signature = await bench.desk.sign(offer.id, PASSWORD, "", HOME)
    with pytest.raises(AccessError, match="access was changed since it was shown"):
        await bench.desk.record_review(report, "all as it should be", signature)


async def test_one_person_s_offers_push_out_nobody_else_s(bench: Bench) -> None:
    offer = await bench.offered("qa-1")
    for _ in range(1200):
        await bench.offered("qa-2")
    assert await bench.desk.sign(offer, PASSWORD, "", HOME)


async def test_an_offer_out_of_thin_air_is_told_with_whoever_tried_it(bench: Bench) -> None:
    _, session = await bench.desk.sign_in("operator-1", PASSWORD, "", HOME)
    with pytest.raises(AccessError):
        await bench.desk.sign("an offer", PASSWORD, "", HOME, session.id)
    (refused,) = bench.events("operator-1", AccessEvent.SIGNATURE_REFUSED)
    assert refused.data["by"] == "operator-1" and refused.data["cause"] == "unknown"


@pytest.mark.parametrize("username", ["operator-l", "0perator-1", "OPERAT0R-I"])
@pytest.mark.requirement("R8")
async def test_a_name_that_is_read_as_another_is_not_given(bench: Bench, username: str) -> None:
    with pytest.raises(AccessError, match="is read as operator-1"):
        await bench.desk.create(username, "Somebody Else", ["OP"], bench.who("admin-1"))


async def test_a_printed_name_in_two_scripts_is_refused_and_one_that_two_bear_is_told(bench: Bench) -> None:
    with pytest.raises(AccessError, match="of one script"):
        await bench.desk.create("qa-9", "Q\u0430-1", ["QA"], bench.who("admin-1"))
    await bench.desk.create("qa-9", "QA-1", ["QA"], bench.who("admin-1"))
    alike = {row.username for row in bench.desk.review().rows if "shares its printed name" in " ".join(row.remarks)}
    assert alike == {"qa-1", "qa-9"}


async def test_rubbish_in_the_ledger_keeps_nobody_out(bench: Bench) -> None:
    token = {"token_id": "t", "scopes": ["read"], "expires_at": "at some time"}
    policy = {"policy": {"second_factor_roles": ["nobody"]}, "before": None}
    await bench.ledger.append(account_stream("qa-1"), [new_event(AccessEvent.TOKEN_ISSUED, token, SYSTEM)], None)
    await bench.ledger.append(ACCESS, [new_event(AccessEvent.POLICY_CHANGED, policy, SYSTEM)], None)
    known = Accounts()
    for event in bench.ledger.read_all():
        known.apply(event)
    assert len(known) == len(bench.desk.accounts) and known.policy_data == bench.desk.accounts.policy_data
    assert await open_access(bench.folder, bench.ledger, replace(CHEAP), bench.clock, SeededEntropy(9))
