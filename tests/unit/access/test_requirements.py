"""What an inspector tries of requirements R7 to R13, as one test each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.unit.access.bench import CHEAP, HOME, PASSWORD, Bench

from cultureops.access import Identity, Meaning
from cultureops.access.account import AccountState
from cultureops.access.events import ACCESS, SYSTEM, AccessEvent, account_stream, new_event
from cultureops.access.policy import access_from
from cultureops.config import parse
from cultureops.errors import AccessError, ConfigError
from cultureops.ledger import Actor

OTHER = "four other words of my own"


@pytest.mark.requirement("R7")
async def test_a_valid_session_without_a_password_signs_nothing_and_idling_asks_for_everything(bench: Bench) -> None:
    secret, session = await bench.desk.sign_in("qa-1", PASSWORD, "", HOME)
    offer_id = await bench.offered("qa-1", session.id)
    with pytest.raises(AccessError, match="wrong"):
        await bench.desk.sign(offer_id, "", "", HOME, session.id)
    with pytest.raises(AccessError, match="wrong"):
        await bench.desk.sign(offer_id, secret, "", HOME, session.id)
    signature = await bench.desk.sign(offer_id, PASSWORD, "", HOME, session.id)
    assert (signature.username, signature.method, signature.session_id) == ("qa-1", "password", session.id)
    bench.wait(CHEAP.idle_s)
    with pytest.raises(AccessError):
        bench.desk.identify(secret)
    await bench.desk.settle(bench.clock.now())
    with pytest.raises(AccessError):
        await bench.offered("qa-1", session.id)


@pytest.mark.requirement("R8")
async def test_after_a_reset_nobody_signs_until_the_person_has_a_secret_of_their_own_and_was_checked_anew(
    bench: Bench,
) -> None:
    invitation = await bench.desk.invite("qa-1", bench.who("admin-1"), "lost the phone")
    with pytest.raises(AccessError, match="wrong"):  # neither the old password nor the link is one
        await bench.desk.sign_in("qa-1", PASSWORD, "", HOME)
    with pytest.raises(AccessError, match="invited"):
        await bench.offered()
    await bench.desk.accept(invitation, OTHER)  # whoever holds the link, be it the administrator
    with pytest.raises(AccessError, match="identity"):
        await bench.offered()
    for alone in ("admin-1", "admin-2", "qa-1", "operator-1"):
        with pytest.raises(AccessError):
            await bench.desk.verify_identity("qa-1", "passport", bench.who(alone))
    await bench.desk.verify_identity("qa-1", "passport", bench.who("qa-2"))
    assert await bench.desk.sign(await bench.offered(), OTHER, "", HOME)
    (reset,) = bench.events("qa-1", AccessEvent.INVITED)
    assert (reset.actor, reset.reason, reset.data["is_reset"]) == (Actor("admin-1", "AD"), "lost the phone", True)


@pytest.mark.requirement("R9")
async def test_a_user_name_is_never_given_twice_and_signing_needs_a_checked_identity(bench: Bench) -> None:
    admin = bench.who("admin-1")
    await bench.desk.disable("operator-1", admin, "left")
    for name in ("operator-1", "OPERATOR-1", "Operator\u20101", "ｏperator-1"):
        with pytest.raises(AccessError, match="never given twice"):
            await bench.desk.create(name, "Somebody Else", ["OP"], admin)
    await bench.desk.accept(await bench.desk.create("operator-7", "Operator Seven", ["OP"], admin), OTHER)
    with pytest.raises(AccessError, match="nobody has checked"):
        await bench.desk.enable_signing("operator-7", admin)


@pytest.mark.requirement("R10")
async def test_five_bad_log_ins_lock_and_are_told_and_a_revoked_token_is_dead(bench: Bench) -> None:
    await bench.desk.sign_in("operator-1", PASSWORD, "", HOME)
    for _ in range(5):
        with pytest.raises(AccessError):
            await bench.desk.sign_in("operator-1", "not the password", "", HOME)
    assert bench.desk.status().locked == ("operator-1",)
    assert bench.desk.status().open_sessions == 0
    token = await bench.desk.issue_token(bench.who("qa-1"), "a tablet", ["read"], bench.clock.now() + 86_400_000)
    assert bench.desk.identify(token).scopes == frozenset({"read"})
    (token_id,) = (one.id for one in bench.desk.accounts.get("qa-1").tokens.values())  # type: ignore[union-attr]
    await bench.desk.revoke_token(token_id, bench.who("qa-1"), "lost")
    with pytest.raises(AccessError):
        bench.desk.identify(token)


@pytest.mark.requirement("R11")
async def test_only_an_administrator_unlocks_nobody_raises_a_time_out_and_the_log_tells_of_each_log_in(
    bench: Bench,
) -> None:
    secret, _ = await bench.desk.sign_in("operator-1", PASSWORD, "", HOME)
    await bench.desk.sign_out(secret)
    for _ in range(5):
        with pytest.raises(AccessError):
            await bench.desk.sign_in("operator-1", "not the password", "", HOME)
    bench.wait(3600)
    with pytest.raises(AccessError):
        await bench.desk.sign_in("operator-1", PASSWORD, "", HOME)
    for other in ("operator-1", "qa-1"):
        with pytest.raises(AccessError, match="no administrator"):
            await bench.desk.unlock("operator-1", bench.who(other), "please")
    await bench.desk.unlock("operator-1", bench.who("admin-1"), "mistyped, says the person on the phone")
    secret, session = await bench.desk.sign_in("operator-1", PASSWORD, "", HOME)
    with pytest.raises(TypeError):
        await bench.desk.sign_in("operator-1", PASSWORD, "", HOME, idle_s=1e9)  # type: ignore[call-arg]
    for _ in range(3):
        bench.wait(CHEAP.idle_s - 1)
        bench.desk.identify(secret)
    bench.wait(CHEAP.idle_s)
    with pytest.raises(AccessError):
        bench.desk.identify(secret)
    await bench.desk.settle(bench.clock.now())
    kinds = [event.type for event in bench.events("operator-1")][4:]
    assert kinds == ["signed_in", "signed_out", *["sign_in_refused"] * 5, "locked", "sign_in_refused", "unlocked",
                     "signed_in", "session_ended"]  # fmt: skip
    assert bench.events("operator-1")[-1].data == {"session_id": session.id, "cause": "idle"}


@pytest.mark.requirement("R11")
async def test_who_comes_from_outside_needs_a_second_factor(bench: Bench) -> None:
    desk = await bench.reopen(second_factor_outside=True, inside_networks=("10.0.0.0/8",))
    with pytest.raises(AccessError):
        await desk.sign_in("qa-1", PASSWORD, "", "203.0.113.9")
    assert await desk.sign_in("qa-1", PASSWORD, "", "10.1.2.3")


@pytest.mark.requirement("R12")
async def test_a_changed_profile_is_audited_and_takes_effect(bench: Bench) -> None:
    text = "[access]\npassword_min_length = 20\npassword_classes = 3\nlockout_failures = 3\n"
    policy = access_from(parse(text, "site.toml").optional_table("access"), "Test lab", "Europe/Berlin")
    assert (policy.password_min_length, policy.password_classes) == (20, 3)
    desk = await bench.reopen(password_min_length=20, password_classes=3)
    changed = [event for event in bench.ledger.read(ACCESS) if event.type == AccessEvent.POLICY_CHANGED][-1]
    assert changed.data["before"]["password_min_length"] == 15  # type: ignore[index, call-overload]
    assert changed.data["policy"]["password_min_length"] == 20  # type: ignore[index, call-overload]
    with pytest.raises(AccessError, match="20 to 128"):
        await desk.change_password("qa-1", PASSWORD, "", "short but unusual", HOME)
    with pytest.raises(AccessError, match="3 kinds"):
        await desk.change_password("qa-1", PASSWORD, "", "several quite unrelated nouns", HOME)
    await desk.change_password("qa-1", PASSWORD, "", "Several quite unrelated nouns 7", HOME)
    before = bench.ledger.version(ACCESS)
    await bench.reopen(password_min_length=20, password_classes=3)
    assert bench.ledger.version(ACCESS) == before


Act = Callable[[Bench, Identity], Awaitable[object]]
ACTS: dict[str, tuple[frozenset[str], Act]] = {
    "end another's session": (frozenset({"AD"}), lambda b, by: b.desk.end_session("operator-9", "S", by)),
    "revoke another's token": (frozenset({"AD"}), lambda b, by: b.desk.revoke_token("T", by)),
    "create": (frozenset({"AD"}), lambda b, by: b.desk.create("new-1", "New One", ["OP"], by)),
    "grant": (frozenset({"AD"}), lambda b, by: b.desk.grant("operator-9", "ST", by, "stores too")),
    "revoke": (frozenset({"AD"}), lambda b, by: b.desk.revoke("operator-9", "OP", by, "moved")),
    "unlock": (frozenset({"AD"}), lambda b, by: b.desk.unlock("locked-1", by, "mistyped")),
    "enable signing": (frozenset({"AD"}), lambda b, by: b.desk.enable_signing("operator-9", by)),
    "verify identity": (frozenset({"QA", "QP"}), lambda b, by: b.desk.verify_identity("operator-9", "passport", by)),
    "invite": (frozenset({"AD"}), lambda b, by: b.desk.invite("operator-9", by, "lost")),
    "reinstate": (frozenset({"AD"}), lambda b, by: b.desk.reinstate("gone-1", by, "is back")),
    "disable": (frozenset({"AD"}), lambda b, by: b.desk.disable("operator-9", by, "left")),
    "issue an own token": (
        frozenset({"OP", "RV", "QC", "QA", "QP", "ST", "CL", "EQ", "AD"}),
        lambda b, by: b.desk.issue_token(by, "tablet", ["read"], b.clock.now() + 1000),
    ),
}


async def _scene(bench: Bench, role: str) -> Identity:
    """Lay out what the actions need, and somebody who holds one role."""
    for name in ("operator-9", "gone-1", "locked-1"):
        await bench.employ(name, "OP")
    await bench.employ("actor-1", role)
    signed_in = {"session_id": "S", "source": HOME, "method": "password"}
    token = {"token_id": "T", "title": "t", "scopes": ["read"], "expires_at": "2027-01-01T00:00:00Z"}
    lock = {"is_everywhere": True, "source": HOME}
    for name, kind, data in (
        ("operator-9", AccessEvent.SIGNED_IN, signed_in),
        ("operator-9", AccessEvent.TOKEN_ISSUED, token),
        ("gone-1", AccessEvent.DISABLED, {}),
        ("locked-1", AccessEvent.LOCKED, lock),
    ):
        await bench.ledger.append(account_stream(name), [new_event(kind, data, SYSTEM)], None)
    return bench.who("actor-1")


@pytest.mark.requirement("R13")
@pytest.mark.parametrize("role", ["OP", "RV", "QC", "QA", "QP", "ST", "CL", "EQ", "AD"])
async def test_every_role_does_what_it_may_and_nothing_else(bench: Bench, role: str) -> None:
    by = await _scene(bench, role)
    for name, (allowed, act) in ACTS.items():
        if role not in allowed:
            before = bench.ledger.head().position
            with pytest.raises(AccessError):
                await act(bench, by)
            (told,) = bench.ledger.read_all(before)
            assert (told.type, told.actor) == ("access_change_refused", Actor("actor-1", role)), name
    for name, (allowed, act) in ACTS.items():
        if role in allowed:
            before = bench.ledger.head().position
            await act(bench, by)
            assert all(event.actor.id == "actor-1" for event in bench.ledger.read_all(before)), name


@pytest.mark.requirement("R13")
async def test_an_administrator_has_no_part_in_records_and_nobody_grants_rights_to_themselves(bench: Bench) -> None:
    admin = bench.who("admin-1")
    for role in ("OP", "RV", "QC", "QA", "QP", "ST", "CL", "EQ"):
        with pytest.raises(AccessError, match="AD stands alone"):
            await bench.desk.grant("admin-2", role, admin, "why not")
        with pytest.raises(AccessError, match="themselves"):
            await bench.desk.grant("admin-1", role, admin, "why not")
        with pytest.raises(AccessError):
            bench.desk.permit(Actor("admin-1", role))
    with pytest.raises(AccessError, match="AD stands alone"):
        await bench.desk.grant("operator-1", "AD", admin, "why not")
    with pytest.raises(AccessError, match="no role of people"):
        await bench.desk.grant("operator-1", "DEV", admin, "why not")
    with pytest.raises(AccessError, match="can't sign"):
        await bench.desk.offer("admin-1", "AD", Meaning.APPROVED, bench.record())


@pytest.mark.requirement("R13")
async def test_rights_are_recorded_with_who_why_and_reviewed_by_qa(bench: Bench) -> None:
    await bench.desk.grant("operator-1", "ST", bench.who("admin-1"), "stores on weekends")
    (granted,) = bench.events("operator-1", AccessEvent.ROLE_GRANTED)
    assert (granted.actor, granted.reason, granted.data) == (
        Actor("admin-1", "AD"), "stores on weekends", {"role": "ST"},
    )  # fmt: skip
    bench.clock.advance(100 * 86_400_000)
    report = bench.desk.review()
    assert report.is_due and all("not used for 90 d" in row.remarks for row in report.rows)
    shown = bench.desk.shown_for_review(report, "operator-1 keeps ST")
    offer = await bench.desk.offer("qa-1", "QA", Meaning.REVIEWED, shown)
    signature = await bench.desk.sign(offer.id, PASSWORD, "", HOME)
    with pytest.raises(AccessError, match="another report"):
        await bench.desk.record_review(report, "another conclusion", signature)
    event = await bench.desk.record_review(report, "operator-1 keeps ST", signature)
    assert event.actor == Actor("qa-1", "QA") and not bench.desk.review().is_due
    with pytest.raises(AccessError):
        await bench.desk.record_review(report, "operator-1 keeps ST", signature)


async def test_the_first_link_works_once_and_no_account_exists_before(empty: Bench) -> None:
    first = await empty.desk.first_link()
    link = await empty.desk.first_link()
    assert first and link and not empty.desk.is_set_up
    with pytest.raises(AccessError, match="set-up"):
        empty.desk.permit(Actor("admin", "AD"))
    for wrong in (first, "", "cof.x.y", link[:-1], link.replace("cof", "coi")):
        with pytest.raises(AccessError, match="link"):
            await empty.desk.accept(wrong, PASSWORD, username="admin-1", printed_name="Admin One")
    with pytest.raises(AccessError, match="user name"):
        await empty.desk.accept(link, PASSWORD, username="x", printed_name="Admin One")
    account = await empty.desk.accept(link, PASSWORD, username="admin-1", printed_name="Admin One")
    assert account.state is AccountState.ACTIVE and await empty.desk.first_link() is None
    with pytest.raises(AccessError):
        await empty.desk.accept(link, PASSWORD, username="admin-2", printed_name="Admin Two")


@pytest.mark.parametrize(
    "line",
    ["idle_s = 1", "idle_s = inf", "lockout_failures = 0", "password_min_length = 3", "argon2_passes = 1",
     "speling = 1", 'second_factor_roles = ["DEV"]', "second_factor_outside = true", 'inside_networks = ["10.0.0.1/8"]',
     'webauthn_origin = "http://lab.example"', 'webauthn_origin = "lab"', "slow_most_s = 1\nslow_first_s = 9"],
)  # fmt: skip
def test_a_policy_that_is_none_is_refused_with_its_line(line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"site\.toml:\d+: \[access\]"):
        access_from(parse(f"[access]\n{line}\n", "site.toml").table("access"), "x", "UTC")
