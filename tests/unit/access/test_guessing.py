"""Guessing, spraying, replaying: refused, slowed and recorded, and nobody is locked out of the whole site."""

from __future__ import annotations

import asyncio
import statistics
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.access.bench import CHEAP, ELSEWHERE, HOME, PASSWORD, Bench

from cultureops.access.authentication import REFUSED
from cultureops.access.events import ACCESS, AccessEvent
from cultureops.access.throttle import Throttle, TooSoon
from cultureops.errors import AccessError


async def guess(bench: Bench, username: str, source: str) -> str:
    """Try a wrong password and return what was answered."""
    with pytest.raises(AccessError) as refused:
        await bench.desk.sign_in(username, "not the password", "", source)
    return "too soon" if isinstance(refused.value, TooSoon) else str(refused.value)


async def test_guesses_from_elsewhere_lock_an_account_but_not_for_its_person(bench: Bench) -> None:
    await bench.desk.sign_in("operator-1", PASSWORD, "", HOME)
    for _ in range(5):
        await guess(bench, "operator-1", ELSEWHERE)
    bench.wait(3600)
    with pytest.raises(AccessError):  # the right password does not help there
        await bench.desk.sign_in("operator-1", PASSWORD, "", ELSEWHERE)
    secret, _ = await bench.desk.sign_in("operator-1", PASSWORD, "", HOME)
    assert bench.desk.identify(secret).username == "operator-1"
    assert bench.desk.status().locked == ("operator-1",)  # and stays told
    for _ in range(5):
        await guess(bench, "operator-1", HOME)
    with pytest.raises(AccessError):
        bench.desk.identify(secret)


async def test_a_spray_over_fifty_accounts_slows_its_source_and_nobody_else(bench: Bench) -> None:
    answers = []
    for number in range(50):
        answers.append(await guess(bench, f"person-{number}" if number % 2 else "operator-1", ELSEWHERE))
        bench.wait(0.01)
    assert answers[: CHEAP.source_failures].count("too soon") < CHEAP.source_failures
    assert answers[-30:] == ["too soon"] * 30
    assert bench.desk.status().slowed_sources == (ELSEWHERE,)
    (slowed,) = [event for event in bench.ledger.read(ACCESS) if event.type == AccessEvent.SOURCE_SLOWED]
    assert slowed.data["source"] == ELSEWHERE
    for username in ("qa-1", "admin-1", "admin-2"):
        assert await bench.desk.sign_in(username, PASSWORD, "", HOME)
    with pytest.raises(TooSoon):  # a log-in of one's own buys no more guesses
        await bench.desk.sign_in("qa-2", PASSWORD, "", ELSEWHERE)


async def test_one_source_locks_a_few_accounts_at_most(bench: Bench) -> None:
    for number in range(40):
        await guess(bench, ("admin-1", "admin-2", "qa-1", "qa-2", "operator-1")[number % 5], ELSEWHERE)
    assert len(bench.desk.status().locked) <= CHEAP.source_failures // CHEAP.lockout_failures


async def test_whoever_is_refused_hears_the_same_and_a_typed_name_is_not_recorded(bench: Bench) -> None:
    await bench.desk.disable("qa-2", bench.who("admin-1"), "left")
    answers = {
        await guess(bench, name, HOME) for name in ("operator-1", "nobody-1", "qa-2", "", "x" * 5000, "\x00\ud800")
    }
    with pytest.raises(AccessError) as right:
        await bench.desk.sign_in("qa-2", PASSWORD, "", HOME)
    assert answers == {REFUSED} == {str(right.value)}
    assert not any(b"nobody-1" in event.canonical for event in bench.ledger.read_all())


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(bench: Bench) -> None:
    await bench.reopen(source_failures=10_000, lockout_failures=10_000, argon2_memory_kib=1024, argon2_passes=2)
    took: dict[str, list[float]] = {"operator-1": [], "nobody-1": []}
    for _ in range(30):
        for name, times in took.items():
            start = time.perf_counter()
            await guess(bench, name, HOME)
            times.append(time.perf_counter() - start)
    known, unknown = (statistics.median(times) for times in took.values())
    assert abs(known - unknown) < 0.2 * known + 0.002, (known, unknown)


async def test_who_hangs_up_early_has_guessed_all_the_same(bench: Bench) -> None:
    for _ in range(3):
        attempt = asyncio.create_task(bench.desk.sign_in("operator-1", "not the password", "", HOME))
        await asyncio.sleep(0)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
    async with asyncio.timeout(10):
        while len(bench.events("operator-1", AccessEvent.SIGN_IN_REFUSED)) < 3:
            await asyncio.sleep(0.01)


async def test_guesses_at_once_are_counted_one_by_one(bench: Bench) -> None:
    answers = await asyncio.gather(
        *(bench.desk.sign_in("operator-1", f"guess {number}", "", HOME) for number in range(20)), return_exceptions=True
    )
    assert all(isinstance(answer, AccessError) for answer in answers)
    looked_at = [event for event in bench.events("operator-1") if event.data.get("is_guess")]
    assert len(looked_at) == CHEAP.lockout_failures


