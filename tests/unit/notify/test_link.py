"""One-time links: forged, expired, of another activation, used twice."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.notify.stock import START, rule, view

from cultureops.alarms.state import State
from cultureops.clock import HOUR_MS, SeededEntropy, SteppedClock
from cultureops.errors import StorageError
from cultureops.ledger import SqlLedger
from cultureops.notify.link import KEY_FILE, LinkRefused, Links, LinkTicket, load_key

HIGH = rule()
LINKS = Links(b"k" * 32, SeededEntropy(1))


def token(links: Links = LINKS) -> str:
    return links.token(HIGH.id, START, "op-1", START + HOUR_MS)


def test_what_is_written_is_read() -> None:
    first, second = token(), token()
    assert first != second
    ticket = LINKS.read_token(first, START)
    assert (ticket.rule_id, ticket.raised_at, ticket.person) == (HIGH.id, START, "op-1")
    assert ticket.nonce != LINKS.read_token(second, START).nonce
    assert set(first) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_it_expires() -> None:
    assert LINKS.read_token(token(), START + HOUR_MS - 1)
    with pytest.raises(LinkRefused, match="expired at 2026-01-05T09:00"):
        LINKS.read_token(token(), START + HOUR_MS)


def test_another_sites_key_does_not_open_it() -> None:
    with pytest.raises(LinkRefused, match="was not made here"):
        LINKS.read_token(token(Links(b"x" * 32, SeededEntropy(1))), START)


@settings(max_examples=150)
@given(st.data())
def test_no_changed_token_is_taken(data: st.DataObject) -> None:
    good = token()
    at = data.draw(st.integers(0, len(good) - 1))
    changed = good[:at] + data.draw(st.characters(codec="utf-8")) + good[at + 1 :]
    if changed != good:
        try:
            ticket = LINKS.read_token(changed, START)
        except LinkRefused as error:
            assert "\n" not in str(error)
        else:  # the last character before the dot has bits that mean nothing
            assert (ticket.rule_id, ticket.raised_at, ticket.person) == (HIGH.id, START, "op-1")


@given(st.text(max_size=200))
@settings(max_examples=150)
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(LinkRefused):
        LINKS.read_token(text, START)


async def ledger_in(folder: Path) -> SqlLedger:
    return SqlLedger.open(folder / "ledger.sqlite", SteppedClock(START), SeededEntropy(2))


async def test_it_is_spent_once_also_over_two_processes(tmp_path: Path) -> None:
    ticket = LINKS.read_token(token(), START)
    one, other = await ledger_in(tmp_path), await ledger_in(tmp_path)
    await LINKS.spend(one, ticket, view(HIGH, START), START)
    for again in (one, other):
        with pytest.raises(LinkRefused, match="has been used"):
            await LINKS.spend(again, ticket, view(HIGH, START), START)
    assert [event.type for event in one.read("notify")] == ["alarm_link_used"]
    await one.close()
    await other.close()
    third = await ledger_in(tmp_path)
    with pytest.raises(LinkRefused, match="has been used"):
        await LINKS.spend(third, ticket, view(HIGH, START), START)
    await third.close()


async def test_it_is_for_one_activation(tmp_path: Path) -> None:
    ticket, ledger = LINKS.read_token(token(), START), await ledger_in(tmp_path)
    for standing, complaint in (
        (view(HIGH, START + 60_000), "raised anew at 2026-01-05T08:01:00.000Z"),
        (view(HIGH, START, State.ACK, by="qa-1"), "was acknowledged by qa-1"),
        (None, "is over; there is nothing to do"),
        (view(rule("incubator_2/temperature/high"), START), "nothing to do"),
    ):
        with pytest.raises(LinkRefused, match=complaint):
            await LINKS.spend(ledger, ticket, standing, START)
    await LINKS.spend(ledger, ticket, view(HIGH, START, State.RTN_UNACK), START)  # the refusals did not use it up
    await ledger.close()


async def test_a_ledger_that_can_not_note_the_use_refuses_it(tmp_path: Path) -> None:
    ledger = await ledger_in(tmp_path)
    await ledger.close()
    with pytest.raises(StorageError):
        await LINKS.spend(ledger, LinkTicket(HIGH.id, START, "op-1", START + 1, "0"), view(HIGH, START), START)


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    key = load_key(tmp_path)
    assert len(key) == 32 and load_key(tmp_path) == key
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [KEY_FILE]
    assert repr(key) not in repr(Links(key, SeededEntropy(1)))


def test_of_many_that_begin_at_once_all_have_one_key(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def load(_: int) -> bytes:
        start.wait(10)
        return load_key(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(load, range(8)))) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize("found", ["", "not hex", "abcd", "ä" * 64])
def test_a_file_that_is_no_key(tmp_path: Path, found: str) -> None:
    (tmp_path / KEY_FILE).write_text(found)
    (tmp_path / KEY_FILE).chmod(0o600)
    with pytest.raises(StorageError, match="holds no key"):
        load_key(tmp_path)


def test_a_key_that_others_may_read(tmp_path: Path) -> None:
    load_key(tmp_path)
    os.chmod(tmp_path / KEY_FILE, 0o644)
    with pytest.raises(StorageError, match="others may read it"):
        load_key(tmp_path)
