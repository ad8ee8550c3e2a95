"""Appending, reading, conflicts, hooks, cancellation and a disk that fails."""

from __future__ import annotations

import asyncio
import re
import resource
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.ledgers import Kept

from cultureops.clock import SeededEntropy, SteppedClock, SystemClock, SystemEntropy
from cultureops.errors import ConcurrencyError, StorageError, Unreadable
from cultureops.ledger import Actor, Event, Head, NewEvent, Source, SqlLedger, Whereabouts, store, verify
from cultureops.ledger.head import GENESIS

MakeEvent = Callable[..., NewEvent]
OpenLedger = Callable[..., SqlLedger]


async def test_an_empty_ledger(open_ledger: OpenLedger, where: Whereabouts) -> None:
    ledger = open_ledger()
    assert ledger.head() == Head(0, GENESIS.hex()) == verify(where)
    assert ledger.version("a") == 0
    assert ledger.streams() == ()
    assert ledger.read("a") == tuple(ledger.read_all()) == ()
    server = r"PostgreSQL \d+\.\d+"
    assert re.fullmatch(rf"SQLite {re.escape(sqlite3.sqlite_version)}|{server}", ledger.engine_version)


async def test_what_was_appended_is_what_is_read(open_ledger: OpenLedger, make_event: MakeEvent) -> None:
    ledger = open_ledger()
    first = await ledger.append("batch:B-1", [make_event(), make_event("passaged")], 0)
    second = await ledger.append("alarm:A-1", [make_event("raised", source=Source.SYSTEM)], 0)
    third = await ledger.append("batch:B-1", [make_event("moved")], 2)
    assert ledger.read("batch:B-1") == first + third
    assert ledger.read("batch:B-1", after_version=1) == (first[1], *third)
    assert tuple(ledger.read_all()) == first + second + third
    assert tuple(ledger.read_all(after_position=1, limit=2)) == (first[1], *second)
    assert [event.position for event in ledger.read_all()] == [1, 2, 3, 4]
    assert [event.version for event in ledger.read("batch:B-1")] == [1, 2, 3]
    assert third[0].previous_stream_hash == first[1].hash
    assert second[0].previous_stream_hash == GENESIS.hex()
    assert ledger.streams() == ("alarm:A-1", "batch:B-1")
    assert ledger.streams("batch:") == ("batch:B-1",)
    assert ledger.head() == Head(4, third[0].hash)


async def test_reading_goes_on_over_many_pages(open_ledger: OpenLedger, make_event: MakeEvent) -> None:
    ledger = open_ledger()
    await ledger.append("a", [make_event() for _ in range(1201)], None)
    assert [event.position for event in ledger.read_all()] == list(range(1, 1202))
    assert [event.position for event in ledger.read_all(100, 700)] == list(range(101, 801))
    assert tuple(ledger.read_all(limit=0)) == ()


async def test_reopening_goes_on_where_it_ended(open_ledger: OpenLedger, make_event: MakeEvent) -> None:
    ledger = open_ledger()
    events = await ledger.append("a", [make_event(), make_event()], 0)
    await ledger.close()
    again = open_ledger()
    assert again.head() == Head(2, events[1].hash)
    assert again.version("a") == 2
    (third,) = await again.append("a", [make_event()], 2)
    assert third.previous_stream_hash == events[1].hash


async def test_many_streams_in_one_transaction(
    open_ledger: OpenLedger, make_event: MakeEvent, where: Whereabouts
) -> None:
    ledger = open_ledger()
    events = await ledger.append_many(
        [("a", [make_event(), make_event()], 0), ("b", [make_event()], None), ("a", [make_event()], 2)]
    )
    assert [(event.stream, event.version) for event in events] == [("a", 1), ("a", 2), ("b", 1), ("a", 3)]
    assert verify(where) == ledger.head()


