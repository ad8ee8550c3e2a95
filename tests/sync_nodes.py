"""A gateway and a hub as processes that may be killed at any instant, and what must be true of them afterwards."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tests.cut_lines import Proxy
from tests.joined import CHANNELS, START, fact, gateways_settings, hub_settings, readings

from cultureops.clock import SystemClock, SystemEntropy
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.ledger import Actor, Event, KeyFolder, NewEvent, Source, SqlLedger, verify
from cultureops.sync import Forwarding, Receiving, Standing
from cultureops.telemetry import ChannelInfo, EmbeddedStore

__all__ = ["Node", "compare", "gateway", "hub", "start"]

CHANNEL = "inc_1/temperature"
FAR = START + 10**10


class Node:
    """A forked process that runs one side until it is killed by its id."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        """Kill it and wait for its end; it must have been running."""
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, f"ended by itself: {status}"


def start(work: Callable[[], Coroutine[Any, Any, None]], log: Path) -> Node:
    """Fork a process that does the work; call without a running loop."""
    if pid := os.fork():
        return Node(pid)
    _child(work, log)


def _child(work: Callable[[], Coroutine[Any, Any, None]], log: Path) -> NoReturn:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    try:
        asyncio.run(work())
    except BaseException as error:
        print(f"ended: {error!r}", file=sys.stderr, flush=True)
    os._exit(3)


async def hub(folder: Path, certificates: Path, port: int) -> None:
    """Keep what one gateway sends: readings in a store, and of its events in a ledger which were taken in."""
    folder.mkdir(exist_ok=True)
    ledger = SqlLedger.open(folder / "ledger.sqlite", SystemClock(), SystemEntropy(), "hub")
    store = EmbeddedStore.open(folder / "telemetry")

    async def keep(_: str, kept: Sequence[Reading], infos: Mapping[ChannelId, ChannelInfo]) -> None:
        store.declare(infos)
        await store.append(kept)

    async def take_in(origin: str, events: Sequence[Event]) -> None:
        span = {"first": events[0].position, "last": events[-1].position}
        await ledger.append(origin, [NewEvent("taken_in", span, Actor("cultureops", "system"), Source.SYSTEM)], None)

    async def ignore(*_: object) -> None:
        return None

    receiving = Receiving(
        gateways_settings(certificates, "room_1", port=port), folder / "origins", SystemClock(),
        keep_readings=keep, on_events=take_in, taken=lambda origin: _taken(ledger, origin), heads=lambda _: (),
        standing=lambda _: Standing(0), orders=lambda _: (), on_hello=lambda *_: None, on_head=ignore,
    )  # fmt: skip
    await receiving.run()


def _taken(ledger: SqlLedger, origin: str) -> int:
    return max((int(str(event.data["last"])) for event in ledger.read(origin)), default=0)


async def gateway(folder: Path, certificates: Path, port: int, *, seed: int | None = None, writes: bool = True) -> None:
    """Record and measure as fast as the disk allows, and hand it on; through a line that is cut, with a seed."""
    folder.mkdir(exist_ok=True)
    clock = SystemClock()
    keys = KeyFolder(folder / "keys")
    ledger = SqlLedger.open(folder / "ledger.sqlite", clock, SystemEntropy(), "room_1", keys)
    await ledger.introduce_key()
    store = EmbeddedStore.open(folder / "telemetry")
    store.declare(CHANNELS)

    async def forward(at: int) -> None:
        async def ignore(_: object) -> None:
            return None

        forwarding = Forwarding(
            hub_settings(certificates, "room_1", at, timeout_s=5.0), "room_1", ledger, store, folder, clock,
            site_sha256="ab" * 32, on_standing=lambda _: None, on_orders=ignore,
        )  # fmt: skip
        while not await forwarding.step() or writes:
            await asyncio.sleep(0.002)
        await forwarding.close()

    if seed is None:
        await asyncio.gather(forward(port), *([_write(ledger, store)] if writes else []))
        await store.close()
        await ledger.close()
        return
    async with Proxy(port, random.Random(seed), cut_one_in=12, most_delay_s=0.01) as proxy:
        await asyncio.gather(forward(proxy.port), _write(ledger, store), _count(proxy, folder / f"cuts-{seed}"))


async def _write(ledger: SqlLedger, store: EmbeddedStore) -> None:
    last = store.latest().get(CHANNEL)
    at = 0 if last is None else (last.source_time - START) // 1000 + 1
    dice = random.Random(at)
    while True:
        count = dice.randrange(1, 40)
        await store.append(readings(at, count))
        at += count
        await ledger.append(f"batch:{at % 5}", [fact(number) for number in range(dice.randrange(1, 9))], None)
        if dice.randrange(20) == 0:
            await ledger.sign_head()
        await asyncio.sleep(0.003)


async def _count(proxy: Proxy, file: Path) -> None:
    while True:
        file.write_text(str(proxy.cuts))
        await asyncio.sleep(0.02)


async def compare(at_gateway: Path, at_hub: Path) -> tuple[int, int]:
    """Return how many events and readings there are, once both sides are proven to hold the same; both are closed."""
    source, copy = at_gateway / "ledger.sqlite", at_hub / "origins" / "room_1.sqlite"
    rows = [_rows(path, "SELECT position, stream, version, canonical, hash FROM events") for path in (source, copy)]
    assert rows[0] == rows[1]
    assert verify(source) == verify(copy)
    heads = [_rows(path, "SELECT size, root, chain_hash, key_id, signature FROM heads") for path in (source, copy)]
    assert set(heads[1]) <= set(heads[0]) and heads[1][-1:] == heads[0][-1:]
    ledger = SqlLedger.open(at_hub / "ledger.sqlite", SystemClock(), SystemEntropy(), "hub")
    end = 0
    for event in ledger.read("room_1"):
        assert event.data["first"] == end + 1, "taken in twice, or left out"
        end = int(str(event.data["last"]))
    assert end == len(rows[0])
    await ledger.close()
    series = []
    for folder in (at_gateway, at_hub):
        store = EmbeddedStore.open(folder / "telemetry")
        series.append(await store.series(CHANNEL, START, FAR))
        await store.close()
    found = [part.readings(CHANNEL) for part in series]
    assert found[0] == found[1] == readings(0, len(found[0]))
    assert not series[1].revised.any(), "what came twice was kept twice"
    return len(rows[0]), len(found[0])


def _rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return db.execute(f"{query} ORDER BY 1").fetchall()
