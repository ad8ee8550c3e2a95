"""Several processes append to one file: in turn, behind each other, and everyone hears of everything once, in order."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import sys
import threading
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.ledgers import Kept
from tests.postgres import Database

from cultureops.clock import SystemClock, SystemEntropy
from cultureops.errors import ChainBroken, ClaimTaken, ConcurrencyError, StorageError
from cultureops.ledger import Event, NewEvent, SqlLedger, Whereabouts, verify
from cultureops.ledger.chain import link
from cultureops.ledger.checkpoint import Checkpoint
from cultureops.ledger.event import seal
from cultureops.ledger.postgres import PostgresDatabase

MakeEvent = Callable[..., NewEvent]
OpenLedger = Callable[..., SqlLedger]
DEADLINE_S = 240.0
N_WRITERS, N_APPENDS = 4, 200

WRITER = """
import asyncio, json, random, sys
from pathlib import Path
from cultureops.clock import SystemClock, SystemEntropy
from cultureops.errors import ClaimTaken, ConcurrencyError
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger
from cultureops.ledger.postgres import PostgresDatabase
from cultureops.ledger.postgres_settings import PostgresSettings

said, writer, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
is_path = not said.startswith("{")
path = Path(said) if is_path else PostgresDatabase(PostgresSettings.from_data(json.loads(said)))
dice = random.Random(writer)

async def main():
    ledger = SqlLedger.open(path, SystemClock(), SystemEntropy())
    heard = []
    ledger.on_append.append(heard.extend)
    before, number = ledger.head().position, 0
    while number < count:
        stream, place = f"s{dice.randrange(5)}", f"place:{dice.randrange(8)}"
        holder = ledger.holder(place)
        mine = holder is not None and holder.stream == stream
        event = NewEvent("counted", {"writer": writer, "number": number}, Actor(f"tech-{writer}", "technician"),
            Source.HUMAN, claims=() if mine else (place,), releases=(place,) if mine else ())
        plain = NewEvent("counted", {"writer": writer, "number": number}, event.actor, event.source)
        expected = dice.choice([None, ledger.version(stream), ledger.version(stream)])
        try:
            events = await ledger.append(stream, [dice.choice([event, plain])], expected)
        except ConcurrencyError:
            print("conflict", flush=True)
        except ClaimTaken:
            print("taken", flush=True)
        else:
            number += 1
            print("recorded", events[0].position, events[0].hash, flush=True)
    await ledger.catch_up()
    assert [event.position for event in heard] == list(range(before + 1, ledger.head().position + 1))
    await ledger.close()
    print("closed", flush=True)