async def test_a_conflict_names_both_versions_and_writes_nothing(
    open_ledger: OpenLedger, make_event: MakeEvent, where: Whereabouts
) -> None:
    ledger = open_ledger()
    await ledger.append("a", [make_event()], 0)
    with pytest.raises(ConcurrencyError, match="stream 'a' is at version 1, expected 0"):
        await ledger.append("a", [make_event()], 0)
    with pytest.raises(ConcurrencyError, match="stream 'a' is at version 1, expected 7"):
        await ledger.append_many([("b", [make_event()], 0), ("a", [make_event()], 7)])
    with pytest.raises(ConcurrencyError):
        await ledger.append("a", [], 5)
    assert ledger.head().position == verify(where).position == 1
    assert ledger.version("b") == 0
    assert await ledger.append("a", [], 1) == ()


async def test_of_many_writers_with_one_expectation_one_wins(open_ledger: OpenLedger, make_event: MakeEvent) -> None:
    ledger = open_ledger()
    outcomes = await asyncio.gather(*(ledger.append("a", [make_event()], 0) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, ConcurrencyError) for outcome in outcomes) == 7
    assert ledger.head().position == 1


async def test_an_unfit_event_spoils_its_whole_append(open_ledger: OpenLedger, make_event: MakeEvent) -> None:
    ledger = open_ledger()
    with pytest.raises(StorageError, match=r"data\.x: nan"):
        await ledger.append("a", [make_event(), make_event(data={"x": float("nan")})], None)
    with pytest.raises(StorageError, match="stream name: '' is not a name"):
        await ledger.append("", [make_event()], None)
    assert ledger.head().position == 0


async def test_hooks_hear_every_commit_in_order_before_append_returns(
    open_ledger: OpenLedger, make_event: MakeEvent
) -> None:
    ledger = open_ledger()
    heard: list[tuple[int, int]] = []
    ledger.on_append.append(lambda events: heard.extend((event.position, threading.get_ident()) for event in events))
    await ledger.append("a", [make_event(), make_event()], None)
    assert heard == [(1, threading.get_ident()), (2, threading.get_ident())]
    await asyncio.gather(*(ledger.append("a", [make_event()], None) for _ in range(20)))
    assert [position for position, _ in heard] == list(range(1, 23))


async def test_a_failing_hook_is_reported_and_loses_nothing(open_ledger: OpenLedger, make_event: MakeEvent) -> None:
    ledger = open_ledger()
    heard: list[Event] = []

    def fail(events: tuple[Event, ...]) -> None:
        raise RuntimeError("view is broken")

    ledger.on_append += [fail, heard.extend]
    with capture_logs() as logs:
        (event,) = await ledger.append("a", [make_event()], None)
    assert heard == [event]
    assert ledger.failed_hooks == 1
    assert [(entry["log_level"], entry["position"]) for entry in logs] == [("error", 1)]


async def test_a_cancelled_caller_leaves_all_or_nothing_and_hooks_hear_it(
    open_ledger: OpenLedger, make_event: MakeEvent, where: Whereabouts
) -> None:
    ledger = open_ledger()
    heard: list[Event] = []
    ledger.on_append.append(heard.extend)
    for round_ in range(10):
        task = asyncio.create_task(ledger.append(f"s{round_}", [make_event(), make_event()], 0))
        for _ in range(round_ % 4):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await ledger.append("last", [make_event()], 0)
    assert {ledger.version(f"s{round_}") for round_ in range(10)} <= {0, 2}
    assert tuple(heard) == tuple(ledger.read_all())
    assert verify(where) == ledger.head()


