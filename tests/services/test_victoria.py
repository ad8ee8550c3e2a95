"""VictoriaMetrics, which forgets its last seconds when it is killed, holds exactly what the store holds."""

import asyncio
import contextlib
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.services.conftest import START, Victoria, fill, stored

from cultureops.clock import HOUR_MS
from cultureops.telemetry import EmbeddedStore
from cultureops.telemetry.mirror import Mirror

MirrorTo = Callable[..., Mirror]


@contextlib.asynccontextmanager
async def running(mirror: Mirror) -> AsyncIterator[Mirror]:
    task = asyncio.create_task(mirror.run())
    try:
        yield mirror
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool], deadline_s: float = 20.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_server_killed_in_the_middle_holds_exactly_the_points(
    victoria: Victoria, store: EmbeddedStore, mirror_to: MirrorTo
) -> None:
    async with running(mirror_to(victoria.url, resend_window_s=60)) as mirror:
        await fill(store, 0, 240)
        await mirror.drain()
        assert mirror.status().sent >= 1200
        victoria.kill()
        await fill(store, 240, 400)
        await store.seal(START + HOUR_MS)  # what the server misses is read from chunks
        await until(lambda: mirror.status().last_error is not None)
        assert "can't be reached" in str(mirror.status().last_error)
        victoria.start()
        await fill(store, 400, 420)
        async with asyncio.timeout(20):
            await mirror.drain()
    assert victoria.points() == await stored(store)
    assert (mirror.status().last_error, mirror.status().backlog_readings) == (None, 0)


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_killed_servers_and_senders_leave_exactly_the_points(
    victoria: Victoria, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Both are killed again and again at random instants, each for itself and together, while a backlog is sent."""
    dice = random.Random(3)
    store = EmbeddedStore.open(tmp_path / "telemetry")
    for hour in range(24):
        await fill(store, hour * 3600, (hour + 1) * 3600)
        await store.seal(START + hour * HOUR_MS)
    await store.close()
    kills = {"server": 0, "sender": 0}
    sender = start_sender(tmp_path, victoria)
    try:
        for _ in range(40):
            await asyncio.sleep(dice.uniform(0.2, 2.5))
            target = dice.choice(("server", "sender", "both"))
            if target in ("sender", "both"):
                end(sender)
                kills["sender"] += 1
            if target in ("server", "both"):
                victoria.kill()
                kills["server"] += 1
                await asyncio.sleep(dice.uniform(0, 0.5))
                victoria.start()
            if target != "server":
                sender = start_sender(tmp_path, victoria)
        end(sender)
        sender = start_sender(tmp_path, victoria)
        assert sender.stdout is not None
        assert await asyncio.wait_for(asyncio.to_thread(sender.stdout.readline), 300) == b"drained\n"
    finally:
        end(sender)
    store = EmbeddedStore.open(tmp_path / "telemetry")
    everything = await stored(store)
    await store.close()
    assert victoria.points() == everything
    record_property("points", sum(map(len, everything.values())))
    record_property("kills", kills)


def end(sender: subprocess.Popen[bytes]) -> None:
    sender.kill()
    sender.communicate()


def start_sender(folder: Path, victoria: Victoria) -> subprocess.Popen[bytes]:
    command = (sys.executable, "-m", "tests.services.sender", str(folder), victoria.url)
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])


async def test_a_restart_that_no_call_has_met_is_noticed(
    victoria: Victoria, store: EmbeddedStore, mirror_to: MirrorTo
) -> None:
    async with running(mirror_to(victoria.url, resend_window_s=60)) as mirror:
        await fill(store, 0, 60)
        await mirror.drain()
        victoria.kill()
        victoria.start()
        assert victoria.points() != await stored(store)  # forgotten what it had confirmed
        await fill(store, 60, 61)
        await mirror.drain()
        assert mirror.status().last_error is None
    assert victoria.points() == await stored(store)
