"""A million events with their heads and signatures of people, verified while somebody waits."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from cultureops.access.roles import Role
from cultureops.access.signature import Meaning, Signature, check_signatures, details_sha256, shown, signed
from cultureops.clock import SeededEntropy, SteppedClock, SystemClock, SystemEntropy, iso
from cultureops.ledger import Actor, KeyFolder, NewEvent, Source, SqlLedger
from cultureops.ledger.chain import link
from cultureops.ledger.event import decode, draft, seal
from cultureops.ledger.examine import examine
from cultureops.ledger.head import GENESIS
from cultureops.ledger.head_table import put_head
from cultureops.ledger.merkle import Frontier, check_consistency, check_inclusion
from cultureops.ledger.signed_head import SignedHead, sign_head

EVENTS = 1_000_000
START = 1_767_600_000_000
TEMPLATE = (
    '{{"actor":{{"id":"operator-1","role":"OP"}},"algorithm":"sha256","data":{{"cells":120000,"note":"medium changed '
    'as the recipe says","vessels":["v1","v2"],"viability_pct":96.5}},"event_id":"{id}","occurred_at":"{at}",'
    '"origin":"local","position":{position},"previous_stream_hash":"{before}","reason":"","recorded_at":"{at}",'
    '"schema_version":1,"source":"human","stream":"{stream}","type":"counted","version":{version}}}'
)


async def make(folder: Path, events: int) -> Path:
    """Write the ledger's rows directly: what an append would write, without its commit for each."""
    path, keys = folder / "ledger.sqlite", KeyFolder(folder / "keys")
    ledger = SqlLedger.open(path, SteppedClock(START), SeededEntropy(7), keys=keys)
    await ledger.introduce_key()
    (introduced,) = ledger.read_all()
    key = keys.load(keys.made()[0])
    assert key is not None
    await ledger.close()
    frontier = Frontier()
    frontier.append(introduced.canonical)
    tips: dict[str, tuple[int, bytes]] = {}
    last = bytes.fromhex(introduced.hash)

    def rows() -> Iterator[tuple[int, str, int, bytes, bytes]]:
        nonlocal last
        for position in range(2, events + 1):
            stream = f"batch:{position % 500}"
            version, before = tips.get(stream, (0, GENESIS))
            canonical = canonical_of(position, stream, version + 1, before, last)
            last = link(last, canonical)
            tips[stream] = version + 1, last
            if (version + 1) % 50 == 0:
                claims.append((f"signature:sig-{position}", stream, position))
            frontier.append(canonical)
            if position % 256 == 0 or position == events:
                heads.append(sign_head(key, position, frontier.root(), last, START + position, "local"))
            yield position, stream, version + 1, canonical, last

    heads: list[SignedHead] = []
    claims: list[tuple[str, str, int]] = []
    with closing(sqlite3.connect(path)) as db:
        for (guard,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {guard}")
        db.execute("PRAGMA synchronous = OFF")
        db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows())
        db.executemany("INSERT INTO claims VALUES (?, ?, ?)", claims)
        db.commit()
    with create_engine(f"sqlite:///{path}", poolclass=NullPool).begin() as connection:
        for head in heads:
            put_head(connection, head)
    return path


def canonical_of(position: int, stream: str, version: int, before: bytes, chain: bytes) -> bytes:
    if version % 50 == 0:
        return signed_event(position, stream, version, before)
    at = iso(START + position * 1000)
    number = f"{position:08x}-0000-7000-8000-000000000000"
    return TEMPLATE.format(
        id=number, at=at, position=position, before=before.hex(), stream=stream, version=version
    ).encode()  # fmt: skip


def signed_event(position: int, stream: str, version: int, before: bytes) -> bytes:
    """Return an event that a person signed, shown the record as it stood: each batch has one in fifty."""
    seen = shown(stream, (), "count", details_sha256({}, "", None))
    seen = type(seen)(stream, version - 1, before.hex(), seen.step, seen.details_sha256)
    signature = Signature(
        f"sig-{position}", "operator-1", "Operator One", Role.OPERATOR, Meaning.AUTHORED, START, "UTC", "password", seen
    )
    new = signed(NewEvent("counted", {"cells": 1}, Actor("operator-1", "OP"), Source.HUMAN), stream, [signature])
    fields = draft(new, stream, f"{position:08x}-0000-7000-8000-000000000001", START, "local")
    return seal(fields, stream, position, version, before)


async def test_the_rows_are_those_of_a_real_ledger(tmp_path: Path) -> None:
    path = await make(tmp_path, 600)
    found = examine(path, (), check_signatures)
    assert found.findings == () and found.head.position == 600 and found.heads == 4
    ledger = SqlLedger.open(path, SystemClock(), SystemEntropy())
    for event in ledger.read_all():
        assert decode(event.canonical, bytes.fromhex(event.hash)) == event
    event, tree = ledger.read("batch:7")[0], ledger.tree
    path_of_it = tree.inclusion(event.position - 1, 512)
    check_inclusion(event.canonical, event.position - 1, 512, path_of_it, tree.root(512))
    check_consistency(256, 600, tree.consistency(256), tree.root(256), tree.root())
    await ledger.close()


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_a_million_events_are_verified_within_thirty_seconds(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    path = await make(tmp_path, EVENTS)
    began, cpu = time.monotonic(), time.process_time()
    found = examine(path, (), check_signatures)
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu
    record_property("verify_s", round(seconds, 2))
    record_property("verify_cpu_s", round(cpu_seconds, 2))
    record_property("events_signed_by_people", found.signatures)
    assert found.findings == () and found.head.position == EVENTS and found.signatures > EVENTS // 60
    began = time.monotonic()
    ledger = SqlLedger.open(path, SystemClock(), SystemEntropy())
    record_property("open_s", round(time.monotonic() - began, 2))
    began = time.monotonic()
    for position in (1, 2, 500_000, EVENTS):
        event = next(ledger.read_all(position - 1, 1))
        proof = ledger.tree.inclusion(position - 1)
        check_inclusion(event.canonical, position - 1, EVENTS, proof, ledger.tree.root())
    record_property("inclusion_proof_ms", round((time.monotonic() - began) / 4 * 1000, 2))
    await ledger.close()
    assert cpu_seconds < 30