async def test_a_full_disk_records_nothing_and_is_survived(
    open_ledger: OpenLedger, make_event: MakeEvent, path: Path
) -> None:
    ledger = open_ledger()
    await ledger.append("a", [make_event()], 0)
    log_bytes = path.with_name("ledger.sqlite-wal").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log_bytes, hard))
    try:
        with pytest.raises(StorageError, match=r"could not be stored: .*; none was recorded"):
            await ledger.append("a", [make_event(data={"text": "x" * 100_000})], 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ledger.version("a") == 1
    await ledger.append("a", [make_event()], 1)
    assert verify(path) == ledger.head()
    assert ledger.head().position == 2


async def test_a_disk_that_does_not_answer_is_given_up_but_not_forgotten(
    open_ledger: OpenLedger, make_event: MakeEvent, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger()
    told = asyncio.Event()
    ledger.on_append.append(lambda events: told.set())
    monkeypatch.setattr(store, "_COMMIT_DEADLINE_S", 0.02)
    blocker = sqlite3.connect(path, isolation_level=None)
    try:
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="no answer from the disk"):
            await ledger.append("a", [make_event()], 0)
        assert ledger.version("a") == 0
    finally:
        blocker.close()
    async with asyncio.timeout(5):
        await told.wait()
    assert ledger.version("a") == 1


async def test_readers_in_other_threads_see_whole_commits_while_it_is_written(
    open_ledger: OpenLedger, make_event: MakeEvent, where: Whereabouts
) -> None:
    ledger = open_ledger()
    stop = threading.Event()

    def look() -> list[int]:
        seen = []
        while not stop.is_set():
            assert len(ledger.read("a")) % 2 == 0
            seen.append(verify(where).position)
        return seen

    watchers = [asyncio.create_task(asyncio.to_thread(look)) for _ in range(3)]
    for _ in range(30):
        await ledger.append("a", [make_event(), make_event()], None)
    stop.set()
    for seen in await asyncio.gather(*watchers):
        assert seen == sorted(seen)
        assert all(position % 2 == 0 for position in seen)


async def test_a_closed_ledger_says_so(open_ledger: OpenLedger, make_event: MakeEvent, path: Path) -> None:
    ledger = open_ledger()
    pending = asyncio.create_task(ledger.append("a", [make_event()], 0))
    await asyncio.sleep(0)
    await ledger.close()
    await ledger.close()
    assert len(await pending) == 1
    with pytest.raises(StorageError, match="is closed"):
        await ledger.append("a", [make_event()], None)
    with pytest.raises(StorageError, match="is closed"):
        ledger.read("a")
    assert list(path.parent.iterdir()) == [path]


CHANGES = [
    "UPDATE events SET canonical = hash WHERE position = 2",
    "DELETE FROM events WHERE position = 2",
    "INSERT INTO events SELECT 15, 'a', 5, hash, hash FROM events WHERE position = 1",
    "INSERT INTO events SELECT 13, 'a', 7, hash, hash FROM events WHERE position = 1",
    "INSERT INTO events SELECT 13, 'a', 4, hash, hash FROM events WHERE position = 1",
    "INSERT INTO events SELECT position, stream, version, hash, hash FROM events WHERE position = 12",
    "INSERT INTO heads SELECT 2, 1, hash, hash, 0, 'k', substr(hash, 1, 32) || hash, 'o' FROM events LIMIT 1",
    "INSERT INTO stamps SELECT 2, 1, 'a', hash FROM events LIMIT 1",
]


def test_the_database_refuses_change(written: Kept) -> None:
    """Also from who owns it."""
    for statement in CHANGES:
        with pytest.raises(Exception, match="append-only"):
            written.attempt(statement)
    assert verify(written.where).position == 12


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT OR REPLACE INTO events SELECT position, stream, version, x'00', hash FROM events",
        "INSERT OR REPLACE INTO events SELECT 13, stream, version, x'00', hash FROM events WHERE version = 1",
    ],
)
def test_the_file_refuses_replacement(path: Path, written: Kept, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        written.attempt(statement)
    assert verify(path).position == 12


def test_commits_are_synced(path: Path, written: Kept, clock: SteppedClock) -> None:
    ledger = SqlLedger.open(path, clock, SeededEntropy(1))
    with ledger._writer.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    asyncio.run(ledger.close())


def open_at(path: Path) -> SqlLedger:
    return SqlLedger.open(path, SystemClock(), SystemEntropy())


def test_a_newer_file_is_refused(path: Path, written: Kept) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 4")
    connection.close()
    for use in (open_at, verify):
        with pytest.raises(Unreadable, match=r"written by a newer cultureops \(ledger version 4, known here 3\)"):
            use(path)


def test_a_foreign_database_is_refused_and_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (a)")
    connection.close()
    before = path.read_bytes()
    for use in (open_at, verify):
        with pytest.raises(Unreadable, match="a database, but not a ledger"):
            use(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_and_a_missing_folder_are_refused(path: Path) -> None:
    path.write_text("position;stream\n" * 500)
    with pytest.raises(Unreadable, match="not a database"):
        open_at(path)
    with pytest.raises(StorageError, match="its folder does not exist"):
        open_at(path.parent / "nowhere" / "ledger.sqlite")


def run_of(path: Path, seed: int, make_event: MakeEvent) -> Head:
    async def run() -> Head:
        clock = SteppedClock(0)
        ledger = SqlLedger.open(path, clock, SeededEntropy(seed))
        for step in range(30):
            appends = (ledger.append(f"s{n}", [make_event(data={"step": step})], None) for n in range(3))
            await asyncio.gather(*appends)
            clock.advance(1000)
        head = ledger.head()
        await ledger.close()
        return head

    return asyncio.run(run())


def test_one_seed_gives_one_head(tmp_path: Path, make_event: MakeEvent) -> None:
    first = run_of(tmp_path / "1.sqlite", 7, make_event)
    assert run_of(tmp_path / "2.sqlite", 7, make_event) == first
    assert run_of(tmp_path / "3.sqlite", 8, make_event) != first


appends = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), max_size=5)


