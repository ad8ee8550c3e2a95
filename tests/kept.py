"""A small data folder as a lab leaves it: signed events, anchored heads, sealed readings with their roots."""

from __future__ import annotations

import asyncio
import math
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from cultureops.access.roles import Role
from cultureops.access.signature import Meaning, Signature, details_sha256, shown, signed
from cultureops.anchor import Anchor
from cultureops.clock import HOUR_MS, MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.ledger import Actor, KeyFolder, NewEvent, Source, SqlLedger
from cultureops.ledger.anchors import Anchors
from cultureops.ledger.settings import LedgerSettings
from cultureops.telemetry import ChannelInfo, EmbeddedStore

__all__ = ["ANCHOR", "START", "rewritten", "write_folder"]

ANCHOR = "elsewhere.jsonl"
START = parse_iso("2026-01-31T20:00:00Z")
"""Some hours before the end of a month, so that there are two files of readings."""
_CHANNELS = ("incubator_1/temperature", "incubator_1/co2")
_HOURS = 6


def write_folder(data_dir: Path, events: int = 60, running: Path | None = None) -> None:
    """Write the folder; every tenth event is signed by a person, and an hour passes now and then.

    ``running`` becomes a copy of it as it was while the lab still ran, logs and all.
    """
    asyncio.run(_write(data_dir, events, running))


async def _write(data_dir: Path, events: int, running: Path | None) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    clock, entropy = SteppedClock(START), SeededEntropy(7)
    ledger = SqlLedger.open(data_dir / "ledger.sqlite", clock, entropy, keys=KeyFolder(data_dir / "keys"))
    await ledger.introduce_key()
    store = EmbeddedStore.open(data_dir / "telemetry")
    store.declare({name: ChannelInfo("Cel" if "temp" in name else "%", 2) for name in _CHANNELS})
    anchor, anchors = Anchor(store, ledger), Anchors(ledger, LedgerSettings(files=(data_dir.parent / ANCHOR,)))
    for number in range(events):
        clock.advance(_HOURS * HOUR_MS // events)
        await _append(ledger, number, clock.now())
        await store.append(
            [
                Reading(name, round(37 + math.sin(number), 2), Quality.GOOD, Reason.NONE, clock.now(), clock.now() + 5)
                for name in _CHANNELS
            ]
        )
        await anchor.settle(clock.now())
        await anchors.settle(clock.now())
    clock.advance(2 * MINUTE_MS)
    await ledger.sign_head()
    await anchors.settle(clock.now())
    if running is not None:
        shutil.copytree(data_dir, running)
    await store.close()
    await ledger.close()


async def _append(ledger: SqlLedger, number: int, now: int) -> None:
    stream = f"batch:{'ABC'[number % 3]}"
    new = NewEvent(
        "counted",
        {"number": number, "viability_pct": 96.5},
        Actor("operator-1", "OP"),
        Source.HUMAN,
        claims=(f"place:{number}",) if number % 4 == 0 else (),
    )
    if number % 10 == 9:
        seen = shown(stream, ledger.read(stream), "count", details_sha256({"number": number}, "", None))
        signature = Signature(
            f"sig-{number}", "operator-1", "Operator One", Role.OPERATOR, Meaning.AUTHORED, now, "Europe/Berlin",
            "password", seen,
        )  # fmt: skip
        new = signed(new, stream, [signature])
    await ledger.append(stream, [new], None)


def rewritten(path: Path, *statements: str) -> None:
    """Change a ledger's file as somebody can who rules the machine: the guards go first."""
    with closing(sqlite3.connect(path)) as db:
        for (guard,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {guard}")
        for statement in statements:
            db.execute(statement)
        db.commit()