asyncio.run(main())
"""


async def write(where: Whereabouts, writer: int, count: int = N_APPENDS) -> Process:
    told = json.dumps(where.settings.data()) if isinstance(where, PostgresDatabase) else str(where)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, told, str(writer), str(count), stdout=PIPE, stderr=PIPE
    )


async def said_by(child: Process, kill_after: int | None) -> list[list[str]]:
    """Return what a writer said, word by word; kill it after so many lines if asked to."""
    assert child.stdout is not None and child.stderr is not None
    lines: list[bytes] = []
    try:
        async with asyncio.timeout(DEADLINE_S):
            if kill_after is not None:
                lines = [await child.stdout.readline() for _ in range(kill_after)]
                child.kill()
            rest, errors = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
    said = [line.split() for line in b"".join([*lines, rest]).decode().split("\n")[:-1]]
    assert kill_after is not None or said[-1] == ["closed"], errors.decode()
    return said


async def lose_and_double_nothing(where: Whereabouts, writers: int, appends: int, killed_after: int) -> None:
    """Let processes append, kill the last of them, and compare what each said with what is there."""
    children = [await write(where, writer, appends) for writer in range(writers)]
    kills = [None] * (writers - 1) + [killed_after]
    work = asyncio.gather(*(said_by(child, kill) for child, kill in zip(children, kills, strict=True)))
    ledger = SqlLedger.open(where, SystemClock(), SystemEntropy())  # while the others open or create it
    first, heard, returned = ledger.head().position, list[Event](), list[Event]()
    ledger.on_append.append(heard.extend)
    while not work.done():
        returned += await ledger.catch_up()
        await asyncio.sleep(0)
    by_writer = await work
    said = [words for writer in by_writer for words in writer]
    returned += await ledger.catch_up()

    assert heard == returned == list(ledger.read_all(first))
    assert [event.position for event in heard] == list(range(first + 1, ledger.head().position + 1))
    stored = {event.position: event.hash for event in ledger.read_all()}
    reported = {int(words[1]): words[2] for words in said if words[0] == "recorded"}
    assert reported.items() <= stored.items()
    written = [(event.data["writer"], event.data["number"]) for event in ledger.read_all()]
    assert len(set(written)) == len(written)
    for writer in range(writers - 1):
        assert [number for who, number in written if who == writer] == list(range(appends))
    assert len(stored) - len(reported) in (0, 1)  # what the killed one had no time to say
    words = {line[0] for line in said}
    assert {"conflict", "taken"} & words
    await ledger.close()
    assert verify(where).position == len(stored)


async def test_four_writers_of_which_one_is_killed_lose_and_double_nothing(path: Path) -> None:
    killed_after = random.Random(20260105).randrange(20, 120)
    await lose_and_double_nothing(path, N_WRITERS, N_APPENDS, killed_after)


async def test_two_writers_of_one_database_of_which_one_is_killed_lose_and_double_nothing(postgres: Database) -> None:
    await lose_and_double_nothing(PostgresDatabase(postgres.settings()), 2, 30, 12)


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_eight_writers_of_one_database_of_which_one_is_killed(
    postgres: Database, record_property: Callable[[str, object], None]
) -> None:
    began = time.monotonic()
    await lose_and_double_nothing(PostgresDatabase(postgres.settings()), 8, 60, 40)
    record_property("postgresql_eight_writers_s", round(time.monotonic() - began, 2))


async def test_a_second_writer_goes_on_behind_the_first(
    open_ledger: OpenLedger, make_event: MakeEvent, where: Whereabouts
) -> None:
    ledger, other = open_ledger(), open_ledger(seed=8)
    heard: list[tuple[Event, ...]] = []
    other.on_append.append(heard.append)
    one = await ledger.append("a", [make_event(), make_event()], 0)
    assert other.version("a") == 0
    two = await other.append("b", [make_event()], 0)
    assert heard == [one, two]
    assert (two[0].position, other.version("a")) == (3, 2)
    with pytest.raises(ConcurrencyError, match="stream 'b' is at version 1, expected 0"):
        await ledger.append("b", [make_event()], 0)
    assert await ledger.catch_up() == ()
    assert ledger.head() == other.head() == verify(where)
    assert ledger.streams() == other.streams() == ("a", "b")


async def test_a_refused_append_still_tells_of_what_others_did(open_ledger: OpenLedger, make_event: MakeEvent) -> None:
    ledger, other = open_ledger(), open_ledger(seed=8)
    heard: list[Event] = []
    ledger.on_append.append(heard.extend)
    one = await other.append("a", [make_event(claims=("place:x",))], 0)
    with pytest.raises(ConcurrencyError):
        await ledger.append("a", [make_event()], 0)
    assert tuple(heard) == one
    two = await other.append("a", [make_event()], 1)
    with pytest.raises(ClaimTaken):
        await ledger.append("b", [make_event(claims=("place:x",))], 0)
    assert await ledger.catch_up() == ()
    assert tuple(heard) == one + two


async def test_catching_up_returns_what_others_did_and_is_told_once(
    open_ledger: OpenLedger, make_event: MakeEvent
) -> None:
    ledger, other = open_ledger(), open_ledger(seed=8)
    heard: list[Event] = []
    ledger.on_append.append(heard.extend)
    assert await ledger.catch_up() == ()
    events = await other.append("a", [make_event(), make_event(claims=("place:x",))], 0)
    found = await asyncio.gather(*(ledger.catch_up() for _ in range(3)))
    assert sorted(found, key=len) == [(), (), events]
    assert tuple(heard) == events
    await ledger.append("a", [make_event(releases=("place:x",))], 2)
    assert await other.catch_up() == ledger.read("a", 2)
    await ledger.close()
    with pytest.raises(StorageError, match="is closed"):
        await ledger.catch_up()


async def test_a_failing_hook_costs_no_foreign_event(open_ledger: OpenLedger, make_event: MakeEvent) -> None:
    ledger, other = open_ledger(), open_ledger(seed=8)
    heard: list[Event] = []

    def fail(events: tuple[Event, ...]) -> None:
        raise RuntimeError("view is broken")

    ledger.on_append += [fail, heard.extend]
    events = await other.append("a", [make_event()], 0)
    await ledger.append("b", [make_event()], 0)
    assert heard[0] == events[0] and len(heard) == 2
    assert ledger.failed_hooks == 2


async def test_what_others_wrote_is_believed_in_nothing(
    open_ledger: OpenLedger, make_event: MakeEvent, kept: Kept
) -> None:
    ledger, other = open_ledger(), open_ledger(seed=8)
    heard: list[Event] = []
    ledger.on_append.append(heard.extend)
    (first,) = await other.append("a", [make_event()], 0)
    previous = bytes.fromhex(first.hash)
    fields = {key: value for key, value in json.loads(first.canonical).items() if key != "previous_stream_hash"}
    forged = seal(fields, "a", 2, 2, b"\x01" * 32)
    kept.insert([2, "a", 2, forged, link(previous, forged)])
    for turn in (ledger.catch_up, lambda: ledger.append("b", [make_event()], 0), ledger.catch_up):
        with pytest.raises(ChainBroken, match="position 1: edited: position 2 of the same stream remembers another"):
            await turn()
    assert heard == [first]
    assert ledger.head().position == 1


async def test_a_ledger_that_ends_before_its_writer_stops_it(
    open_ledger: OpenLedger, make_event: MakeEvent, kept: Kept
) -> None:
    ledger = open_ledger()
    await ledger.append("a", [make_event(), make_event()], 0)
    kept.edit("DELETE FROM events WHERE position = 2")
    for turn in (ledger.catch_up, lambda: ledger.append("a", [make_event()], 2)):
        with pytest.raises(StorageError, match="ends at position 1, was left at 2"):
            await turn()


async def test_a_lock_held_too_long_is_named(open_ledger: OpenLedger, make_event: MakeEvent, path: Path) -> None:
    ledger = open_ledger()
    with ledger._writer.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 20")
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="another process has held its lock for 5 s; none was recorded"):
        await ledger.append("a", [make_event()], 0)
    assert await ledger.catch_up() == ()
    blocker.close()
    await ledger.append("a", [make_event()], 0)
    assert verify(path) == ledger.head()


async def test_a_lock_held_a_moment_is_waited_for(open_ledger: OpenLedger, make_event: MakeEvent, path: Path) -> None:
    ledger = open_ledger()
    blocker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.05, blocker.execute, ["COMMIT"])
    release.start()
    await ledger.append("a", [make_event()], 0)
    release.join()
    blocker.close()
    assert ledger.head().position == 1


async def test_looking_costs_next_to_nothing(
    open_ledger: OpenLedger, make_event: MakeEvent, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = open_ledger()
    await ledger.append("a", [make_event()], 0)
    await ledger.catch_up()

    def look() -> float:
        start = time.perf_counter()
        ledger._look()
        return time.perf_counter() - start

    best_s = min(ledger._thread.submit(look).result() for _ in range(200))
    with capsys.disabled():
        print(f"\nledger: a look for others' events takes {best_s * 1e6:.0f} us")
    assert best_s < 50e-6


async def test_the_log_is_folded_back_and_begun_anew_under_several_writers(
    open_ledger: OpenLedger, make_event: MakeEvent, path: Path
) -> None:
    ledger, other = open_ledger(), open_ledger(seed=8)
    event = make_event(data={"text": "x" * 40_000})
    for round_ in range(60):
        for writer in (ledger, other):
            await writer.append(f"s{round_ % 3}", [event] * 4, None)
    log_bytes = path.with_name("ledger.sqlite-wal").stat().st_size
    assert path.stat().st_size > 18_000_000
    assert log_bytes < 12_000_000
    assert verify(path).position == other.head().position == 480


async def test_no_connection_folds_the_log_back_without_the_write_lock(
    open_ledger: OpenLedger, make_event: MakeEvent, path: Path
) -> None:
    ledger = open_ledger()
    await ledger.append("a", [make_event()], 0)
    with ledger._writer.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 20")
        assert connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 0
    folding = ledger._folding
    assert isinstance(folding, Checkpoint)
    assert folding._connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    assert folding._connection.execute("PRAGMA synchronous").fetchone() == (2,)

    def make() -> None:
        with ledger._writer.connect() as connection:
            folding.make(connection.connection.driver_connection)

    bytes_before = path.stat().st_size
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with capture_logs() as logs:
        ledger._thread.submit(make).result()
    assert [entry["error"] for entry in logs] == ["database is locked"]
    assert path.stat().st_size == bytes_before
    blocker.close()
    ledger._thread.submit(make).result()
    assert path.stat().st_size > bytes_before
    await ledger.append("a", [make_event()], 1)
