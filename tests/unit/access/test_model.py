"""Accounts against a model: whatever is done in whatever order, the rules that protect people hold."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.access.bench import HOME, PASSWORD, Bench

from cultureops.access import Meaning
from cultureops.access.accounts import Accounts
from cultureops.access.events import PREFIX
from cultureops.access.name import folded
from cultureops.clock import SeededEntropy, SteppedClock, parse_iso
from cultureops.errors import AccessError
from cultureops.ledger import SqlLedger

OTHER = "four other words of my own"
NAMES = ("admin-1", "admin-2", "qa-1", "operator-1", "Operator-1", "new-1")
ROLES = ("AD", "OP", "QA", "QP", "DEV")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["create", "invite", "accept", "verify", "enable", "grant", "revoke", "disable", "reinstate", "unlock",
             "good", "bad", "bad", "sign"]
        ),
        st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(ROLES),
    ),
    min_size=5, max_size=20,
)  # fmt: skip


async def _do(bench: Bench, links: dict[str, str], step: str, name: str, by_name: str, role: str) -> None:
    desk, by = bench.desk, bench.who(by_name) if bench.desk.accounts.get(by_name) else bench.who("admin-1")
    bench.wait(400)
    acts: dict[str, Any] = {
        "create": lambda: desk.create(name, "Some One", [role], by),
        "invite": lambda: desk.invite(name, by, "lost"),
        "accept": lambda: desk.accept(links.get(folded(name), ""), OTHER),
        "verify": lambda: desk.verify_identity(name, "passport", by),
        "enable": lambda: desk.enable_signing(name, by),
        "grant": lambda: desk.grant(name, role, by, "why"),
        "revoke": lambda: desk.revoke(name, role, by, "why"),
        "disable": lambda: desk.disable(name, by, "why"),
        "reinstate": lambda: desk.reinstate(name, by, "why"),
        "unlock": lambda: desk.unlock(name, by, "why"),
        "good": lambda: desk.sign_in(name, PASSWORD, "", HOME),
        "bad": lambda: desk.sign_in(name, "guess", "", HOME),
        "sign": lambda: desk.offer(name, role, Meaning.APPROVED, bench.record()),
    }
    before = desk.accounts.get(name)
    try:
        done = await acts[step]()
    except AccessError:
        return
    if step in ("create", "invite"):
        links[folded(name)] = done
    assert step != "bad"
    if step in ("good", "sign"):
        assert before is not None and before.is_active and not before.is_locked_everywhere
    if step == "sign":
        assert before is not None and before.verification and before.is_signing_enabled and role in before.roles


def _check(bench: Bench) -> None:
    accounts = bench.desk.accounts
    assert accounts.holding("AD"), "nobody could administer"  # type: ignore[arg-type]
    for account in accounts.all():
        assert "AD" not in account.roles or account.roles == {"AD"}
        assert "DEV" not in account.roles
        assert not account.sessions or (account.is_active and not account.is_locked_everywhere)
        if account.is_signing_enabled:
            assert (
                account.verification is not None and account.password_id and account.username != account.verification.by
            )
    streams = [stream.removeprefix(PREFIX) for stream in bench.ledger.streams(PREFIX)]
    assert len({folded(name) for name in streams}) == len(streams)
    again = Accounts()
    for event in sorted((e for s in streams for e in bench.ledger.read(PREFIX + s)), key=lambda event: event.position):
        again.apply(event)
    assert again.all() == accounts.all()


async def _play(employed: Path, steps: list[tuple[str, str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(employed, folder, dirs_exist_ok=True)
        clock = SteppedClock(parse_iso("2026-01-05T08:00:00Z"))
        ledger = SqlLedger.open(Path(folder, "ledger.sqlite"), clock, SeededEntropy(1))
        try:
            bench, links = Bench(Path(folder), clock, ledger), dict[str, str]()
            await bench.reopen()
            for step in steps:
                await _do(bench, links, *step)
                _check(bench)
        finally:
            await ledger.close()


@given(STEPS)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_of_changes_breaks_a_rule(employed: Path, steps: list[tuple[str, str, str, str]]) -> None:
    asyncio.run(_play(employed, steps))


@pytest.mark.soak
@pytest.mark.timeout(900)
@given(STEPS)
@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_of_very_many_breaks_a_rule(employed: Path, steps: list[tuple[str, str, str, str]]) -> None:
    asyncio.run(_play(employed, steps))
