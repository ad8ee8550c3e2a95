"""Sealing in a process of its own keeps and tells the same as in a thread, whoever of the two dies."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import StorageError, Unreadable
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.exchange import check
from cultureops.telemetry.sealer_process import SealerProcess

START = 1_767_600_000_000
CHANNELS = {"a/t": ChannelInfo("Cel", 2), "a/c": ChannelInfo("%", 2)}
WRITER = """
import asyncio, sys
from pathlib import Path
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo, EmbeddedStore

async def main():
    store = EmbeddedStore.open(Path(sys.argv[1]), seals_apart=True)
    store.declare({"a/t": ChannelInfo("Cel", 2)})
    for minute in range(10_000):
        at = 1_767_600_000_000 + minute * 60_000
        await store.append([Reading("a/t", 37.0, Quality.GOOD, Reason.NONE, at, at)])
        if minute == 600:
            sealing = asyncio.ensure_future(store.seal(at))
            print("sealing", flush=True)

asyncio.run(main())
"""


def minutes(count: int) -> list[Reading]:
    return [
        Reading(channel, 37 + number / 100, Quality.GOOD, Reason.NONE, at, at)
        for number in range(count)
        for at in [START + number * MINUTE_MS]
        for channel in CHANNELS
    ]


def the_process(store: EmbeddedStore) -> int:
    sealer = store._sealing._sealer
    assert isinstance(sealer, SealerProcess)
    return sealer._child.pid


async def filled(folder: Path, *, seals_apart: bool) -> EmbeddedStore:
    store = EmbeddedStore.open(folder, seals_apart=seals_apart)
    store.declare(CHANNELS)
    await store.append(minutes(300))
    return store


async def test_it_seals_the_same_bytes_as_a_thread(tmp_path: Path) -> None:
    passes = []
    for seals_apart in (False, True):
        store = await filled(tmp_path / str(seals_apart), seals_apart=seals_apart)
        assert await store.seal(START + 3 * HOUR_MS) == 1
        passes.append(await store.passes(0))
        await store.close()
        checked = check(tmp_path / str(seals_apart))
        assert checked.readings == 600 and checked.sealed_readings == 360
    assert passes[0] == passes[1]


async def test_a_process_that_dies_is_named_and_started_again(tmp_path: Path) -> None:
    store = await filled(tmp_path / "telemetry", seals_apart=True)
    await store.seal(START)  # nothing to seal, and what every start asks for is over
    os.kill(the_process(store), signal.SIGKILL)
    with pytest.raises(StorageError, match="the sealing process ended by itself"):
        await store.seal(START + HOUR_MS)
    assert store.failure is not None
    assert await store.seal(START + HOUR_MS) == 1
    assert store.failure is None
    await store.close()


async def test_signals_for_all_processes_are_left_to_the_writer(tmp_path: Path) -> None:
    store = await filled(tmp_path / "telemetry", seals_apart=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(the_process(store), number)
    assert await store.seal(START + HOUR_MS) == 1
    await store.close()


async def test_a_damaged_month_is_refused_at_the_start(tmp_path: Path) -> None:
    store = await filled(tmp_path / "telemetry", seals_apart=True)
    await store.seal(START + HOUR_MS)
    await store.close()
    (tmp_path / "telemetry" / "2026-01.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(Unreadable, match=r"2026-01\.sqlite"):
        EmbeddedStore.open(tmp_path / "telemetry", seals_apart=True)


async def test_it_ends_with_a_writer_that_is_killed_and_the_next_one_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, str(folder), stdout=PIPE, stderr=PIPE)
    assert child.stdout is not None
    assert await child.stdout.readline() == b"sealing\n"
    child.kill()
    assert (await child.communicate())[1] == b""
    store = EmbeddedStore.open(folder, seals_apart=True)
    await store.seal(START + 10 * HOUR_MS)
    kept = store.count()
    await store.close()
    checked = check(folder)
    assert checked.readings == kept >= 601
    assert checked.sealed_readings == 600