@settings(deadline=None, max_examples=30)
@given(transactions=st.lists(appends, max_size=6), data=st.dictionaries(st.text(), st.floats(0, 1), max_size=2))
def test_any_sequence_of_appends_is_gap_free_and_verifies(
    tmp_path_factory: pytest.TempPathFactory, transactions: list[list[tuple[str, int, bool]]], data: Any
) -> None:
    path = tmp_path_factory.mktemp("any") / "ledger.sqlite"
    event = NewEvent("counted", data, Actor("tech-1", "technician"), Source.HUMAN)

    async def run() -> None:
        ledger = open_at(path)
        versions = dict.fromkeys("abc", 0)
        for transaction in transactions:
            groups: list[store.Group] = []
            for stream, count, checked in transaction:
                groups.append((stream, [event] * count, versions[stream] if checked else None))
                versions[stream] += count
            await ledger.append_many(groups)
        head = ledger.head()
        assert {stream: ledger.version(stream) for stream in "abc"} == versions
        assert [read.position for read in ledger.read_all()] == list(range(1, sum(versions.values()) + 1))
        for stream, version in versions.items():
            assert [read.version for read in ledger.read(stream)] == list(range(1, version + 1))
        await ledger.close()
        assert verify(path) == head

    asyncio.run(run())


async def test_throughput(
    kept: Kept, open_ledger: OpenLedger, make_event: MakeEvent, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = open_ledger()
    start = time.perf_counter()
    for _ in range(200):
        await ledger.append("a", [make_event()], None)
    single_s = time.perf_counter() - start
    start = time.perf_counter()
    await ledger.append("b", [make_event() for _ in range(2000)], None)
    many_s = time.perf_counter() - start
    with capsys.disabled():
        rates = f"{200 / single_s:,.0f} appends/s durable, {2000 / many_s:,.0f} events/s in one append"
        rates = f"{200 / single_s:,.0f} appends/s durable, {2000 / many_s:,.0f} events/s in one append"
        print(f"\nledger, {type(kept).__name__}: {rates}")
    assert ledger.head().position == 2200
