"""Eight processes append to one PostgreSQL; they and the server are killed at random moments, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.postgres import Database, PostgresServer

from cultureops.clock import SystemClock, SystemEntropy
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger, Whereabouts, verify
from cultureops.ledger.postgres import PostgresDatabase

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]
Record = Callable[[str, object], None]
N_WRITERS, N_KILLS, N_CRASHES = 8, 24, 6

WRITER = """
import asyncio, json, sys
from cultureops.clock import SystemClock, SystemEntropy
from cultureops.errors import ClaimTaken, ConcurrencyError, StorageError
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger
from cultureops.ledger.postgres import PostgresDatabase
from cultureops.ledger.postgres_settings import PostgresSettings

where = PostgresDatabase(PostgresSettings.from_data(json.loads(sys.argv[1])))
writer, life = sys.argv[2], sys.argv[3]

async def opened():
    while True:
        try:
            return SqlLedger.open(where, SystemClock(), SystemEntropy())
        except StorageError:
            await asyncio.sleep(0.05)

async def main():
    ledger, number = await opened(), 0
    me = Actor("tech-" + writer, "technician")
    while True:
        place = f"place:{number % 5}"
        stream = f"s{number % 3}"
        try:
            held = ledger.holder(place)
            mine = held is not None and held.stream == stream
            claims, releases = ((), (place,)) if mine else ((place,), ())
            event = NewEvent("counted", {"life": life, "number": number}, me, Source.HUMAN,
                claims=claims, releases=releases)
            (recorded,) = await ledger.append(stream, [event], None)
            print("recorded", recorded.position, recorded.hash, life, number, flush=True)
            number += 1
        except ClaimTaken:
            number += 1
        except StorageError as error:
            print("refused", error, flush=True)
            if "may be on record" in str(error):
                number += 1
            await asyncio.sleep(0.05)

asyncio.run(main())
"""


async def begun(where: PostgresDatabase, writer: int, life: int) -> Process:
    told = json.dumps(where.settings.data())
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, told, str(writer), f"{writer}.{life}", stdout=PIPE, stderr=PIPE
    )


def end(child: Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # one that ended by itself says why on its way out, and is told of
        child.kill()


async def grown_by(postgres: Database, more: int) -> None:
    """Wait until so many more events are there."""
    (begin,) = postgres.rows("SELECT coalesce(max(position), 0) FROM events")[0]
    async with asyncio.timeout(60):
        while postgres.rows("SELECT coalesce(max(position), 0) FROM events")[0][0] < begin + more:
            await asyncio.sleep(0.02)


async def test_writers_and_the_server_are_killed_at_random_and_nothing_is_lost_or_doubled(
    postgres_server: PostgresServer, postgres: Database, record_property: Record
) -> None:
    where, dice = PostgresDatabase(postgres.settings()), random.Random(20260105)
    said: list[str] = []
    fallen: list[str] = []

    async def follow(child: Process) -> None:
        out, err = await child.communicate()
        said.extend(out.decode().split("\n")[:-1])  # what has no line end was cut off by the kill
        if child.returncode != -signal.SIGKILL:
            fallen.append(err.decode())

    children = [await begun(where, writer, 0) for writer in range(N_WRITERS)]
    following = [asyncio.create_task(follow(child)) for child in children]
    crashes = set(dice.sample(range(N_KILLS), N_CRASHES))
    for kill in range(N_KILLS):
        await grown_by(postgres, dice.randrange(5, 40))
        if kill in crashes:
            await asyncio.to_thread(postgres_server.kill)
            postgres_server.start()
        writer = dice.randrange(N_WRITERS)
        end(children[writer])
        children[writer] = await begun(where, writer, kill + 1)
        following.append(asyncio.create_task(follow(children[writer])))
    await grown_by(postgres, 40)
    for child in children:
        end(child)
    await asyncio.gather(*following)

    head = verify(where)
    ledger = SqlLedger.open(where, SystemClock(), SystemEntropy())
    stored = {event.position: event for event in ledger.read_all()}
    await ledger.close()
    reported = [line.split() for line in said if line.startswith("recorded")]
    assert not fallen, "nobody ends but by a kill"
    assert head.position == len(stored) and len(reported) > 10 * N_KILLS
    assert all(stored[int(position)].hash == hash for _, position, hash, _, _ in reported), "nothing said is lost"
    places = [(event.data["life"], event.data["number"]) for event in stored.values()]
    assert len(set(places)) == len(places), "nothing is doubled"
    unknown = sum("may be on record" in line for line in said)
    assert len(stored) - len(reported) <= N_KILLS + N_WRITERS + unknown
    held = {name: (stream, position) for name, stream, position in postgres.rows("SELECT * FROM claims")}
    assert {name: ledger._tail.held[name] for name in held} == held
    record_property("postgresql_events", len(stored))
    record_property("postgresql_kills_of_writers", N_KILLS)
    record_property("postgresql_kills_of_the_server", N_CRASHES)
    record_property("postgresql_refusals", sum(line.startswith("refused") for line in said))
    record_property("postgresql_unknown_outcomes", unknown)


async def pace(where: Whereabouts, count: int) -> tuple[float, float]:
    """Return appends of one event a second, and events a second in appends of 1,000."""
    ledger = SqlLedger.open(where, SystemClock(), SystemEntropy())
    event = NewEvent("counted", {"viability_pct": 96.5}, Actor("tech-1", "technician"), Source.HUMAN)
    began = time.perf_counter()
    for _ in range(count):
        await ledger.append("a", [event], None)
    single = count / (time.perf_counter() - began)
    began = time.perf_counter()
    for _ in range(10):
        await ledger.append("b", [event] * 1000, None)
    many = 10_000 / (time.perf_counter() - began)
    await ledger.close()
    return single, many


async def test_the_pace_of_both_databases(tmp_path: Path, postgres: Database, record_property: Record) -> None:
    for name, where in (("sqlite", tmp_path / "ledger.sqlite"), ("postgresql", PostgresDatabase(postgres.settings()))):
        single, many = await pace(where, 1000)
        record_property(f"{name}_appends_per_s", round(single))
        record_property(f"{name}_events_per_s_in_appends_of_1000", round(many))
        began = time.perf_counter()
        await SqlLedger.open(where, SystemClock(), SystemEntropy()).close()
        record_property(f"{name}_open_us_per_event", round((time.perf_counter() - began) / 11_000 * 1e6, 1))
        assert verify(where).position == 11_000
        assert single > 20