@pytest.mark.parametrize("cause", ["used", "expired", "other session", "other user", "unknown", "rights", "disabled"])
async def test_an_offer_is_for_one_person_one_record_one_session_one_minute_and_once(bench: Bench, cause: str) -> None:
    _, session = await bench.desk.sign_in("qa-1", PASSWORD, "", HOME)
    _, other = await bench.desk.sign_in("qa-2", PASSWORD, "", HOME)
    offer_id, session_id = await bench.offered("qa-1", session.id), session.id
    if cause == "used":
        await bench.desk.sign(offer_id, PASSWORD, "", HOME, session.id)
    elif cause == "expired":
        bench.wait(61)
    elif cause == "other session":
        session_id = other.id
    elif cause == "unknown":
        offer_id = "none"
    elif cause == "rights":
        await bench.desk.revoke("qa-1", "QA", bench.who("admin-1"), "moved")
    elif cause == "disabled":
        await bench.desk.disable("qa-1", bench.who("admin-1"), "left")
    else:
        await bench.desk.change_password("qa-2", PASSWORD, "", "four other words of my own", HOME)
    before = bench.ledger.head().position
    password = "four other words of my own" if cause == "other user" else PASSWORD
    with pytest.raises(AccessError):
        await bench.desk.sign(offer_id, password, "", HOME, session_id)
    told = [event.type for event in bench.ledger.read_all(before)]
    assert told == [AccessEvent.SIGNATURE_REFUSED]


async def test_a_mistyped_password_leaves_the_offer_open_for_its_minute(bench: Bench) -> None:
    offer_id = await bench.offered()
    with pytest.raises(AccessError):
        await bench.desk.sign(offer_id, "mistyped", "", HOME)
    signature = await bench.desk.sign(offer_id, PASSWORD, "", HOME)
    assert signature.shown == bench.record()
    assert bench.desk.accounts.get("qa-1").failures == (0, 0)  # type: ignore[union-attr]


async def test_a_session_can_not_be_fixed_beforehand(bench: Bench) -> None:
    first, one = await bench.desk.sign_in("qa-1", PASSWORD, "", HOME)
    second, two = await bench.desk.sign_in("qa-1", PASSWORD, "", HOME)
    assert first != second and one.id != two.id
    for chosen in (
        one.id,
        f"{one.id}.",
        f"{one.id}.x",
        f"{two.id}.{first.partition('.')[2]}",
        "x.y",
        "",
        "\ud800.\x00",
    ):
        with pytest.raises(AccessError):
            bench.desk.identify(chosen)
    assert len(first.partition(".")[2]) >= 43  # 256 bits


@pytest.mark.parametrize("what", ["disabled", "locked", "role granted", "role revoked", "reset", "restart"])
async def test_sessions_and_tokens_die_with_what_they_stand_on(bench: Bench, what: str) -> None:
    admin = bench.who("admin-1")
    secret, session = await bench.desk.sign_in("operator-1", PASSWORD, "", HOME)
    token = await bench.desk.issue_token(bench.who("operator-1"), "t", ["read"], bench.clock.now() + 1000)
    bench.desk.identify(secret), bench.desk.identify(token)
    if what == "disabled":
        await bench.desk.disable("operator-1", admin, "left")
    elif what == "locked":
        for _ in range(5):
            await guess(bench, "operator-1", HOME)
    elif what == "role granted":
        await bench.desk.grant("operator-1", "ST", admin, "stores too")
    elif what == "role revoked":
        await bench.desk.revoke("operator-1", "OP", admin, "moved")
    elif what == "reset":
        await bench.desk.invite("operator-1", admin, "lost")
    else:
        await bench.reopen()
        assert bench.desk.is_due(bench.clock.now())
        await bench.desk.settle(bench.clock.now())
        assert bench.events("operator-1")[-1].data == {"session_id": session.id, "cause": "restart of cultureops"}
        assert not bench.desk.is_due(bench.clock.now())
    with pytest.raises(AccessError):
        bench.desk.identify(secret)
    if what in ("disabled", "locked", "reset"):
        with pytest.raises(AccessError):
            bench.desk.identify(token)
    bench.clock.advance(1000)
    with pytest.raises(AccessError):
        bench.desk.identify(token)


async def test_a_token_changes_no_account_and_its_first_use_is_recorded(bench: Bench) -> None:
    token = await bench.desk.issue_token(bench.who("admin-1"), "t", ["read"], bench.clock.now() + 1000)
    by = bench.desk.identify(token, ELSEWHERE)
    with pytest.raises(AccessError, match="token changes no account"):
        await bench.desk.disable("qa-1", by, "x")
    bench.desk.identify(token)
    await bench.desk.settle(bench.clock.now())
    (used,) = bench.events("admin-1", AccessEvent.TOKEN_FIRST_USED)
    assert used.data["source"] == ELSEWHERE
    for scopes in ([], ["write"], ["read", "AD"]):
        with pytest.raises(AccessError, match="scopes"):
            await bench.desk.issue_token(bench.who("qa-1"), "t", scopes, bench.clock.now() + 1000)
    for forged in (token[:-2], token.replace("cot.", "coi."), "cot..", token.rpartition(".")[0] + ".x"):
        with pytest.raises(AccessError):
            bench.desk.identify(forged)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.booleans(), st.integers(0, 200)), max_size=60))
def test_the_throttle_never_waits_longer_than_it_says_and_keys_do_not_hold_each_other_up(steps: list) -> None:  # type: ignore[type-arg]
    throttle, now_s, counts = Throttle(3, 1.0, 30.0), 0.0, {"a": 0, "b": 0}
    for key, is_failure, quarters in steps:
        now_s += quarters / 4  # exact, so that a limit can be met exactly
        if is_failure:
            throttle.failed(key, now_s)
            counts[key] += 1
        for each, count in counts.items():
            wait_s = throttle.wait_s(each, now_s)
            assert 0 <= wait_s <= 30.0 and (wait_s == 0 or count >= 3)
            assert throttle.wait_s(each, now_s + 30.0) == 0
